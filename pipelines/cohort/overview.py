"""The cohort at a look: the atlas on every brain, and the density of cells by region and brain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import imread

from pipelines.cohort.brains import Brain
from pipelines.report.picture import INK, MUTED, render
from pipelines.report.regions import read_regions
from volumetric.atlas.registered import QUALITY
from volumetric.statistics.level import cut, default_depth
from volumetric.storage.atomic import read_json, remove, replacing

WIDTH_IN, MARGIN_IN = 11.0, 0.2
ACROSS = 3
"""Pictures of brains in a row."""

MOST_REGIONS = 40
LONGEST_NAME = 46
"""Letters beside the map."""

_TITLE_IN, _ROW_IN, _FOOT_IN = 0.3, 0.15, 0.9
_DECADES = 3
"""Of the colours, below the highest density."""


def write_overview(brains: Sequence[Brain], out: Path) -> None:
    """Write `overview.png` of the brains that are done; without any there is none."""
    finished = [brain for brain in brains if brain.state == "done"]
    if finished:
        with replacing(out / "overview.png") as temporary:
            temporary.write_bytes(render(overview_figure(finished), "png"))
    else:
        remove(out / "overview.png")


def overview_figure(brains: Sequence[Brain]) -> Figure:
    """Finished brains in the order of the sheet.

    The picture of each registration, small, with what was counted; below, cells per mm3 in the regions with most cells.
    Brains with another atlas than the first are in the pictures alone.
    """
    pictures = [imread(brain.run.registration / "overlay.png") for brain in brains]
    table = density_table(brains)
    wide = (WIDTH_IN - MARGIN_IN * (ACROSS + 1)) / ACROSS
    high = wide * max(image.shape[0] / image.shape[1] for image in pictures)
    rows = -(-len(brains) // ACROSS)
    map_in = _ROW_IN * len(table)
    height = rows * (high + _TITLE_IN) + _TITLE_IN + map_in + _FOOT_IN
    figure = Figure(figsize=(WIDTH_IN, height), facecolor="white")
    for number, (brain, image) in enumerate(zip(brains, pictures, strict=True)):
        down, across = divmod(number, ACROSS)
        left, top = MARGIN_IN + across * (wide + MARGIN_IN), (down + 1) * (high + _TITLE_IN)
        axes = figure.add_axes((left / WIDTH_IN, 1 - top / height, wide / WIDTH_IN, high / height))
        axes.imshow(image, interpolation="antialiased")
        axes.set_anchor("N")
        axes.set_axis_off()
        axes.set_title(_title(brain), fontsize=8, loc="left", pad=3, color=INK)
    names_in = 2.6
    left, low = MARGIN_IN + names_in, _FOOT_IN
    across_in = min(0.45 * table.shape[1], WIDTH_IN - left - 1.2)
    axes = figure.add_axes((left / WIDTH_IN, low / height, across_in / WIDTH_IN, map_in / height))
    bar = figure.add_axes(
        ((left + across_in + 0.2) / WIDTH_IN, low / height, 0.13 / WIDTH_IN, min(map_in, 1.6) / height)
    )
    _density_map(axes, bar, table)
    return figure


def density_table(brains: Sequence[Brain]) -> pd.DataFrame:
    """Cells per mm3 in regions (rows, by name) of brains (columns).

    Of the level that `compare` takes, the `MOST_REGIONS` regions with most cells of all brains, in the order of the
    hierarchy.
    """
    atlases = [read_json(brain.run.registration / QUALITY)["atlas"]["name"] for brain in brains]
    alike = [brain for brain, name in zip(brains, atlases, strict=True) if name == atlases[0]]
    tables = {
        brain.name: read_regions(brain.run.regions).query("hemisphere == 'both'").set_index("region_id")
        for brain in alike
    }
    first = next(iter(tables.values()))
    parents = {
        int(region): None if pd.isna(parent) else int(parent)
        for region, parent in zip(first.index.to_numpy(), first["parent_id"], strict=True)
    }
    level = list(cut(parents, default_depth(parents)))
    cells = pd.DataFrame({brain: table["count"].reindex(level) for brain, table in tables.items()}).sum(axis=1)
    most = set(cells.nlargest(MOST_REGIONS).index)
    shown = [region for region in level if region in most]
    density = {brain: table["density_per_mm3"].reindex(shown).to_numpy() for brain, table in tables.items()}
    labels = [_label(str(first.at[region, "name"]), str(first.at[region, "acronym"])) for region in shown]
    return pd.DataFrame(density, index=pd.Index(labels, name="region"))


def _label(name: str, acronym: str) -> str:
    """A region's name; its acronym in place of what is too long, so that no two are alike."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - len(acronym) - 2].rstrip()}… {acronym}"


def _title(brain: Brain) -> str:
    record = read_json(brain.run.record)
    group = brain.row.others.get("group", "")
    return f"{brain.name}{f' ({group})' * bool(group)}: {record['cells']['in_atlas']:,} cells, {record['verdict']}"


def _density_map(axes: Axes, bar: Axes, table: pd.DataFrame) -> None:
    """Colours in decades; grey where a region was not imaged, the darkest where it holds no cell."""
    density: npt.NDArray[np.float64] = table.to_numpy(np.float64)
    known = density[np.isfinite(density) & (density > 0)]
    highest = float(known.max()) if known.size else 1.0
    lowest = highest / 10**_DECADES
    norm = LogNorm(lowest, highest, clip=True)
    shown = np.where(density == 0, lowest, density)
    axes.set_facecolor("#dfe3e8")
    image = axes.imshow(shown, cmap="magma", norm=norm, aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(table)), list(table.index), fontsize=6.5, color=INK)
    axes.set_xticks(range(table.shape[1]), [str(name) for name in table.columns], fontsize=7, rotation=90, color=INK)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    assert axes.figure is not None
    axes.figure.colorbar(image, cax=bar)
    bar.tick_params(labelsize=7, length=2, colors=MUTED)
    bar.set_title("cells per mm³", fontsize=7, color=INK, loc="left", pad=6)
