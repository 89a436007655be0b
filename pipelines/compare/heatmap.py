"""The heat map: regions in the order of the hierarchy against brains by group, each region against its own mean."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pipelines.compare.inputs import parents
from pipelines.compare.marks import colour_of, side_text, spread
from pipelines.report.picture import INK, MUTED
from volumetric.atlas.ontology import Ontology
from volumetric.statistics.comparison import Criteria, select_columns
from volumetric.statistics.design import Design
from volumetric.statistics.level import divisions

Floats = npt.NDArray[np.float64]

DIVISIONS = 14
_COLOURS, _NORM = "RdBu_r", Normalize(-2.0, 2.0)
_ROW_IN = (0.034, 0.14)
_TALLEST_IN, _SHORTEST_IN = 9.5, 1.8
_NAMED_ROW_IN = 0.1
"""From this height of a row on, every region is named; below, only the divisions."""

_LEFT_IN, _RIGHT_IN, _TOP_IN = 1.9, 1.25, 0.6
_GAP = 0.35
"""Between groups, in columns."""


def heatmap_figure(
    dataset: xr.Dataset,
    design: Design,
    table: pd.DataFrame,
    ontology: Ontology,
    criteria: Criteria,
    *,
    found: Collection[int] = (),
) -> Figure:
    """Log density of every region with enough cells, as standard deviations from its mean over all brains.

    Args:
        dataset: all brains.
        design: the groups, the reference first.
        table: rows of `stats.csv`.
        ontology: the hierarchy, whose order the regions take.
        criteria: what was compared; the first of its hemispheres is shown.
        found: ids of regions that differ between groups, which get a mark.
    """
    side = criteria.hemispheres[0]
    one = Criteria(criteria.regions, (side,), criteria.min_count, criteria.min_coverage)
    columns = select_columns(dataset, one)
    rows = table[(table["hemisphere"] == side) & (table["mean_count"] >= criteria.min_count)]
    enough = set(rows["region_id"])
    place = {region: i for i, region in enumerate(criteria.regions)}
    shown = [r.region_id for r in ontology.in_order() if r.region_id in place and r.region_id in enough]
    z = log_density_z(columns.counts, columns.volume_mm3)[:, np.array([place[r] for r in shown], dtype=np.int64)].T
    figure, axes, layout = _canvas(len(shown), design)
    for number, name in enumerate(design.group_names):
        brains = np.flatnonzero(design.members(name))
        _block(axes, layout, z[:, brains], layout.starts[number])
        middle = layout.starts[number] + len(brains) / 2
        title = axes.text(middle, -layout.inch_down(0.08), name, ha="center", va="bottom", fontsize=9)
        title.set(fontweight="bold", color=colour_of(number))
        for i, brain in enumerate(brains):
            at = (layout.starts[number] + i + 0.5, layout.rows + layout.inch_down(0.07))
            axes.text(*at, design.brains[brain], rotation=90, ha="center", va="top", fontsize=7, color=INK)
    _name_divisions(axes, layout, shown, ontology)
    if layout.row_in >= _NAMED_ROW_IN:
        for i, region in enumerate(shown):
            acronym = axes.text(layout.across + layout.inch_across(0.09), i + 0.5, ontology[region].acronym)
            acronym.set(va="center", fontsize=6.5, color=INK)
    marked = [i + 0.5 for i, region in enumerate(shown) if region in found]
    beside = [layout.across + layout.inch_across(0.035)] * len(marked)
    axes.scatter(
        beside, marked, marker="<", s=min(14.0, (60 * layout.row_in) ** 2), color=INK, linewidths=0, clip_on=False
    )
    where = side_text(side)
    counted = f"{len(shown)} region{'s' * (len(shown) != 1)}"
    words = f"{counted} with enough cells{where}, in the order of the hierarchy; grey: not imaged"
    words += f"; triangles: {len(marked)} that differ" if marked else ""
    figure.text(0.01, 0.006, words, fontsize=7, color=MUTED, ha="left", va="bottom")
    return figure


def log_density_z(counts: Floats, volume_mm3: Floats) -> Floats:
    """Each column in standard deviations from its mean; half a cell is added so that none is no minus infinity."""
    values = np.log((counts + 0.5) / volume_mm3)
    known = np.isfinite(values)
    n = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0).sum(axis=0) / n
    sd = np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(axis=0) / n)
    z: Floats = np.divide(values - mean, sd, out=np.zeros_like(values), where=sd > 0)
    return np.where(known, z, np.nan)


@dataclass(frozen=True)
class Layout:
    """Sizes of the map: rows and columns are its data units; `starts` are the first columns of the groups."""

    rows: int
    across: float
    starts: tuple[float, ...]
    row_in: float
    column_in: float

    def inch_down(self, inches: float) -> float:
        """Inches as rows."""
        return inches / self.row_in

    def inch_across(self, inches: float) -> float:
        """Inches as columns."""
        return inches / self.column_in


def _canvas(rows: int, design: Design) -> tuple[Figure, Axes, Layout]:
    """The empty picture with its colour bar."""
    sizes = [int(design.members(name).sum()) for name in design.group_names]
    starts = tuple(float(sum(sizes[:i]) + _GAP * i) for i in range(len(sizes)))
    across = starts[-1] + sizes[-1]
    row = float(np.clip(_TALLEST_IN / max(rows, 1), *_ROW_IN))
    row = max(row, _SHORTEST_IN / max(rows, 1))
    layout = Layout(rows, across, starts, row, float(np.clip(4.6 / len(design.brains), 0.1, 0.34)))
    wide, high = layout.column_in * across, row * max(rows, 1)
    right = _RIGHT_IN + (0.55 if row >= _NAMED_ROW_IN else 0.0)
    bottom = 0.35 + 0.07 * max(len(brain) for brain in design.brains)
    width, height = _LEFT_IN + wide + right, _TOP_IN + high + bottom
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((_LEFT_IN / width, bottom / height, wide / width, high / height))
    axes.set_axis_off()
    left_in, low_in = width - 1.1, height - _TOP_IN - 1.6
    bar = figure.add_axes((left_in / width, low_in / height, 0.13 / width, 1.5 / height))
    figure.colorbar(ScalarMappable(_NORM, _COLOURS), cax=bar, extend="both", ticks=[-2, -1, 0, 1, 2])
    bar.tick_params(labelsize=7.5, length=3, colors=INK)
    bar.set_title("log density,\nSD from the\nregion's mean", fontsize=7, color=INK, loc="left", pad=9)
    axes.set_xlim(0, across)
    axes.set_ylim(max(rows, 1), 0)
    return figure, axes, layout


def _block(axes: Axes, layout: Layout, z: Floats, start: float) -> None:
    """The cells of one group; grey where a brain was left out."""
    size = z.shape[1]
    axes.add_patch(Rectangle((start, 0), size, layout.rows, facecolor="#dfe3e8", zorder=0))
    if z.size:
        extent = (start, start + size, layout.rows, 0.0)
        axes.imshow(z, cmap=_COLOURS, norm=_NORM, extent=extent, aspect="auto", interpolation="nearest")
    axes.set_xlim(0, layout.across)
    axes.set_ylim(max(layout.rows, 1), 0)


def _name_divisions(axes: Axes, layout: Layout, regions: list[int], ontology: Ontology) -> None:
    """Large parts of the brain as brackets at the left, their names apart from each other."""
    part = divisions(parents(ontology), regions, DIVISIONS)
    blocks, start = [], 0
    for division, members in groupby(regions, key=part.__getitem__):
        size = len(list(members))
        blocks.append((ontology[division], start, start + size))
        start += size
    middles = [(first + last) / 2 for _, first, last in blocks]
    places = spread(middles, layout.inch_down(0.135), layout.inch_down(0.06), layout.rows)
    x, far = -layout.inch_across(0.06), -layout.inch_across(0.2)
    for (region, first, last), middle, place in zip(blocks, middles, places, strict=True):
        inset = min(0.15, 0.1 * (last - first))
        bracket = axes.plot([x, x], [first + inset, last - inset], color=MUTED, linewidth=1.6, clip_on=False)
        bracket[0].set_solid_capstyle("butt")
        axes.plot([x, far], [middle, place], color=MUTED, linewidth=0.5, clip_on=False)
        text = region.name if len(region.name) <= 26 else region.acronym
        axes.text(far - layout.inch_across(0.03), place, text, ha="right", va="center", fontsize=7.5, color=INK)
