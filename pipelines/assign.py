"""Assign: every cell its region, every region its numbers.

Inputs: cells without regions, a registration folder, the atlas. Output: `cells.parquet` and `regions.csv`. Cells are
looked up at full resolution through the smooth map, in pieces; region volumes are measured in the sample's space.
Capacity: a quarter of a million whole rows at a time, and thirteen bytes a cell for the table of regions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.register import read_quality
from volumetric.atlas.atlas import HEMISPHERES, Atlas
from volumetric.atlas.counts import measure_extent, region_table
from volumetric.atlas.labels import Assignment, assign, labels_on_grid
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import InputError, VolumetricError
from volumetric.geometry.space import Um3, VoxelSpace, um3
from volumetric.points.table import ordered
from volumetric.storage.tables import iterate_table, table_metadata, write_csv, write_pieces
from volumetric.storage.transforms import read_map

VERSION = 1
PIECE_ROWS = 250_000
BYTES_PER_ATLAS_VOXEL = 120
"""Both maps on their grids, labels and masks: an upper estimate from their types, not measured."""


@dataclass(frozen=True)
class Job:
    """Everything the passes need."""

    detections: Path
    registration: Path
    atlas: Atlas
    out: Path
    identity: str

    def cells(self) -> Mapping[str, Any]:
        """Write the cells with their regions."""
        rows = write_pieces(self.out / "cells.parquet", self._assigned(), {"identity": self.identity})
        return {"cells": rows}

    def _assigned(self) -> Iterator[pd.DataFrame]:
        there = read_map(self.registration / "sample_to_atlas.zarr")
        for piece in iterate_table(self.detections, PIECE_ROWS):
            found = assign(piece[["z_um", "y_um", "x_um"]].to_numpy(np.float64), there, self.atlas)
            yield ordered(piece.assign(**self._columns(found)))

    def _columns(self, found: Assignment) -> dict[str, npt.NDArray[Any]]:
        inside = found.in_atlas
        acronyms = {region.region_id: region.acronym for region in self.atlas.ontology.regions}
        names = [acronyms[int(i)] if i else None for i in found.region_id]
        sides = [HEMISPHERES[int(s)] if ok else None for s, ok in zip(found.hemisphere, inside, strict=True)]
        places = {
            f"atlas_{axis}_um": np.where(inside, found.atlas_um[:, number], np.nan) for number, axis in enumerate("zyx")
        }
        return {
            "region_id": found.region_id,
            "acronym": np.array(names, dtype=object),
            "hemisphere": np.array(sides, dtype=object),
            "in_atlas": inside,
            **places,
        }

    def regions(self) -> Mapping[str, Any]:
        """Write the table of regions; returns the sums, which reconcile or the step fails."""
        codes = {name: code for code, name in HEMISPHERES.items()}
        columns = ["region_id", "hemisphere", "probability"]
        pieces = list(iterate_table(self.out / "cells.parquet", PIECE_ROWS, columns))
        region = np.concatenate([piece["region_id"].to_numpy(np.uint32) for piece in pieces])
        side = np.concatenate([piece["hemisphere"].map(codes).fillna(0).to_numpy(np.uint8) for piece in pieces])
        probability = np.concatenate([piece["probability"].to_numpy(np.float64) for piece in pieces])
        there, back = (read_map(self.registration / name) for name in ("sample_to_atlas.zarr", "atlas_to_sample.zarr"))
        labels, sides = labels_on_grid(there, self.atlas)
        imaged = imaged_um(self.registration)
        extent = measure_extent(self.atlas, labels, sides, there.grid, atlas_to_sample=back, imaged_um=imaged)
        table = region_table(self.atlas.ontology, region, side, extent, probability)
        counted = int(table.loc[table["hemisphere"] == "both", "count_own"].sum())
        inside = int(np.count_nonzero(region))
        if counted != inside:
            raise VolumetricError(f"the region table counts {counted} cells but {inside} lie in regions")
        write_csv(self.out / "regions.csv", table)
        return {"total": len(region), "in_atlas": inside, "outside": len(region) - inside, "counted": counted}


def plan(
    detections: Path, registration: Path, atlas: Atlas, out: Path, identities: Mapping[str, str] | None = None
) -> Plan:
    """The work of giving the cells their regions.

    `identities` of cells and registration are given where these do not exist yet; otherwise they are read from them.
    """
    inputs = {**(identities or _identities_of(detections, registration, atlas)), "atlas": atlas.identity}
    outputs = (out / "cells.parquet", out / "regions.csv")
    job = Job(detections, registration, atlas, out, Plan("assign", VERSION, {}, inputs, (), outputs).identity)
    memory = BYTES_PER_ATLAS_VOXEL * atlas.annotation.size
    rows = 1500 * PIECE_ROWS
    return Plan(
        stage="assign",
        version=VERSION,
        config={},
        inputs=inputs,
        passes=(
            Reduction("cells", job.cells, Cost(0, 0, memory + rows)),
            Reduction("regions", job.regions, Cost(0, 2**20, memory + rows)),
        ),
        outputs=outputs,
        held_bytes=20 * atlas.annotation.size,
    )


def imaged_um(registration: Path) -> tuple[Um3, Um3]:
    """The lowest and the highest corner of the imaged volume, outer edges of its voxels, in sample um."""
    volume = read_quality(registration)["volume"]
    space = VoxelSpace(volume["spacing_um"], volume["origin_um"])
    corners = space.to_um([[-0.5] * 3, [n - 0.5 for n in volume["shape"]]])
    return um3(corners[0]), um3(corners[1])


def _identities_of(detections: Path, registration: Path, atlas: Atlas) -> dict[str, str]:
    if not detections.is_file():
        raise InputError(f"there is no table of cells at {detections}: run `volumetric detect` first")
    cells = table_metadata(detections).get("identity")
    if cells is None:
        raise InputError(f"{detections} was not written by `volumetric detect`")
    quality = read_quality(registration)
    if quality["atlas"]["identity"] != atlas.identity:
        raise InputError(
            f"{registration} was registered to the atlas {quality['atlas']['name']!r}, not to this {atlas.name!r}: "
            "give the same --atlas"
        )
    return {"detect": cells, "register": quality["identity"]}
