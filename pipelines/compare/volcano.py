"""Volcano plots: how much a region changed against how surprising that is, one panel a contrast and hemisphere."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from pipelines.compare.marks import HIGHER, LOWER, QUIET, TEST_NAMES, side_text, spread
from pipelines.report.picture import INK, MUTED, plain_axes

LABELS = 9
"""On each side of a panel."""

_COLUMNS = 2
_WIDTH_IN, _HEIGHT_IN = 6.2, 4.8
_ROOM = 1.55
"""Width of a panel relative to its points: the rest is for names."""


def volcano_figure(table: pd.DataFrame, test: str, fdr: float) -> Figure:
    """Fold change (of the negative-binomial test: its rate ratio) against p.

    Args:
        table: rows of `stats.csv`.
        test: whose p is shown.
        fdr: discoveries at this rate are coloured and named.
    """
    panels = list(table.groupby(["group", "hemisphere"], sort=False))
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(_WIDTH_IN * columns, _HEIGHT_IN * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, ((group, side), part) in zip(grid, panels, strict=False):
        where = side_text(str(side))
        title = f"{group} against {part['reference'].iloc[0]}{where}"
        axes.set_title(title, fontsize=10, loc="left", color=INK, fontweight="bold", pad=18)
        _panel(axes, part, test, fdr)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    return figure


def _panel(axes: Axes, part: pd.DataFrame, test: str, fdr: float) -> None:
    plain_axes(axes)
    rows = part[part[f"{test}_p"].notna()]
    if rows.empty:
        axes.set_axis_off()
        words = f"no region was tested: {part['reason'].mode().iloc[0]}"
        axes.text(0.5, 0.5, words, ha="center", va="center", color=MUTED, transform=axes.transAxes)
        return
    ratio = rows["rate_ratio" if test == "negative_binomial" else "fold_change"].to_numpy(np.float64)
    with np.errstate(divide="ignore"):
        change = np.log2(ratio)
    reach = max(1.0, 1.08 * float(np.max(np.abs(change[np.isfinite(change)]), initial=0.0)))
    across = np.clip(change, -reach, reach)
    up = -np.log10(np.maximum(rows[f"{test}_p"].to_numpy(np.float64), 1e-300))
    found = rows[f"{test}_q"].to_numpy(np.float64) <= fdr
    colours = np.where(found, np.where(across > 0, HIGHER, LOWER), QUIET)
    axes.scatter(across, up, s=np.where(found, 26, 13), c=colours, linewidths=0.4, edgecolors="white", zorder=3)
    top = max(2.0, 1.08 * float(up.max()))
    axes.set_xlim(-_ROOM * reach, _ROOM * reach)
    axes.set_ylim(0, top)
    axes.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
    _limit(axes, up, found, fdr)
    _name(axes, across, up, rows["acronym"].to_numpy(str), found)
    axes.xaxis.set_major_locator(MultipleLocator(1 if reach < 4 else 2))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"×{2**value:.2g}"))
    axes.yaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(_p_text))
    what = "rate ratio" if test == "negative_binomial" else "fold change of mean density"
    axes.set_xlabel(f"← fewer cells      {what}      more cells →", fontsize=8.5, color=INK)
    axes.set_ylabel(f"p of the {TEST_NAMES[test]} test", fontsize=8.5, color=INK)


def _p_text(value: float, _position: float | None = None) -> str:
    return f"{10.0**-value:g}" if value <= 3 else f"$10^{{-{value:g}}}$"


def _limit(axes: Axes, up: np.ndarray, found: np.ndarray, fdr: float) -> None:
    """The line above which regions are discoveries, and how many there are."""
    number, total = int(found.sum()), len(up)
    if number:
        line = float(up[found].min())
        axes.axhline(line, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        axes.text(axes.get_xlim()[0], line, " discoveries from here up", va="bottom", fontsize=7, color=MUTED)
    words = f"{number} of {total} regions" if number else f"none of {total} regions"
    axes.text(
        *(0.0, 1.015, f"{words} at a false discovery rate of {fdr:.0%}"),
        transform=axes.transAxes,
        ha="left",
        va="bottom",
        fontsize=8,
        color=MUTED,
    )


def _name(axes: Axes, across: np.ndarray, up: np.ndarray, names: np.ndarray, found: np.ndarray) -> None:
    """Acronyms of the strongest discoveries beside the cloud, each with a line to its point."""
    top, beside = axes.get_ylim()[1], axes.get_xlim()[1] * 1.14 / _ROOM
    for side in (-1, 1):
        here = np.flatnonzero(found & (np.sign(across) == side))
        # Of equal p the outermost is named highest, so that no two lines cross.
        here = here[np.lexsort((np.abs(across[here]), up[here]))][-LABELS:]
        places = spread(up[here].tolist(), 0.062 * top, 0.03 * top, 0.97 * top)
        for point, place in zip(here, places, strict=True):
            axes.annotate(
                names[point],
                xy=(across[point], up[point]),
                xytext=(side * beside, place),
                ha="left" if side > 0 else "right",
                va="center",
                fontsize=8,
                color=INK,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
                arrowprops={"arrowstyle": "-", "color": QUIET, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 2},
            )
