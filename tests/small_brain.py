"""A phantom small enough for tests of the whole path, as the files the stages read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from volumetric.atlas.atlas import Atlas
from volumetric.atlas.folder import write_atlas_folder
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.phantom.atlas import procedural_atlas
from volumetric.phantom.brain import Phantom, PhantomSettings
from volumetric.storage.atomic import write_json
from volumetric.storage.transforms import write_map

SETTINGS = PhantomSettings(scale=1 / 32, seed=3)


@lru_cache(maxsize=1)
def phantom() -> Phantom:
    """About 3 Mvoxel and some hundred cells."""
    return Phantom.build(procedural_atlas(), SETTINGS)


@dataclass(frozen=True)
class Files:
    """The phantom on disk."""

    slices: Path
    atlas: Path
    voxel_um: tuple[float, float, float]
    orientation: str
    cells: pd.DataFrame

    def flags(self, atlas: Path | None = None) -> list[str]:
        """The flags of `count` that describe it, with its own atlas or another."""
        voxel = [f"{v:g}" for v in self.voxel_um]
        return [
            *("--voxel-um", *voxel, "--orientation", self.orientation, "--atlas", str(atlas or self.atlas)),
            *("--signal", "signal", "--register-on", "background", "--preset", "fast"),
        ]


def write_files(folder: Path) -> Files:
    """Slices of both channels and the atlas."""
    brain = phantom()
    for name, stack in brain.render(0, brain.shape[0]).items():
        (folder / "slices" / name).mkdir(parents=True)
        for number, page in enumerate(stack):
            tifffile.imwrite(folder / "slices" / name / f"{name}_{number:04}.tif", page)
    write_atlas_folder(brain.atlas, folder / "atlas")
    return Files(folder / "slices", folder / "atlas", brain.space.spacing_um, brain.orientation, brain.cells)


def write_coarse_atlas(folder: Path) -> Path:
    """The phantom's atlas at its scale, with every second voxel along each axis: registered to in seconds."""
    atlas = procedural_atlas()
    every_second = np.s_[::2, ::2, ::2]
    coarse = replace(
        atlas,
        name="coarse",
        space=VoxelSpace(um3(2 * SETTINGS.scale * s for s in atlas.space.spacing_um)),
        template=atlas.template[every_second],
        annotation=atlas.annotation[every_second],
        hemispheres=atlas.hemispheres[every_second],
    )
    return write_atlas_folder(coarse, folder)


def write_true_registration(folder: Path, atlas: Atlas) -> None:
    """A registration folder with the phantom's own map, for tests of what follows a registration."""
    brain = phantom()
    write_map(folder / "sample_to_atlas.zarr", brain.sample_to_atlas, "true map")
    write_map(folder / "atlas_to_sample.zarr", brain.sample_to_atlas.inverse(atlas.space, atlas.shape), "true map")
    volume = {
        "shape": list(brain.shape),
        "spacing_um": list(brain.space.spacing_um),
        "origin_um": list(brain.space.origin_um),
        "orientation": brain.orientation,
    }
    known = {"name": atlas.name, "identity": atlas.identity}
    write_json(
        folder / "quality.json",
        {"volume": volume, "atlas": known, "identity": "true map", "warnings": [], "seconds": 0},
    )
