"""How fast peaks become cells, against the search for the nearest peak in the next slice alone.

The peaks are made up: cells of a few slices each, in a volume that is nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from pipelines import detect
from pipelines.bench.material import VOXEL_UM, Case, Material
from pipelines.bench.stage import Throughput
from volumetric.geometry.box import Index3
from volumetric.geometry.grid import BlockGrid
from volumetric.geometry.space import VoxelSpace
from volumetric.points.linking import PEAK_COLUMNS
from volumetric.storage.levels import plan_levels
from volumetric.storage.omezarr import describe_volume
from volumetric.storage.parts import TableParts

NEAREST = "limit: nearest peak alone"
OURS = "volumetric"

SLICES_A_CELL = 4
PEAKS_A_SLICE = 1000


def link(material: Material) -> Throughput:
    """The peaks of as many slices as there are, however large these are."""
    case = material.without_volume
    shape = (material.shape[0] * 4, 2048, 2048)
    linking, peaks = Linking(case, shape), made_up(shape)
    linking.write_parts(peaks)
    return Throughput(len(peaks) / 1e3, "kpeak", {NEAREST: Nearest(case, shape), OURS: linking})


@lru_cache(maxsize=1)
def made_up(shape: Index3, seed: int = 0) -> pd.DataFrame:
    """Peaks of cells that lie at random, ordered by slice."""
    rng = np.random.default_rng(seed)
    cells = max(1, shape[0] // SLICES_A_CELL) * PEAKS_A_SLICE
    first = rng.integers(0, max(1, shape[0] - SLICES_A_CELL + 1), cells)
    z = (first[:, None] + np.arange(min(SLICES_A_CELL, shape[0]))).ravel()
    each = len(z) // cells
    places = rng.uniform(4, np.subtract(shape[1:], 4), (cells, 2)).repeat(each, axis=0)
    rows = pd.DataFrame(rng.random((len(z), len(PEAK_COLUMNS))), columns=list(PEAK_COLUMNS))
    rows[["y_vox", "x_vox"]] = places + rng.normal(0, 0.5, places.shape)
    rows["z_vox"] = z
    rows["score"] = rng.uniform(0.5, 1, cells).repeat(each)
    return rows.sort_values("z_vox", kind="stable", ignore_index=True)


@dataclass(frozen=True)
class Nearest:
    """For every peak the nearest of the next slice, from coordinates in memory."""

    case: Case
    shape: Index3

    def run(self) -> None:
        """Search once."""
        places = [rows[["y_vox", "x_vox"]].to_numpy() for _, rows in made_up(self.shape).groupby("z_vox")]
        trees = [KDTree(at) for at in places]
        for tree, at in zip(trees[1:], places, strict=False):
            tree.query(at, distance_upper_bound=3.5)


@dataclass(frozen=True)
class Linking:
    """The step of detection that links: from the parts that blocks leave to the table of cells."""

    case: Case
    shape: Index3

    @property
    def folder(self) -> Path:
        """Where the blocks have left their peaks."""
        return self.case.folder / "linking"

    def write_parts(self, peaks: pd.DataFrame) -> None:
        """What the blocks leave."""
        stored = TableParts(self.folder / "parts")
        for block in BlockGrid(self.shape, detect.BLOCKS[-1]):
            inside = np.ones(len(peaks), dtype=bool)
            for name, a, b in zip(("z_vox", "y_vox", "x_vox"), block.write.start, block.write.stop, strict=True):
                inside &= ((peaks[name] >= a) & (peaks[name] < b)).to_numpy()
            stored.write(block, peaks[inside])

    def run(self) -> None:
        """Link once."""
        case, levels = self.case, plan_levels(self.shape, VoxelSpace(VOXEL_UM))
        place = case.folder / "nowhere.ome.zarr"
        volume = describe_volume(place, levels, ("signal",), "uint16", orientation=None, identity="made up")
        plan = detect.plan(volume, case.work / "cells.parquet", self.folder, case.config, case.resources)
        linking = tuple(p for p in plan.passes if p.name == "link")
        case.execute(replace(plan, passes=linking), case.work)
