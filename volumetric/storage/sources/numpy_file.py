"""NumPy files (.npy): an array of z, y, x or c, z, y, x, or as the user says; mapped, and nothing in it is executed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3
from volumetric.storage.axes import arranged, channel_count, grid_shape, selection, understand_axes
from volumetric.storage.provenance import digest, files_identity
from volumetric.storage.sources.source import check_dtype
from volumetric.storage.stated import Described

MAGIC = b"\x93NUMPY"


@dataclass(frozen=True)
class NumpyFile(Described):
    """A mapped array on disk."""

    path: Path
    channels: tuple[str, ...]
    shape: Index3
    dtype: str
    grain: Index3
    identity: str
    axes: tuple[str, ...]

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """The voxels of a box."""
        array = _mapped(self.path)
        if array.ndim != len(self.axes):
            raise InputError(f"{self.path} was replaced: it has {array.ndim} axes now")
        voxels = arranged(self.axes, array[selection(self.axes, box, channel)])
        if voxels.shape != out.shape:
            raise InputError(f"{self.path} was replaced: it ends within z, y, x {box.start} to {box.stop}")
        out[...] = voxels


def open_numpy(path: Path, axes: str | None = None) -> NumpyFile:
    """A .npy file as an image, its axes as the user names them; raises `InputError` where that is impossible."""
    array = _mapped(path)
    order = understand_axes(str(path), array.shape, None, "", axes)
    dtype = str(array.dtype.newbyteorder("="))
    check_dtype(str(path), dtype)
    identity = files_identity([path])
    names = tuple(f"channel{i}" for i in range(channel_count(order.letters, array.shape)))
    return NumpyFile(
        path=path,
        channels=names if "c" in order.letters else (path.stem,),
        shape=grid_shape(order.letters, array.shape),
        dtype=dtype,
        grain=grid_shape(order.letters, (*(1 for _ in array.shape[1:]), array.shape[-1])),
        identity=identity if order.is_usual else digest([identity, order.letters]),
        axes=order.letters,
        facts=(("kind", "NumPy array"), ("axes", str(order))),
        doubts=order.doubts,
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
