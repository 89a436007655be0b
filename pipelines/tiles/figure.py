"""The picture of a cutting: where the tiles lie, how many each region has, what kept and rejected ones look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle

from pipelines.report.picture import MUTED, plain_axes
from pipelines.report.planes import borders, draw_borders, plane_level
from volumetric.atlas.label_view import labels_in
from volumetric.atlas.registered import RegisteredBrain
from volumetric.geometry.box import Box
from volumetric.storage.volume import Volume
from volumetric.tiles.belonging import named
from volumetric.tiles.normalisation import Normalisation
from volumetric.tiles.sets import QUALITY_CONTROL

PALETTE = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#0072b2", "#d55e00")
"""Of Okabe and Ito: distinct for all kinds of colour vision. With more regions they come again."""

PLANES, COLUMNS, EXAMPLES = 8, 4, 5
WIDTH_IN = 13.0


@dataclass(frozen=True)
class Scene:
    """What is shown beside the tiles.

    Args:
        volume, channel: that they were cut from.
        brain: its registration.
        owners: region of the atlas -> the named one that it lies in.
        normalisation: of the tiles.
    """

    volume: Volume
    channel: int
    brain: RegisteredBrain
    owners: Mapping[int, int]
    normalisation: Normalisation

    @property
    def colours(self) -> dict[int, tuple[float, float, float]]:
        """Of the named regions."""
        ids = dict.fromkeys(self.owners.values())
        return {region: to_rgb(PALETTE[number % len(PALETTE)]) for number, region in enumerate(ids)}


def overview_figure(tiles: pd.DataFrame, regions: pd.DataFrame, scene: Scene) -> Figure:
    """Slices with their tiles above; below, the numbers of each region and examples.

    Args:
        tiles: the table of tiles with their roles.
        regions: the summary, one row a region.
        scene: brain and image.
    """
    slices = _evenly(sorted(set(tiles["z_vox"])), PLANES)
    rows = max(1, -(-len(slices) // COLUMNS))
    height, width = scene.volume.space.extent_um(scene.volume.shape)[1:]
    tall = rows * (WIDTH_IN / COLUMNS * height / width + 0.3) + 0.4
    below = max(3.8, 0.3 * len(regions) + 1.5)
    figure = Figure(figsize=(WIDTH_IN, tall + below), layout="constrained")
    upper, lower = np.asarray(figure.subfigures(2, 1, height_ratios=[tall, below]))
    upper.suptitle(
        "filled: kept; crossed: rejected; white frame: quality control; lines: borders of the regions", fontsize=9
    )
    grid = upper.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, z in zip(grid, slices, strict=False):
        _draw_slice(axes, z, tiles[tiles["z_vox"] == z], scene)
    left, right = np.asarray(lower.subfigures(1, 2, width_ratios=[1, 2]))
    _draw_counts(left.subplots(), regions, scene)
    _draw_examples(right, tiles, scene)
    return figure


def _evenly(values: list[int], count: int) -> list[int]:
    """At most `count` of the values, evenly spread."""
    if len(values) <= count:
        return values
    return [values[i] for i in np.linspace(0, len(values) - 1, count).round().astype(int)]


def _draw_slice(axes: Axes, z: int, own: pd.DataFrame, scene: Scene) -> None:
    """A coarse slice, in um, as bright as the tiles."""
    stored = scene.volume.levels[plane_level(scene.volume)]
    space = stored.space
    z_um = scene.volume.space.to_um([(z, 0, 0)])[0, 0]
    near = int(np.clip(round((z_um - space.origin_um[0]) / space.spacing_um[0]), 0, stored.shape[0] - 1))
    box = Box((near, 0, 0), (near + 1, *stored.shape[1:]))
    plane = scene.volume.read(box, plane_level(scene.volume), scene.channel)[0]
    low, high = space.to_um([(near, -0.5, -0.5), (near, plane.shape[0] - 0.5, plane.shape[1] - 0.5)])[:, 1:]
    axes.imshow(
        scene.normalisation.to_8bit(plane), cmap="gray", vmin=0, vmax=255, extent=(low[1], high[1], high[0], low[0])
    )
    regions = named(labels_in(scene.brain, box, space)[0], scene.owners)
    draw_borders(axes, borders(regions, space.spacing_um[1:], space.origin_um[1:]), scene.colours)
    y_um, x_um = scene.volume.space.spacing_um[1:]
    for row in own.to_dict("records"):
        colour = scene.colours[row["region_id"]]
        height, width = row["size_px"] * y_um, row["size_px"] * x_um
        corner = row["x_um"] - x_um / 2, row["y_um"] - y_um / 2
        axes.add_patch(
            Rectangle(
                corner,
                width,
                height,
                facecolor=(*colour, 0.3) if row["accepted"] else "none",
                edgecolor=colour,
                linewidth=0.6,
                hatch=None if row["accepted"] else "xx",
            )
        )
        if row["role"] == QUALITY_CONTROL:
            axes.add_patch(Rectangle(corner, width, height, facecolor="none", edgecolor="white", linewidth=1.6))
    kept = int(own["accepted"].sum())
    axes.set_title(f"slice {z}: {kept} of {len(own)} kept", fontsize=8, loc="left", pad=3)


def _draw_counts(axes: Axes, regions: pd.DataFrame, scene: Scene) -> None:
    """Kept and rejected tiles of each region."""
    at = range(len(regions))
    axes.barh(at, regions["kept"], color=list(scene.colours.values()))
    axes.barh(
        at, regions["rejected"], left=regions["kept"], facecolor="none", edgecolor=MUTED, hatch="xxx", linewidth=0.6
    )
    for place, row in zip(at, regions.to_dict("records"), strict=True):
        axes.text(row["cut"], place, f" {row['kept']} of {row['cut']}", va="center", fontsize=8)
    axes.set_yticks(at, regions["region"].tolist())
    axes.invert_yaxis()
    axes.set_xlim(0, 1.3 * max(1, int(regions["cut"].max())))
    axes.set_xlabel("tiles, kept of cut", fontsize=8)
    plain_axes(axes)


def _draw_examples(figure: SubFigure, tiles: pd.DataFrame, scene: Scene) -> None:
    """A row of quality-control tiles, and one of rejected ones of different reasons, as workers would see them."""
    control = tiles[tiles["role"] == QUALITY_CONTROL].drop_duplicates("region_id")
    rejected = tiles[~tiles["accepted"]]
    order = rejected.groupby("reason").cumcount().sort_values(kind="stable").index
    rows = [
        [(row, f"{row['acronym']}, kept") for row in control.head(EXAMPLES).to_dict("records")],
        [(row, f"{row['acronym']}, {row['reason']}") for row in rejected.loc[order].head(EXAMPLES).to_dict("records")],
    ]
    for axes_row, shown in zip(figure.subplots(2, EXAMPLES, squeeze=False), rows, strict=True):
        for axes in axes_row:
            axes.set_axis_off()
        for axes, (row, title) in zip(axes_row, shown, strict=False):
            start = (row["z_vox"], row["y_vox"], row["x_vox"])
            box = Box(start, (start[0] + 1, start[1] + row["size_px"], start[2] + row["size_px"]))
            image = scene.normalisation.to_8bit(scene.volume.read(box, channel=scene.channel)[0])
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            axes.set_title(title, fontsize=7, pad=2)
