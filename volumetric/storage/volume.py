"""A multiscale image on disk as the stages see it: boxes of voxels in, boxes of voxels out.

A volume is a value (paths and metadata), so it can be sent to another process; arrays are opened once a process.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3, index3
from volumetric.geometry.space import VoxelSpace
from volumetric.storage.axes import arranged, grid_shape, selection
from volumetric.storage.provenance import digest, folder_identity
from volumetric.storage.shards import file_format, read_file, write_file
from volumetric.storage.stated import UNSTATED, StatedVoxel

OWN_AXES = ("c", "z", "y", "x")
"""Of every array that we write."""


@dataclass(frozen=True)
class StoredLevel:
    """One level as found on disk: the folder of its array, shape (z, y, x), where its voxels lie, the array's axes."""

    path: Path
    shape: Index3
    space: VoxelSpace
    axes: tuple[str, ...]


@dataclass(frozen=True)
class Volume:
    """One image: levels from fine to coarse, all with the same channels.

    `path` is what the user calls the volume; levels usually lie below it, but need not. What it says of itself is in
    `voxel`, `facts` and `doubts`, as of a source; `read_as` is what the user said instead.
    """

    path: Path
    levels: tuple[StoredLevel, ...]
    channels: tuple[str, ...]
    dtype: str
    orientation: str | None
    identity: str | None
    voxel: StatedVoxel = UNSTATED
    facts: tuple[tuple[str, str], ...] = ()
    doubts: tuple[str, ...] = ()
    read_as: tuple[str, ...] = ()

    @property
    def shape(self) -> Index3:
        return self.levels[0].shape

    @property
    def space(self) -> VoxelSpace:
        return self.levels[0].space

    def channel_index(self, channel: str | None) -> int:
        """The position of a named channel; None means the only or first one."""
        if channel is None:
            return 0
        if channel not in self.channels:
            raise InputError(f"{self.path} has no channel {channel!r}; it has {', '.join(self.channels)}")
        return self.channels.index(channel)

    def read(self, box: Box, level: int = 0, channel: int = 0) -> npt.NDArray[np.generic]:
        """The voxels (z, y, x) of a box of one level and channel.

        Raises `InputError` that names the place where stored data is damaged.
        """
        try:
            own = self.identity and self.levels[level].axes == OWN_AXES
            data = self._files(level, box, channel) if own else self._zarr(level, box, channel)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # zarr's codecs raise many kinds for damaged data
            raise InputError(
                f"{self.levels[level].path} is damaged within z, y, x {box.start} to {box.stop}: {error}. "
                f"`volumetric info {self.path} --verify` names the files"
            ) from error
        return data.astype(self.dtype, copy=False)

    def _zarr(self, level: int, box: Box, channel: int) -> npt.NDArray[np.generic]:
        """Voxels of a volume that anybody may have made."""
        axes = self.levels[level].axes
        return arranged(axes, np.asarray(self.array(level)[selection(axes, box, channel)]))

    def _files(self, level: int, box: Box, channel: int) -> npt.NDArray[np.generic]:
        """Voxels of a volume of our own, at a third of the time; those of files that are not there are 0."""
        form, shape = file_format(self.array(level)), self.shard(level)
        out = np.empty(box.shape, self.dtype)
        for part in self.shards(level, box):
            place, corner = out[part.relative_to(box).slices], part.divide(shape).multiply(shape)
            try:
                read_file(self.shard_file(level, part, channel), part.relative_to(corner), shape, form, place)
            except FileNotFoundError:
                place[...] = 0
        return out

    def write(self, box: Box, data: npt.NDArray[Any], level: int = 0, channel: int = 0, *, threads: int = 1) -> None:
        """Write the voxels of a box made of whole shards of one level and channel, `threads` shards at once.

        A shard on disk is whole: each is written beside its place and renamed.
        """
        if data.shape != box.shape:
            raise InputError(f"a box of shape {box.shape} cannot take data of shape {data.shape}")
        form, shape = file_format(self.array(level)), self.shard(level)

        def write_shard(part: Box) -> None:
            voxels = data[part.relative_to(box).slices].astype(self.dtype, copy=False)
            write_file(self.shard_file(level, part, channel), voxels, shape, form)

        shards = self.shards(level, box)
        if threads == 1:
            for part in shards:
                write_shard(part)
        else:
            with ThreadPoolExecutor(threads, thread_name_prefix="shard") as pool:
                list(pool.map(write_shard, shards))

    def shard(self, level: int) -> Index3:
        """The shape (z, y, x) of what one file of a level holds."""
        array = self.array(level)
        return grid_shape(self.levels[level].axes, array.shards or array.chunks)

    def chunk(self, level: int) -> Index3:
        """The shape (z, y, x) of what is decoded together."""
        return grid_shape(self.levels[level].axes, self.array(level).chunks)

    def shards(self, level: int, box: Box) -> Iterator[Box]:
        """The parts of a box that lie in one file each."""
        edges = [
            sorted({a, b, *range(a - a % s + s, b, s)})
            for a, b, s in zip(box.start, box.stop, self.shard(level), strict=True)
        ]
        for cut in itertools.product(*(itertools.pairwise(edge) for edge in edges)):
            yield Box(index3(a for a, _ in cut), index3(b for _, b in cut))

    def shard_file(self, level: int, box: Box, channel: int = 0) -> Path:
        """The file that holds a box."""
        array = self.array(level)
        starts = dict(zip("zyx", box.start, strict=True)) | {"c": channel}
        files = zip(self.levels[level].axes, array.shards or array.chunks, strict=True)
        index = tuple(starts.get(axis, 0) // size for axis, size in files)
        return self.levels[level].path / array.metadata.encode_chunk_key(index)

    def fingerprint(self) -> str:
        """Changes when the volume does, or what the user says of it.

        It is the volume's own identity, or what a foreign one's files hold.
        """
        found = self.identity or folder_identity(self.path)
        return digest([found, *self.read_as]) if self.read_as else found

    def nearest_level(self, spacing_um: float) -> int:
        """The coarsest level whose voxel edges are all at most `spacing_um`; 0 where none is."""
        fitting = [i for i, lv in enumerate(self.levels) if max(lv.space.spacing_um) <= spacing_um * 1.0001]
        return max(fitting, default=0)

    def array(self, level: int) -> zarr.Array[Any]:
        """The Zarr array of a level, with all of the volume's axes, for reading."""
        stored = self.levels[level]
        return _open_array(str(stored.path), stored.shape, self.identity)


@lru_cache(maxsize=64)
def _open_array(path: str, shape: Index3, identity: str | None) -> zarr.Array[Any]:
    """Shape and identity only keep a volume apart from an earlier one at the same path."""
    return zarr.open_array(path, mode="r")
