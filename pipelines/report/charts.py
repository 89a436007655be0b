"""Histograms of the cells: what a detector got wrong often shows here first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipelines.report.picture import ACCENT, ALARM, INK, MUTED, plain_axes, thousands

Floats = npt.NDArray[np.float64]
BINS = 50


def histogram_figure(columns: Mapping[str, Floats], width_in: float, alarm: bool) -> Figure:
    """Histograms of columns side by side.

    Args:
        columns: axis label -> values; null values are left out, and a column without any says so.
        width_in: of the figure, in inches.
        alarm: counts in red.
    """
    figure = Figure(figsize=(width_in, 2.3), layout="constrained")
    row = figure.subplots(1, len(columns), squeeze=False)[0]
    for axes, (label, values) in zip(row, columns.items(), strict=True):
        _histogram(axes, values[np.isfinite(values)])
        _label(axes, label, "cells", alarm)
    return figure


def slices_figure(per_slice: npt.NDArray[np.int64], width_in: float, alarm: bool) -> Figure:
    """Cells of every slice, from the first to the last."""
    figure = Figure(figsize=(width_in, 2.1), layout="constrained")
    axes = figure.add_subplot()
    edges = np.arange(len(per_slice) + 1) - 0.5
    axes.stairs(per_slice, edges, fill=True, color=ACCENT, alpha=0.85)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    _label(axes, "slice (z)", "cells", alarm)
    return figure


def empty_slices(per_slice: npt.NDArray[np.int64]) -> int:
    """Slices without any cell between the first and the last that has one."""
    filled = np.flatnonzero(per_slice)
    return int(filled[-1] - filled[0] + 1 - len(filled)) if len(filled) else 0


def _histogram(axes: Axes, values: Floats) -> None:
    if len(values) == 0:
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", va="center", color=MUTED, fontsize=9)
        return
    whole = bool(np.all(values == np.round(values))) and np.ptp(values) < BINS
    if whole:
        edges = np.arange(values.min() - 0.5, values.max() + 1)
    else:
        low, high = np.quantile(values, [0, 0.999])
        edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    # What lies beyond the last edge is counted in the last bin, so that the bars add up to all cells.
    heights = np.histogram(np.minimum(values, edges[-1]), edges)[0]
    share = 0.8 if whole else 1.0
    axes.bar((edges[1:] + edges[:-1]) / 2, heights, width=share * np.diff(edges), color=ACCENT, alpha=0.85)
    if whole:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _label(axes: Axes, across: str, up: str, alarm: bool) -> None:
    axes.set_xlabel(across, fontsize=8, color=INK)
    axes.set_ylabel(up, fontsize=8, color=INK)
    axes.yaxis.set_major_formatter(thousands)
    plain_axes(axes)
    axes.tick_params(axis="y", colors=ALARM if alarm else MUTED)
