"""Assign: every cell its region, every region its numbers.

Inputs: cells without regions (ours or another tool's), a registration folder, the atlas. Output: `cells.parquet` and
`regions.csv`. Cells are looked up at full resolution through the smooth map, in pieces; region volumes are those that
the atlas' voxels have in the sample.
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

from pipelines.config import Settings
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.cells import Acronyms, side_codes, with_regions
from volumetric.atlas.counts import measure_extent, region_table
from volumetric.atlas.registered import RegisteredBrain
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import VolumetricError
from volumetric.findings import Finding, Grade
from volumetric.points.expected import CountModel
from volumetric.points.table import COUNTS
from volumetric.storage.cells import CellsSource, DetectedCells, open_cells
from volumetric.storage.cells.places import Unit
from volumetric.storage.tables import iterate_arrow, table_metadata, write_csv, write_pieces
from volumetric.storage.volume_record import VolumeRecord, refuse_other

VERSION = 4
PIECE_ROWS = 250_000
MANY_LEFT_OUT, MANY_OUTSIDE = 0.05, 0.3
"""Shares of all cells from which those without a region are a doubt."""

BYTES_PER_ATLAS_VOXEL = 120
"""Both maps on their grids, labels and masks: an upper estimate from their types, not measured."""


class Config(Settings):
    """How a file of cells is read and taken.

    Args:
        unit: of the places of another tool, where its file does not say it.
        voxel_um: of the image whose voxels these are, where it is not the registered one.
        cell_type: which markers of a Cell Counter file are cells.
        same_space: cells and registration are of two images of one brain in one place.
    """

    unit: Unit | None = None
    voxel_um: tuple[float, float, float] | None = None
    cell_type: int | None = None
    same_space: bool = False


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

    found: CellsSource
    registration: Path
    atlas: Atlas
    out: Path
    identity: str

    @cached_property
    def _brain(self) -> RegisteredBrain:
        return RegisteredBrain.open(self.registration, self.atlas)

    def cells(self) -> Mapping[str, Any]:
        """Write the cells with their regions."""
        told = {"identity": self.identity, **self.found.metadata}
        left_out: list[int] = []
        rows = write_pieces(self.out / "cells.parquet", self._assigned(left_out), told)
        return {"cells": rows, "left_out": sum(left_out)}

    def _assigned(self, left_out: list[int]) -> Iterator[pa.Table]:
        """The cells with their regions; how many of each piece lie where nothing is counted is added to a list."""
        acronyms = Acronyms.of(self.atlas.ontology)
        for piece in self.found.pieces(PIECE_ROWS):
            places = np.column_stack([piece[f"{axis}_um"].to_numpy() for axis in "zyx"])
            assigned = self._brain.assign(places)
            left_out.append(int(np.count_nonzero(assigned.left_out)))
            yield with_regions(piece, assigned, acronyms)

    def regions(self) -> Mapping[str, Any]:
        """Write the table of regions; returns the sums, which reconcile or the step fails."""
        found = self._counted()
        brain = self._brain
        extent = measure_extent(self.atlas, brain.atlas_to_sample, brain.field_of_view, found.seen, brain.side)
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
        region, side, probability = (np.concatenate(column) for column in zip(*pieces, strict=True))
        return Counted(region, side, probability, seen)


def plan(detections: Path, registration: Path, atlas: Atlas, out: Path, config: Config | None = None) -> Plan:
    """The work of giving the cells in a file their regions.

    Raises `InputError` where the file is no table of cells, or its cells are of another volume than was registered.
    """
    return prepare(detections, registration, atlas, out, config)[0]


def prepare(
    detections: Path, registration: Path, atlas: Atlas, out: Path, config: Config | None = None
) -> tuple[Plan, tuple[str, ...]]:
    """The plan, and what a person should know of how the cells were read; raises as `plan`."""
    config = config or Config()
    brain = RegisteredBrain.open(registration, atlas)
    found = open_cells(detections, brain.volume, unit=config.unit, voxel_um=config.voxel_um, cell_type=config.cell_type)
    if found.volume is not None:
        refuse_other(found.volume, brain.volume, same_space=config.same_space)
    inputs = {"detect": found.identity, "register": brain.identity}
    return _plan(found, registration, atlas, out, inputs), found.notes


def plan_ahead(
    detections: Path,
    registration: Path,
    atlas: Atlas,
    out: Path,
    *,
    identities: Mapping[str, str],
    volumes: tuple[VolumeRecord, VolumeRecord],
) -> Plan:
    """The work where cells and registration do not exist yet: their identities are given, and their volumes.

    Raises `InputError` where the volumes of cells and of registration, images of one brain, cover different spaces.
    """
    refuse_other(*volumes, same_space=True)
    return _plan(DetectedCells(detections), registration, atlas, out, identities)


def _plan(found: CellsSource, registration: Path, atlas: Atlas, out: Path, identities: Mapping[str, str]) -> Plan:
    inputs = {**identities, "atlas": atlas.identity}
    outputs = (out / "cells.parquet", out / "regions.csv")
    job = Job(found, registration, atlas, out, Plan("assign", VERSION, {}, inputs, (), outputs).identity)
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


def findings(facts: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """What was noticed when cells got regions; `facts` of its ledger, by pass."""
    total, left_out = facts["regions"]["total"], facts["cells"]["left_out"]
    beyond = facts["regions"]["outside"] - left_out
    told = []
    if left_out:
        told.append(
            Finding(
                Grade.DOUBTFUL if left_out > MANY_LEFT_OUT * total else Grade.GOOD,
                f"{left_out:,} of {total:,} cells lie where nothing is counted, because the registered channel shows "
                "no brain there or the place is excluded: they are in no region",
            )
        )
    if beyond > MANY_OUTSIDE * total:
        told.append(
            Finding(
                Grade.DOUBTFUL,
                f"{beyond:,} of {total:,} cells lie outside the atlas' brain: are they cells, and does the atlas lie "
                "on the brain? Look at the overlay and at the places of cells",
            )
        )
    return told


def costs(atlas_voxels: int) -> Mapping[str, Cost]:
    """What each step costs with an atlas of so many voxels."""
    memory, rows = BYTES_PER_ATLAS_VOXEL * atlas_voxels, 1500 * PIECE_ROWS
    return {"cells": Cost(0, 0, memory + rows), "regions": Cost(0, 2**20, memory + rows)}


def held_bytes(atlas_voxels: int) -> int:
    """Memory of the atlas itself."""
    return 20 * atlas_voxels
