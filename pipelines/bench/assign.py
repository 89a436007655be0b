"""How fast cells get their regions, against looking them up alone.

The cells lie at random in a brain that lies as the built-in atlas does; all steps are those of `volumetric assign`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines import assign as command
from pipelines.bench.material import VOXEL_UM, Case, Material
from pipelines.bench.stage import Throughput
from volumetric.atlas.registered import ATLAS_TO_SAMPLE, QUALITY, SAMPLE_TO_ATLAS
from volumetric.geometry.space import Points, VoxelSpace
from volumetric.geometry.transform import SmoothMap
from volumetric.phantom.atlas import procedural_atlas
from volumetric.points.table import cells_table
from volumetric.storage.atomic import write_json
from volumetric.storage.tables import write_table
from volumetric.storage.transforms import write_map

LOOKUP = "limit: lookup alone"
OURS = "volumetric"
CELLS_A_SLICE = 50_000


def assign(material: Material) -> Throughput:
    """As many cells as there are slices, times fifty thousand."""
    case = material.without_volume
    cells = material.shape[0] * CELLS_A_SLICE
    folder = case.folder / "assigned"
    write_registration(folder)
    write_cells(folder / "cells.parquet", cells)
    return Throughput(cells / 1e3, "kcell", {LOOKUP: LookupAlone(case, cells), OURS: Assigning(case)})


@lru_cache(maxsize=1)
def places(cells: int, seed: int = 0) -> Points:
    """Points in the built-in atlas, (n, 3) um."""
    return np.random.default_rng(seed).uniform(0, procedural_atlas().extent_um, (cells, 3))


def write_registration(folder: Path) -> None:
    """A registration that leaves every point where it is."""
    atlas, space = procedural_atlas(), VoxelSpace(VOXEL_UM)
    for name in (SAMPLE_TO_ATLAS, ATLAS_TO_SAMPLE):
        write_map(folder / name, SmoothMap.identity(atlas.space, atlas.shape), "made up")
    shape = [round(edge / step) + 1 for edge, step in zip(atlas.extent_um, space.spacing_um, strict=True)]
    volume = {"shape": shape, "spacing_um": space.spacing_um, "origin_um": space.origin_um, "orientation": "asr"}
    known = {"name": atlas.name, "identity": atlas.identity}
    write_json(folder / QUALITY, {"volume": volume, "atlas": known, "identity": "made up", "warnings": []})


def write_cells(path: Path, cells: int) -> None:
    """A table as detection leaves it."""
    space = VoxelSpace(VOXEL_UM)
    rows = pd.DataFrame(space.to_vox(places(cells)), columns=["z_vox", "y_vox", "x_vox"])
    for name in ("score", "probability", "radius_px", "intensity", "background"):
        rows[name] = 0.5
    rows["n_slices"] = 3
    write_table(path, cells_table(rows, space), {"identity": "made up"})


@dataclass(frozen=True)
class LookupAlone:
    """The voxel of the annotation at every point in memory: no map, no table."""

    case: Case
    cells: int

    def run(self) -> None:
        """Look all up."""
        procedural_atlas().lookup(places(self.cells))


@dataclass(frozen=True)
class Assigning:
    """`volumetric assign` as it is."""

    case: Case

    def run(self) -> None:
        """Assign once."""
        case, folder = self.case, self.case.folder / "assigned"
        plan = command.plan(folder / "cells.parquet", folder, procedural_atlas(), case.work / "tables")
        case.execute(plan, case.work / "steps")
