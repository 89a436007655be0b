"""Finished runs of a small study, as `count` leaves them, with cells placed at random and a change planted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from volumetric.atlas.atlas import Atlas
from volumetric.atlas.counts import Extent, region_table
from volumetric.atlas.folder import write_atlas_folder
from volumetric.atlas.sides import HEMISPHERES
from volumetric.atlas.tally import tally
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.phantom.atlas import procedural_atlas
from volumetric.points.table import COLUMNS, ordered
from volumetric.storage.atomic import write_json
from volumetric.storage.tables import write_csv, write_table


@lru_cache(maxsize=1)
def small_atlas() -> Atlas:
    """The phantom's atlas with every second voxel along each axis."""
    atlas = procedural_atlas()
    every_second = np.s_[::2, ::2, ::2]
    return replace(
        atlas,
        name="small",
        space=VoxelSpace(um3(2 * s for s in atlas.space.spacing_um)),
        template=atlas.template[every_second],
        annotation=atlas.annotation[every_second],
        hemispheres=atlas.hemispheres[every_second],
    )


@dataclass(frozen=True)
class StudyPlan:
    """How the study is made: groups and their brains, fold changes by group and acronym, variation between brains."""

    groups: Mapping[str, int]
    changes: Mapping[str, Mapping[str, float]]
    cells_per_mm3: float = 120.0
    shared: float = 0.1
    regional: float = 0.15
    seed: int = 0


def write_study(folder: Path, plan: StudyPlan) -> Path:
    """Run folders, the atlas and `design.csv`, whose path is returned; the covariate `batch` alternates."""
    atlas = small_atlas()
    write_atlas_folder(atlas, folder / "atlas")
    rng = np.random.default_rng(plan.seed)
    ids = np.asarray(atlas.ontology.ids)
    base = plan.cells_per_mm3 * rng.lognormal(-0.3, 0.8, len(ids))
    lines = ["brain,group,path,batch,age_weeks"]
    for group, size in plan.groups.items():
        fold = np.array([plan.changes.get(group, {}).get(atlas.ontology[int(i)].acronym, 1.0) for i in ids])
        for number in range(size):
            brain = f"{group}{number + 1}"
            efficiency = np.exp(rng.normal(0, plan.shared) + rng.normal(0, plan.regional, len(ids)))
            write_run(folder / "runs" / brain, folder / "atlas", rng, base * fold * efficiency)
            lines.append(f"{brain},{group},runs/{brain},b{number % 2},{8 + rng.integers(0, 4)}")
    design = folder / "design.csv"
    design.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return design


def write_run(folder: Path, atlas_dir: Path, rng: np.random.Generator, density: np.ndarray) -> None:
    """One finished run: cells by chance with this density (per mm3) in each region of `small_atlas`."""
    atlas = small_atlas()
    order = np.argsort(atlas.ontology.ids)
    at = order[np.searchsorted(np.asarray(atlas.ontology.ids)[order], np.maximum(atlas.annotation, 1))]
    expected = np.where(atlas.annotation > 0, density[at], 0) * atlas.space.voxel_volume_mm3
    voxels = np.repeat(np.argwhere(atlas.annotation > 0), rng.poisson(expected[atlas.annotation > 0]), axis=0)
    points = atlas.space.to_um(voxels + rng.uniform(-0.5, 0.5, voxels.shape))
    region, side = atlas.lookup(points)
    cells = pd.DataFrame({name: np.zeros(len(points), "f8") for name, kind in COLUMNS.items() if kind != "object"})
    cells["cell_id"], cells["region_id"], cells["in_atlas"] = np.arange(len(points)), region, True
    cells["acronym"] = [atlas.ontology[int(i)].acronym for i in region]
    cells["hemisphere"] = [HEMISPHERES[int(s)] for s in side]
    cells[["atlas_z_um", "atlas_y_um", "atlas_x_um"]] = points
    total = tally(atlas.ontology, atlas.annotation.ravel(), atlas.hemispheres.ravel())
    extent = Extent(total * atlas.space.voxel_volume_mm3 * rng.uniform(0.95, 1.05), total, total)
    folder.mkdir(parents=True)
    write_table(folder / "cells.parquet", ordered(cells))
    write_csv(folder / "regions.csv", region_table(atlas.ontology, region, side, extent))
    write_json(folder / "run.json", {"config": {"atlas": str(atlas_dir)}, "atlas": {"name": atlas.name}})
