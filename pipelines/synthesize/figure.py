"""A picture of tiles that were made up, with the cells of their truth; the surer, the stronger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from pipelines.report.picture import INK, RIGHT
from volumetric.synthesis.layout import Layout

ACROSS = 4

FAINTEST = 0.35
"""Least opacity of a cell's outline."""

Shown = tuple[npt.NDArray[np.float32], Layout]


def overview_figure(tiles: Sequence[Shown]) -> Figure:
    """Planes 0 to 1, each without and with its cells."""
    rows = -(-len(tiles) // ACROSS)
    figure = Figure(figsize=(4.4 * ACROSS, 2.2 * rows + 0.4), layout="constrained")
    figure.suptitle(
        f"the first {len(tiles)} tiles, each without and with its cells; the less sure a cell, the fainter its ring",
        color=INK,
    )
    for place, axes in enumerate(figure.subplots(rows, 2 * ACROSS, squeeze=False).ravel()):
        axes.set_axis_off()
        if place // 2 >= len(tiles):
            continue
        plane, cells = tiles[place // 2]
        axes.imshow(plane, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        if place % 2:
            size = 2 * cells.radius_px + 4
            outlines = EllipseCollection(
                size, size, np.zeros(len(cells)), units="xy", offsets=cells.yx[:, ::-1], transOffset=axes.transData
            )
            colours = [to_rgba(RIGHT, max(sure, FAINTEST)) for sure in cells.sure.tolist()]
            outlines.set(facecolor="none", edgecolor=colours, linewidth=0.8)
            axes.add_collection(outlines)
    return figure
