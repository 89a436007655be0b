"""What every source offers, and sources put together to the channels of one image."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3
from volumetric.geometry.space import Um3
from volumetric.storage.provenance import digest
from volumetric.storage.stated import StatedVoxel

DTYPES = ("uint8", "uint16", "int16", "float32")
"""Of the volumes that are written."""

STORED_AS = {
    "int8": "int16",
    **dict.fromkeys(("uint32", "int32", "uint64", "int64", "float16", "float64"), "float32"),
}
"""Further data types that are read, and what their values become."""


class Source(Protocol):
    """Voxels to be converted: several channels on one grid. Small and picklable; files are opened when read."""

    @property
    def shape(self) -> Index3: ...
    @property
    def dtype(self) -> str: ...
    @property
    def channels(self) -> tuple[str, ...]: ...
    @property
    def voxel(self) -> StatedVoxel:
        """The voxel size by the file's own metadata."""
        ...

    @property
    def spacing_um(self) -> Um3 | None:
        """The same, where all of it is stated."""
        ...

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What else people should know of it before it is read: names and values, such as its axes."""
        ...

    @property
    def grain(self) -> Index3:
        """Voxels that are decoded together: reading in multiples of it decodes nothing twice."""
        ...

    @property
    def identity(self) -> str:
        """Changes when what the files hold does, not when they are moved or copied."""
        ...

    @property
    def contents(self) -> str:
        """What there is, for people: slices with their numbers, pieces; empty where the shape says all."""
        ...

    @property
    def doubts(self) -> tuple[str, ...]:
        """What is worth saying before any work, though it does not stop it."""
        ...

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """Put the voxels (z, y, x) of a box into an array of its shape.

        Raises `InputError` that names the file where its content cannot be decoded, `OSError` where the file cannot
        be reached.
        """
        ...


@dataclass(frozen=True)
class ChannelSet:
    """Channels of several sources on one grid, for example two folders given by path."""

    parts: tuple[tuple[Source, int], ...]
    channels: tuple[str, ...]

    def __post_init__(self) -> None:
        grids = {(source.shape, source.dtype) for source, _ in self.parts}
        if len(grids) > 1:
            raise InputError(
                "the channels must share one shape and data type, got "
                + "; ".join(f"{shape} {dtype}" for shape, dtype in sorted(grids))
            )

    @property
    def _first(self) -> Source:
        return self.parts[0][0]

    @property
    def shape(self) -> Index3:
        return self._first.shape

    @property
    def dtype(self) -> str:
        return self._first.dtype

    @property
    def voxel(self) -> StatedVoxel:
        return self._first.voxel

    @property
    def spacing_um(self) -> Um3 | None:
        return self._first.spacing_um

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        return self._first.facts

    @property
    def contents(self) -> str:
        return "; ".join(dict.fromkeys(source.contents for source, _ in self.parts if source.contents))

    @property
    def doubts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(doubt for source, _ in self.parts for doubt in source.doubts))

    @property
    def grain(self) -> Index3:
        return self._first.grain

    @property
    def identity(self) -> str:
        return digest([(source.identity, index) for source, index in self.parts])

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """The voxels of a box."""
        source, index = self.parts[channel]
        source.fill(out, box, index)


def read(source: Source, box: Box, channel: int = 0, threads: int = 1) -> npt.NDArray[Any]:
    """The voxels of a box, decoded by several threads, each at whole grains of slices."""
    out = np.empty(box.shape, dtype=source.dtype)
    thickness = source.grain[0]
    first, last = box.start[0], box.stop[0]
    cuts = sorted({first, last, *range(first - first % thickness + thickness, last, thickness)})

    def fill(z: tuple[int, int]) -> None:
        part = Box((z[0], *box.start[1:]), (z[1], *box.stop[1:]))
        source.fill(out[z[0] - first : z[1] - first], part, channel)

    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        list(pool.map(fill, pairwise(cuts)))
    return out


def channel_name(path: Path) -> str:
    """What the only channel of a folder or file is called: its name, also where the path does not hold it (`.`)."""
    whole = path.resolve() if path.name in {"", ".."} else path
    name = whole.name if whole.is_dir() else whole.name.split(".")[0]
    return name.strip() or "image"


def check_dtype(what: str, dtype: str) -> None:
    """Raise `InputError` for values that are neither whole numbers nor real ones: complex, true or false, records."""
    if dtype not in DTYPES and dtype not in STORED_AS:
        expected = ", ".join((*DTYPES, *STORED_AS))
        raise InputError(f"{what} holds {dtype} values: expected one of {expected}. Convert the images first")


def words(shape: tuple[int, ...], dtype: str) -> str:
    """A grid for people: `2048 x 2048 uint16`."""
    return f"{' x '.join(map(str, shape))} {dtype}"
