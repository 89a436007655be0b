"""NumPy files (.npy): an array of z, y, x or c, z, y, x, mapped, never loaded whole; nothing in it is executed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3, index3
from volumetric.storage.provenance import files_identity
from volumetric.storage.sources.source import check_dtype

MAGIC = b"\x93NUMPY"


@dataclass(frozen=True)
class NumpyFile:
    """A mapped array on disk."""

    path: Path
    channels: tuple[str, ...]
    shape: Index3
    dtype: str
    grain: Index3
    identity: str
    spacing_um: None = None

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """The voxels of a box."""
        array = _mapped(self.path)
        voxels = array[box.slices] if array.ndim == 3 else array[(channel, *box.slices)]
        if voxels.shape != out.shape:
            raise InputError(f"{self.path} was replaced: it ends within z, y, x {box.start} to {box.stop}")
        out[...] = voxels


def open_numpy(path: Path) -> NumpyFile:
    """A .npy file as an image; raises `InputError` with the reason where that is impossible."""
    array = _mapped(path)
    if array.ndim not in {3, 4} or min(array.shape) < 1:
        raise InputError(f"{path} has axes of lengths {array.shape}: expected z, y, x or c, z, y, x")
    dtype = str(array.dtype.newbyteorder("="))
    check_dtype(str(path), dtype)
    return NumpyFile(
        path=path,
        channels=(path.stem,) if array.ndim == 3 else tuple(f"channel{i}" for i in range(array.shape[0])),
        shape=index3(array.shape[-3:]),
        dtype=dtype,
        grain=(1, 1, array.shape[-1]),
        identity=files_identity([path]),
    )


def _mapped(path: Path) -> npt.NDArray[Any]:
    try:
        array: np.memmap[Any, np.dtype[Any]] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # numpy's parser raises many kinds for a damaged header
        raise InputError(f"{path} cannot be read as a NumPy array: {error}. Replace the file") from error
    size, end = path.stat().st_size, array.offset + array.nbytes
    if size != end:
        raise InputError(
            f"{path} is damaged: its header tells of {end} bytes but the file has {size}. Replace the file"
        )
    return array
