"""The heat map: regions in the order of the hierarchy against brains by group, each region against its own mean."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pipelines.compare.inputs import parents
from pipelines.compare.marks import colour_of, spread
from pipelines.report.picture import INK, MUTED
from volumetric.atlas.ontology import Ontology
from volumetric.statistics.comparison import Criteria, select_columns
from volumetric.statistics.design import Design
from volumetric.statistics.level import divisions

Floats = npt.NDArray[np.float64]

DIVISIONS = 14
LARGEST_Z = 2.0
_ROW_IN = (0.034, 0.14)
_TALLEST_IN = 9.5
_NAMED_ROW_IN = 0.1
"""From this height of a row on, every region is named; below, only the divisions."""

_LEFT_IN, _RIGHT_IN, _TOP_IN, _BOTTOM_IN = 1.9, 1.25, 0.6, 1.15
_GAP = 0.35
"""Between groups, in columns."""


def heatmap_figure(
    dataset: xr.Dataset, design: Design, table: pd.DataFrame, ontology: Ontology, criteria: Criteria
) -> Figure:
    """Log density of every region with enough cells, as standard deviations from its mean over all brains.

    Args:
        dataset: all brains.
        design: the groups, the reference first.
        table: rows of `stats.csv`.
        ontology: the hierarchy, whose order the regions take.
        criteria: what was compared; the first of its hemispheres is shown.
    """
    side = criteria.hemispheres[0]
    one = Criteria(criteria.regions, (side,), criteria.min_count, criteria.min_coverage)
    columns = select_columns(dataset, one)
    rows = table[(table["hemisphere"] == side) & (table["mean_count"] >= criteria.min_count)]
    enough = set(rows["region_id"])
    place = {region: i for i, region in enumerate(criteria.regions)}
    shown = [region.region_id for region in ontology.in_order() if region.region_id in enough & set(place)]
    order = np.concatenate([np.flatnonzero(design.members(name)) for name in design.group_names])
    z = log_density_z(columns.counts, columns.volume_mm3)[
        np.ix_(order, np.array([place[region] for region in shown], dtype=np.int64))
    ]
    return _draw(z.T, [design.brains[i] for i in order], design, shown, ontology, side)


def log_density_z(counts: Floats, volume_mm3: Floats) -> Floats:
    """Each column in standard deviations from its mean; half a cell is added so that none is no minus infinity."""
    values = np.log((counts + 0.5) / volume_mm3)
    known = np.isfinite(values)
    n = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0).sum(axis=0) / n
    sd = np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(axis=0) / n)
    z: Floats = np.divide(values - mean, sd, out=np.zeros_like(values), where=sd > 0)
    return np.where(known, z, np.nan)


def _draw(z: Floats, brains: list[str], design: Design, regions: list[int], ontology: Ontology, side: str) -> Figure:
    count = max(len(regions), 1)
    row = float(np.clip(_TALLEST_IN / count, *_ROW_IN))
    sizes = [int(design.members(name).sum()) for name in design.group_names]
    column = float(np.clip(4.6 / len(brains), 0.1, 0.34))
    across = len(brains) + _GAP * (len(sizes) - 1)
    named = row >= _NAMED_ROW_IN
    high = max(row * count, 2.4)
    right = _RIGHT_IN + 0.55 * named
    width, height = _LEFT_IN + column * across + right, _TOP_IN + high + _BOTTOM_IN
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes(
        (_LEFT_IN / width, _BOTTOM_IN / height, column * across / width, high / height), facecolor="white"
    )
    axes.set_xlim(0, across)
    axes.set_ylim(count, 0)
    norm = Normalize(-LARGEST_Z, LARGEST_Z)
    start, image = 0.0, None
    for number, (name, size) in enumerate(zip(design.group_names, sizes, strict=True)):
        first = sum(sizes[:number])
        block = z[:, first : first + size]
        extent = (start, start + size, count, 0.0)
        axes.add_patch(Rectangle((start, 0), size, count, facecolor="#dfe3e8", zorder=0))
        image = axes.imshow(block, cmap="RdBu_r", norm=norm, extent=extent, aspect="auto", interpolation="nearest")
        axes.text(
            *(start + size / 2, -0.08 / high * count, name),
            ha="center",
            va="bottom",
            fontsize=9,
            fontweight="bold",
            color=colour_of(number),
        )
        for i in range(size):
            axes.text(
                *(start + i + 0.5, count * (1 + 0.07 / high), brains[first + i]),
                rotation=90,
                ha="center",
                va="top",
                fontsize=7,
                color=INK,
            )
        start += size + _GAP
    axes.set_xlim(0, across)
    axes.set_ylim(count, 0)
    axes.set_axis_off()
    _name_divisions(axes, regions, ontology, (high, column))
    if named:
        for i, region in enumerate(regions):
            axes.text(across + 0.06 / column, i + 0.5, ontology[region].acronym, va="center", fontsize=6.5, color=INK)
    bar = figure.add_axes(
        ((width - right + 0.15 + 0.8 * named) / width, (height - _TOP_IN - 1.6) / height, 0.13 / width, 1.5 / height)
    )
    if image is not None:
        figure.colorbar(image, cax=bar, extend="both", ticks=[-2, -1, 0, 1, 2])
    bar.tick_params(labelsize=7.5, length=3, colors=INK)
    bar.set_title("log density,\nSD from the\nregion's mean", fontsize=7, color=INK, loc="left", pad=9)
    where = "" if side == "both" else f", {side} hemisphere"
    words = f"{len(regions)} regions with enough cells{where}, front to back of the hierarchy; grey: not imaged"
    figure.text(0.01, 0.012, words, fontsize=7, color=MUTED, ha="left", va="bottom")
    return figure


def _name_divisions(axes: Axes, regions: list[int], ontology: Ontology, inch: tuple[float, float]) -> None:
    """Large parts of the brain as brackets at the left, their names apart from each other."""
    high, column = inch
    part = divisions(parents(ontology), regions, DIVISIONS)
    blocks, start = [], 0
    for division, members in groupby(regions, key=part.__getitem__):
        size = len(list(members))
        blocks.append((division, start, start + size))
        start += size
    count = max(len(regions), 1)
    middles = [(first + last) / 2 for _, first, last in blocks]
    places = spread(middles, 0.135 / high * count, 0.06 / high * count, count)
    for (division, first, last), middle, place in zip(blocks, middles, places, strict=True):
        x = -0.06 / column
        inset = min(0.15, 0.1 * (last - first))
        axes.plot(
            [x, x], [first + inset, last - inset], color=MUTED, linewidth=1.6, clip_on=False, solid_capstyle="butt"
        )
        axes.plot([x, -0.2 / column], [middle, place], color=MUTED, linewidth=0.5, clip_on=False)
        name = ontology[division].name
        text = name if len(name) <= 26 else ontology[division].acronym
        axes.text(-0.23 / column, place, text, ha="right", va="center", fontsize=7.5, color=INK)
