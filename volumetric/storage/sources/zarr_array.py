"""Zarr: an OME-Zarr's full resolution, or a bare array of z, y, x or c, z, y, x (Zarr v2 or v3)."""

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
from volumetric.storage.omezarr import UNSTATED, open_zarr
from volumetric.storage.sources.source import check_dtype
from volumetric.storage.volume import Volume


def open_zarr_source(path: Path) -> ZarrSource:
    """An OME-Zarr or a bare array as a source; raises `InputError` where it is neither or no voxels are there."""
    try:
        volume = open_zarr(path, UNSTATED)
        source = ZarrSource(volume, None if volume.levels[0].path == path else volume.space.spacing_um)
        check_dtype(str(path), source.dtype)
        if min(volume.shape) < 1:
            raise InputError(f"{path} has axes of lengths {volume.shape}: expected z, y, x")
        refuse_incomplete(volume)
        _refuse_empty(volume)
    except (InputError, OSError, MemoryError):
        raise
    except Exception as error:  # zarr raises many kinds for damaged metadata
        raise InputError(f"{path} cannot be read as Zarr: {error}. Its metadata is damaged") from error
    return source


def _refuse_empty(volume: Volume) -> None:
    """Raise `InputError` where not one file of voxels is there: all of it would be read as zeros."""
    if not any(file.is_file() for file in expected_files(volume, 0)):
        raise InputError(f"{volume.levels[0].path} holds metadata but none of its files of voxels. Copy it again")


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
