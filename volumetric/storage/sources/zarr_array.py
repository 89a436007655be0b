"""Zarr: an OME-Zarr's full resolution, or a bare array of z, y, x or c, z, y, x (Zarr v2 or v3)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from volumetric.geometry.box import Box, Index3
from volumetric.geometry.space import Um3
from volumetric.storage.omezarr import open_zarr
from volumetric.storage.volume import Volume

UNSTATED = (1.0, 1.0, 1.0)


def open_zarr_source(path: Path) -> ZarrSource:
    """An OME-Zarr or a bare array as a source; raises `InputError` where it is neither."""
    volume = open_zarr(path, UNSTATED)
    bare = volume.levels[0].path == path
    return ZarrSource(volume, None if bare else volume.space.spacing_um)


@dataclass(frozen=True)
class ZarrSource:
    """The full resolution of a volume, to be converted again."""

    volume: Volume
    spacing_um: Um3 | None

    @property
    def shape(self) -> Index3:
        return self.volume.shape

    @property
    def dtype(self) -> str:
        return self.volume.dtype

    @property
    def channels(self) -> tuple[str, ...]:
        return self.volume.channels

    @property
    def grain(self) -> Index3:
        return self.volume.chunk(0)

    @property
    def identity(self) -> str:
        return self.volume.fingerprint()

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """The voxels of a box."""
        out[...] = self.volume.read(box, 0, channel)
