"""The three passes of `tiles`: one brightness for the brain, tiles cut and judged, data sets dealt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.report.picture import render
from pipelines.tiles.config import Config
from pipelines.tiles.figure import Scene, overview_figure
from pipelines.tiles.labels import Labels
from pipelines.tiles.tables import COLUMNS, sets_table, summary, with_sets
from volumetric.atlas.selection import owners
from volumetric.atlas.sides import HEMISPHERES
from volumetric.blocks.plan import Facts
from volumetric.blocks.telling import tell
from volumetric.geometry.box import Box, Index3
from volumetric.geometry.grid import Block, BlockGrid
from volumetric.storage.atomic import read_json, replacing, write_json
from volumetric.storage.parts import TableParts
from volumetric.storage.png import write_png
from volumetric.storage.tables import write_csv, write_table
from volumetric.storage.volume import Volume
from volumetric.tiles.belonging import belonging, named
from volumetric.tiles.grid import TileGrid, tiles_in
from volumetric.tiles.normalisation import Normalisation, patch, spread
from volumetric.tiles.quality import judge
from volumetric.tiles.sets import choose, deal, sets_needed

Image = npt.NDArray[Any]


@dataclass(frozen=True)
class Placed:
    """A tile that belongs to a region: its place in the grid, region, share of its pixels there, side."""

    index: Index3
    region_id: int
    share: float
    hemisphere: str


@dataclass(frozen=True)
class Job:
    """Everything the passes need; small and picklable.

    Args:
        volume, channel: what is cut.
        labels: the brain's registration.
        grid: where tiles may lie.
        name: of the brain.
        config: the settings.
        out: the folder of results.
        work: that of the ledger and the parts of the table.
    """

    volume: Volume
    channel: int
    labels: Labels
    grid: TileGrid
    name: str
    config: Config
    out: Path
    work: Path

    @property
    def parts(self) -> TableParts:
        return TableParts(self.work / "parts")

    @property
    def images(self) -> Path:
        return self.out / "tiles"

    @cached_property
    def owners(self) -> dict[int, int]:
        """Region of the atlas -> the named one that it lies in."""
        return owners(self.labels.brain.atlas.ontology, self.config.regions)

    def normalise(self) -> Facts:
        """Find black and white of the whole brain, and store them."""
        places = spread(self.volume.shape, self.volume.space)
        inside = self.labels.brain.assign(self.volume.space.to_um(places)).in_atlas
        pixels = [np.empty(0, self.volume.dtype)]
        for number, place in enumerate(places[inside]):
            tell(number, int(inside.sum()))
            box = patch(place, self.volume.shape)
            pixels.append(self.volume.read(box, channel=self.channel).ravel())
        values = np.concatenate(pixels)
        found = Normalisation.fit(values, self.config.black, self.config.white)
        record = {
            "black": found.black,
            "white": found.white,
            "black_quantile": self.config.black,
            "white_quantile": self.config.white,
            "pixels": len(values),
            "channel": self.volume.channels[self.channel],
            "shown_as": "floor(255 * clip((grey - black) / (white - black), 0, 1) + 0.5)",
        }
        write_json(self.out / "normalisation.json", record)
        return record

    @property
    def normalisation(self) -> Normalisation:
        """What the first pass found."""
        stored = read_json(self.out / "normalisation.json")
        return Normalisation(stored["black"], stored["white"])

    def placed(self, part: Box) -> list[Placed]:
        """The tiles of a part of the grid that belong to a region, in order; looked up, nothing is read."""
        indices = list(tiles_in(part))
        points = np.concatenate([self.grid.points(index) for index in indices])
        found = self.labels.brain.assign(self.volume.space.to_um(points))
        regions = named(found.region_id, self.owners).reshape(len(indices), -1)
        own = belonging(regions, found.hemisphere.reshape(regions.shape), self.config.least_share)
        return [
            Placed(indices[i], int(own.region_id[i]), float(own.share[i]), HEMISPHERES[int(own.hemisphere[i])])
            for i in np.flatnonzero(own.region_id)
        ]

    def read(self, part: Box) -> Image:
        """The tiles of a row of the grid that belong to a region, (n, y, x).

        The row is read once, from the first of them to the last: nothing of it is decoded twice.
        """
        boxes = [self.grid.box(tile.index) for tile in self.placed(part)]
        if not boxes:
            return np.empty((0, self.grid.size, self.grid.size), self.volume.dtype)
        band = Box(boxes[0].start, boxes[-1].stop)
        row = self.volume.read(band, channel=self.channel)
        return np.concatenate([row[box.relative_to(band).slices] for box in boxes])

    def cut(self, block: Block, arrays: Mapping[str, Image]) -> dict[str, Any]:
        """The tiles of a row as rows of the table, and the images of those that are fit."""
        rows, fit, normalisation = [], {}, self.normalisation
        for tile, image in zip(self.placed(block.write), arrays["tiles"], strict=True):
            shown = normalisation.to_8bit(image)
            quality = judge(shown, self.config.rule)
            row = self._row(tile)
            row |= {name: value for name, value in vars(quality).items() if name != "reasons"}
            rows.append(row | {"accepted": not quality.reasons, "reason": " ".join(quality.reasons)})
            if not quality.reasons:
                fit[row["tile"]] = shown
        return {"images": fit, "tiles": pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)}

    def _row(self, tile: Placed) -> dict[str, Any]:
        first = self.grid.box(tile.index).start
        place = dict(zip(("z_vox", "y_vox", "x_vox"), first, strict=True))
        um = dict(zip(("z_um", "y_um", "x_um"), self.volume.space.to_um([first])[0], strict=True))
        return {
            "tile": f"{self.name}_{self.grid.name(tile.index)}",
            "brain": self.name,
            **place,
            **um,
            "size_px": self.grid.size,
            "region_id": tile.region_id,
            "acronym": self.labels.brain.atlas.ontology[tile.region_id].acronym,
            "share": tile.share,
            "hemisphere": tile.hemisphere,
        }

    def write_images(self, _: Block, images: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        """Store the images of a row."""
        for name, image in images.items():
            write_png(self.images / f"{name}.png", image)

    @property
    def scene(self) -> Scene:
        """What the picture shows beside the tiles."""
        return Scene(self.volume, self.channel, self.labels.brain, self.owners, self.normalisation)

    def deal(self, rows: BlockGrid) -> Facts:
        """Deal the fit tiles out to data sets; write the tables and the picture."""
        config = self.config
        tiles = pd.concat([part for _, part in self.parts.slabs(rows)], ignore_index=True)
        fit = tiles.index[tiles["accepted"]].to_numpy()
        rng = np.random.default_rng(config.seed)
        control, main = choose(tiles.loc[fit, "region_id"].tolist(), config.quality_control, config.per_region, rng)
        count = config.sets or sets_needed(len(main), config.redundancy, config.set_size)
        sets = deal([int(fit[i]) for i in main], [int(fit[i]) for i in control], count, config.redundancy, rng)
        table = with_sets(tiles, sets)
        self.images.mkdir(parents=True, exist_ok=True)
        spacing = dict(zip(("z_um", "y_um", "x_um"), self.volume.space.spacing_um, strict=True))
        write_csv(self.images / "tiles.csv", table.loc[fit, ["tile", "brain"]].assign(**spacing))
        write_csv(self.out / "sets.csv", sets_table(table, sets))
        ontology = self.labels.brain.atlas.ontology
        regions = summary(table, {i: ontology[i].acronym for i in self.owners.values()})
        figure = overview_figure(table, regions, self.scene)
        with replacing(self.out / "overview.png") as temporary:
            temporary.write_bytes(render(figure, "png"))
        write_table(self.out / "tiles.parquet", table)
        return {
            "regions": regions.to_dict("records"),
            "sets": len(sets.main),
            "quality_control": len(sets.quality_control),
            "main": len(main),
            "main_sizes": [min(map(len, sets.main)), max(map(len, sets.main))],
        }
