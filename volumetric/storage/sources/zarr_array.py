"""Zarr: an OME-Zarr's full resolution, or a bare array (Zarr v2 or v3)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3
from volumetric.geometry.space import Um3
from volumetric.storage.integrity import expected_files, refuse_incomplete
from volumetric.storage.omezarr import look_at_zarr
from volumetric.storage.sources.source import check_dtype
from volumetric.storage.stated import StatedVoxel
from volumetric.storage.volume import Volume


def open_zarr_source(path: Path, axes: str | None = None) -> ZarrSource:
    """An OME-Zarr or a bare array as a source, its axes named by the user where `axes` is given.

    Raises `InputError` where it is neither or no voxels are there.
    """
    return ZarrSource(checked(look_at_zarr(path, axes)))


def checked(volume: Volume) -> Volume:
    """A volume that can be read: of a data type that is read, all files of one of our own there, some of another."""
    check_dtype(str(volume.path), volume.dtype)
    refuse_incomplete(volume)
    if not any(file.is_file() for file in expected_files(volume, 0)):
        raise InputError(f"{volume.levels[0].path} holds metadata but none of its files of voxels. Copy it again")
    return volume


@dataclass(frozen=True)
class ZarrSource:
    """The full resolution of a volume, to be converted again."""

    volume: Volume
    contents: str = ""

    @property
    def voxel(self) -> StatedVoxel:
        return self.volume.voxel

    @property
    def spacing_um(self) -> Um3 | None:
        return self.volume.voxel.whole_um

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        return self.volume.facts

    @property
    def doubts(self) -> tuple[str, ...]:
        return self.volume.doubts

    @property
    def shape(self) -> Index3:
        return self.volume.shape

    @property
    def dtype(self) -> str:
        return str(np.dtype(self.volume.dtype).newbyteorder("="))

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
        try:
            out[...] = self.volume.read(box, 0, channel)
        except (InputError, MemoryError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the system's, which may pass; a codec's has no number
            raise InputError(
                f"{self.volume.levels[0].path} is damaged within z, y, x {box.start} to {box.stop}: {error}. Replace it"
            ) from error
