"""Every brain as a dot: densities of a few regions by group, with mean and 95% interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from scipy import stats

from pipelines.compare.marks import TEST_NAMES, colour_of, number_text, side_text
from pipelines.report.picture import INK, MUTED, plain_axes, thousands
from volumetric.statistics.comparison import FEWEST_BRAINS, Criteria, select_columns
from volumetric.statistics.design import Design

_COLUMNS = 4
_WIDTH_IN, _HEIGHT_IN = 2.45, 2.35


def dots_figure(
    dataset: xr.Dataset,
    design: Design,
    table: pd.DataFrame,
    criteria: Criteria,
    test: str,
) -> Figure:
    """One panel for each region of the criteria, of their first hemisphere; beside its name the smallest q."""
    side, regions = criteria.hemispheres[0], criteria.regions
    densities = select_columns(dataset, replace(criteria, hemispheres=(side,))).density
    columns = min(_COLUMNS, max(len(regions), 1))
    rows = max(-(-len(regions) // columns), 1)
    figure = Figure(
        figsize=(_WIDTH_IN * columns, _HEIGHT_IN * rows + 0.35), layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.08)
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, region, values in zip(grid.ravel(), regions, densities.T, strict=False):
        _panel(axes, values, design)
        part = table[(table["region_id"] == region) & (table["hemisphere"] == side)]
        q = part[f"{test}_q"].min()
        first = part.iloc[0]
        axes.set_title(f"{first['acronym']}", fontsize=9.5, loc="left", color=INK, fontweight="bold")
        axes.set_title(f"q {number_text(q)}" if np.isfinite(q) else "not tested", fontsize=8, loc="right", color=MUTED)
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel("cells per mm³", fontsize=8, color=INK)
    for axes in grid.ravel()[len(regions) :]:
        axes.set_visible(False)
    where = side_text(side)
    words = (f"a dot is a brain{where}", "bar: mean with its 95% interval", f"q of the {TEST_NAMES[test]} test")
    figure.supxlabel(("; " if columns > 2 else "\n").join(words), fontsize=7.5, color=MUTED)
    return figure


def _panel(axes: Axes, values: npt.NDArray[np.float64], design: Design) -> None:
    plain_axes(axes)
    top = float(np.nanmax(values, initial=0.0))
    for number, name in enumerate(design.group_names):
        dots = values[design.members(name)]
        dots = np.sort(dots[np.isfinite(dots)])
        # Side by side in turns, so that equal values can be told apart.
        aside = 0.14 * np.array([(-1) ** i * (i % 3) / 2 for i in range(len(dots))])
        axes.scatter(number + aside, dots, s=22, color=colour_of(number), alpha=0.75, linewidths=0, zorder=3)
        if len(dots) == 0:
            continue
        axes.plot([number + 0.24, number + 0.46], [dots.mean()] * 2, color=INK, linewidth=2, zorder=4)
        if len(dots) >= FEWEST_BRAINS:
            half = stats.t.ppf(0.975, len(dots) - 1) * dots.std(ddof=1) / np.sqrt(len(dots))
            ends = [max(dots.mean() - half, 0), dots.mean() + half]
            top = max(top, ends[1])
            axes.plot([number + 0.35] * 2, ends, color=INK, linewidth=1, zorder=4)
    axes.set_xlim(-0.5, len(design.group_names) - 0.3)
    axes.set_ylim(0, 1.08 * max(top, 1e-9))
    axes.set_xticks(range(len(design.group_names)), design.group_names, fontsize=8)
    for number, label in enumerate(axes.get_xticklabels()):
        label.set_color(colour_of(number))
    axes.yaxis.set_major_formatter(thousands)
    axes.locator_params(axis="y", nbins=4)
