"""The registered brain that tiles are cut from, opened once a process and checked against the volume."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from volumetric.atlas.registered import LABELS, RegisteredBrain, open_registration, read_quality
from volumetric.errors import InputError
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.storage.volume import Volume

ALIKE = 0.01
"""Largest relative difference of two edges that are the same brain's."""


@dataclass(frozen=True)
class Labels:
    """A registration by its place: small and picklable, its maps are read where they are needed."""

    folder: Path
    atlas: str | None
    atlas_dir: Path | None
    identity: str

    @classmethod
    def find(cls, path: Path, volume: Volume, atlas: str | None, atlas_dir: Path | None) -> Labels:
        """The registration at a path: its folder, a run folder with one, or its `labels.ome.zarr`.

        Raises `InputError` where there is none, its atlas is not found, or it is of a brain of another size.
        """
        folder = path.parent if path.name == LABELS else path
        if (folder / "registration").is_dir():
            folder = folder / "registration"
        found = cls(folder, atlas, atlas_dir, str(read_quality(folder)["identity"]))
        known = found.brain.quality["volume"]
        registered = np.asarray(VoxelSpace(um3(known["spacing_um"])).extent_um(known["shape"]))
        given = np.asarray(volume.space.extent_um(volume.shape))
        if np.any(np.abs(registered - given) > ALIKE * registered):
            raise InputError(
                f"{path} is of a volume of {_times(registered)} um, but {volume.path} is {_times(given)} um: give the "
                "registration of the same brain"
            )
        return found

    @property
    def brain(self) -> RegisteredBrain:
        """The registration, opened."""
        return _opened(self)


@lru_cache(maxsize=1)
def _opened(labels: Labels) -> RegisteredBrain:
    return open_registration(labels.folder, labels.atlas, labels.atlas_dir)


def _times(edges: npt.NDArray[np.float64]) -> str:
    return " x ".join(f"{edge:.0f}" for edge in edges)
