"""A picture of tiles that were made up, with the cells of their truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure

from pipelines.report.picture import RIGHT

ACROSS = 4

Shown = tuple[npt.NDArray[np.float32], npt.NDArray[np.float64], npt.NDArray[np.float64]]


def overview_figure(tiles: Sequence[Shown]) -> Figure:
    """Planes 0 to 1, each without and with its cells: centres (n, 2) and radii (n,), pixels."""
    rows = -(-len(tiles) // ACROSS)
    figure = Figure(figsize=(4.4 * ACROSS, 2.2 * rows), layout="constrained")
    for place, axes in enumerate(figure.subplots(rows, 2 * ACROSS, squeeze=False).ravel()):
        axes.set_axis_off()
        if place // 2 >= len(tiles):
            continue
        plane, yx, radius = tiles[place // 2]
        axes.imshow(plane, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        if place % 2:
            size = 2 * radius + 4
            outlines = EllipseCollection(
                size, size, np.zeros(len(yx)), units="xy", offsets=yx[:, ::-1], transOffset=axes.transData
            )
            outlines.set(facecolor="none", edgecolor=RIGHT, linewidth=0.8)
            axes.add_collection(outlines)
    return figure
