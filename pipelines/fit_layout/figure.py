"""One picture of fitted layouts: g(r) of brains left out beside simulations, and tiles of each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from pipelines.report.picture import INK, LEFT, MUTED, RIGHT, plain_axes
from volumetric.synthesis.layout import Layout

Floats = npt.NDArray[np.float64]

Example = tuple[Layout, tuple[int, int]]
"""A layout and the pixels (y, x) of its tile."""

COLOURS = {"fitted": LEFT, "method": RIGHT}
BRIGHTEST = 20.0
"""Noise levels drawn as white."""


@dataclass(frozen=True)
class Check:
    """A brain beside models that have not seen it.

    Args:
        brain: left out.
        observed: (k,) g of its cells.
        models: lower and upper end of each one's envelope, (k,), and the p value.
    """

    brain: str
    observed: Floats
    models: Mapping[str, tuple[Floats, Floats, float]]


def layout_figure(edges: Floats, checks: Sequence[Check], examples: Mapping[str, Sequence[Example]]) -> Figure:
    """A panel for each brain left out, and a row of tiles for each kind of layout.

    Args:
        edges: (k + 1,) px, of the bins of g.
        checks: none where there is one brain.
        examples: kind -> tiles, of each kind as many.
    """
    columns = max(len(checks), *(len(tiles) for tiles in examples.values()), 1)
    rows = len(examples) + bool(checks)
    heights = ([1.5] if checks else []) + [1.0] * len(examples)
    figure = Figure(figsize=(2.6 * columns, 2.6 * sum(heights) + 0.4), layout="constrained")
    figure.suptitle(
        "tiles: cells as discs of their size and light, without the image; as many in each of a column", color=INK
    )
    grid = figure.add_gridspec(rows, columns * max(len(checks), 1), height_ratios=heights)
    for number, check in enumerate(checks):
        _curve(figure.add_subplot(grid[0, number * columns : (number + 1) * columns]), edges, check, number == 0)
    wide = max(len(checks), 1)
    for row, (kind, tiles) in enumerate(examples.items(), start=int(bool(checks))):
        for column, example in enumerate(tiles):
            axes = figure.add_subplot(grid[row, column * wide : (column + 1) * wide])
            _tile(axes, example)
            if not column:
                axes.set_ylabel(kind, color=INK)
    return figure


def _curve(axes: Axes, edges: Floats, check: Check, first: bool) -> None:
    middle = (edges[1:] + edges[:-1]) / 2
    for name, colour in COLOURS.items():
        low, high, p = check.models[name]
        axes.fill_between(middle, low, high, color=colour, alpha=0.3, linewidth=0, label=f"{name}, p {p:.3f}")
    axes.plot(middle, check.observed, color=INK, marker="o", markersize=3, label="cells")
    axes.axhline(1, color=MUTED, linewidth=0.8, linestyle="--")
    axes.set(xlabel="distance, px", title=f"{check.brain} left out", xlim=(0, edges[-1]), ylim=(0, None))
    if first:
        axes.set_ylabel("g(r)")
    axes.legend(frameon=False, fontsize=7)
    plain_axes(axes)


def _tile(axes: Axes, example: Example) -> None:
    tile, (y, x) = example
    share = np.clip(tile.light / BRIGHTEST, 0.25, 1)
    shapes = [corners[:, ::-1] for corners in tile.outlines]
    axes.add_collection(PolyCollection(shapes, facecolors=[(s, s, s) for s in share.tolist()]))
    axes.set(facecolor="black", xticks=[], yticks=[], aspect="equal", xlim=(-0.5, x - 0.5), ylim=(y - 0.5, -0.5))
