"""Assign: every cell its region, every region its numbers.

Inputs: cells without regions, a registration folder, the atlas. Output: `cells.parquet` and `regions.csv`. Cells are
looked up at full resolution through the smooth map, in pieces;
region volumes are those that the atlas' voxels have in the sample.
Capacity: a quarter of a million whole rows at a time, and seventeen bytes a cell for the table of regions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from volumetric.atlas.atlas import Atlas
from volumetric.atlas.cells import Acronyms, side_codes, with_regions
from volumetric.atlas.counts import measure_extent, region_table
from volumetric.atlas.registered import RegisteredBrain
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import InputError, VolumetricError
from volumetric.points.expected import CountModel
from volumetric.points.table import COUNTS
from volumetric.storage.tables import iterate_arrow, table_metadata, write_csv, write_pieces

VERSION = 3
PIECE_ROWS = 250_000
BYTES_PER_ATLAS_VOXEL = 120
"""Both maps on their grids, labels and masks: an upper estimate from their types, not measured."""


@dataclass(frozen=True)
class Counted:
    """Region (0 for none), side and probability of each of (n,) cells, and the (Z, Y, X) atlas voxels they lie in."""

    region_id: npt.NDArray[np.int64]
    hemisphere: npt.NDArray[np.uint8]
    probability: npt.NDArray[np.float64]
    seen: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Job:
    """Everything the passes need."""

    detections: Path
    registration: Path
    atlas: Atlas
    out: Path
    identity: str

    @cached_property
    def _brain(self) -> RegisteredBrain:
        return RegisteredBrain.open(self.registration, self.atlas)

    def cells(self) -> Mapping[str, Any]:
        """Write the cells with their regions."""
        told = {name: text for name, text in table_metadata(self.detections).items() if name == COUNTS}
        rows = write_pieces(self.out / "cells.parquet", self._assigned(), {"identity": self.identity, **told})
        return {"cells": rows}

    def _assigned(self) -> Iterator[pa.Table]:
        acronyms = Acronyms.of(self.atlas.ontology)
        for piece in iterate_arrow(self.detections, PIECE_ROWS):
            places = np.column_stack([piece[f"{axis}_um"].to_numpy() for axis in "zyx"])
            yield with_regions(piece, self._brain.assign(places), acronyms)

    def regions(self) -> Mapping[str, Any]:
        """Write the table of regions; returns the sums, which reconcile or the step fails."""
        found = self._counted()
        brain = self._brain
        extent = measure_extent(self.atlas, brain.atlas_to_sample, brain.field_of_view, found.seen)
        counts = CountModel.of_text(table_metadata(self.out / "cells.parquet").get(COUNTS))
        table = region_table(
            self.atlas.ontology,
            found.region_id,
            found.hemisphere,
            extent,
            probability=found.probability,
            counts=counts,
        )
        counted = int(table.loc[table["hemisphere"] == "both", "count_own"].sum())
        total, inside = len(found.region_id), int(np.count_nonzero(found.region_id))
        if counted != inside:
            raise VolumetricError(f"the region table counts {counted} cells but {inside} lie in regions")
        write_csv(self.out / "regions.csv", table)
        return {"total": total, "in_atlas": inside, "outside": total - inside, "counted": counted}

    def _counted(self) -> Counted:
        """What of all cells is counted."""
        pieces: list[tuple[npt.NDArray[Any], ...]] = []
        seen = np.zeros(self.atlas.shape, np.bool_)
        columns = ["region_id", "hemisphere", "probability", *(f"atlas_{axis}_um" for axis in "zyx")]
        for piece in iterate_arrow(self.out / "cells.parquet", PIECE_ROWS, columns):
            region = piece["region_id"].to_numpy()
            places = np.column_stack([piece[f"atlas_{axis}_um"].to_numpy() for axis in "zyx"])[region > 0]
            seen[tuple(self.atlas.space.nearest_vox(places).T)] = True
            pieces.append((region, side_codes(piece["hemisphere"]), piece["probability"].to_numpy()))
        return Counted(*(np.concatenate(column) for column in zip(*pieces, strict=True)), seen)


def plan(
    detections: Path, registration: Path, atlas: Atlas, out: Path, identities: Mapping[str, str] | None = None
) -> Plan:
    """The work of giving the cells their regions.

    `identities` of cells and registration are given where these do not exist yet; otherwise they are read from them.
    """
    inputs = {**(identities or _identities_of(detections, registration, atlas)), "atlas": atlas.identity}
    outputs = (out / "cells.parquet", out / "regions.csv")
    job = Job(detections, registration, atlas, out, Plan("assign", VERSION, {}, inputs, (), outputs).identity)
    cost = costs(atlas.annotation.size)
    return Plan(
        stage="assign",
        version=VERSION,
        config={},
        inputs=inputs,
        passes=(
            Reduction("cells", job.cells, cost["cells"]),
            Reduction("regions", job.regions, cost["regions"]),
        ),
        outputs=outputs,
        held_bytes=held_bytes(atlas.annotation.size),
    )


def costs(atlas_voxels: int) -> Mapping[str, Cost]:
    """What each step costs with an atlas of so many voxels."""
    memory, rows = BYTES_PER_ATLAS_VOXEL * atlas_voxels, 1500 * PIECE_ROWS
    return {"cells": Cost(0, 0, memory + rows), "regions": Cost(0, 2**20, memory + rows)}


def held_bytes(atlas_voxels: int) -> int:
    """Memory of the atlas itself."""
    return 20 * atlas_voxels


def _identities_of(detections: Path, registration: Path, atlas: Atlas) -> dict[str, str]:
    if not detections.is_file():
        raise InputError(f"there is no table of cells at {detections}: run `volumetric detect` first")
    cells = table_metadata(detections).get("identity")
    if cells is None:
        raise InputError(f"{detections} was not written by `volumetric detect`")
    brain = RegisteredBrain.open(registration, atlas)
    return {"detect": cells, "register": brain.identity}
