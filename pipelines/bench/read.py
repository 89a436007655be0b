"""How fast a volume is read, against its files alone, and decoded, against the codec alone.

Both methods of `read` find nothing in the system's memory (where the system can be told to forget, which is Linux); the
limit takes the files as they are, ours gives voxels. For `decode` the files are in memory, for its limit the compressed
chunks themselves.
"""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numcodecs
import numpy as np

from pipelines import detect
from pipelines.bench.material import Case, Material
from pipelines.bench.stage import Throughput
from volumetric.geometry.box import Box, index3
from volumetric.geometry.grid import BlockGrid
from volumetric.storage.omezarr import open_ome_zarr
from volumetric.storage.shards import file_format

FILES = "limit: files alone"
CODEC = "limit: codec alone"
COLD = "volumetric, from the disk"
WARM = "volumetric, from memory"


def read(material: Material) -> Throughput:
    """Blocks of a volume from the disk."""
    case = material.case
    megabytes = sum(path.stat().st_size for path in _files(case)) / 1e6
    return Throughput(megabytes, "MB", {FILES: FilesAlone(case), COLD: Blocks(case, cold=True)})


def decode(material: Material) -> Throughput:
    """Blocks of a volume that the system holds in memory."""
    case = material.case
    return Throughput(material.megavoxels, "Mvoxel", {CODEC: CodecAlone(case), WARM: Blocks(case, cold=False)})


def _files(case: Case) -> list[Path]:
    """The files of the finest level."""
    folder = open_ome_zarr(case.volume).levels[0].path
    return sorted(path for path in folder.rglob("*") if path.is_file())


def forget(paths: list[Path]) -> None:
    """Have the system write what it holds of files, and then forget it."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@dataclass(frozen=True)
class FilesAlone:
    """Every file read whole, several at once."""

    case: Case

    def run(self) -> None:
        """Read once."""
        files = _files(self.case)
        forget(files)
        with ThreadPoolExecutor(self.case.resources.workers) as pool:
            list(pool.map(lambda path: len(path.read_bytes()), files))


@dataclass(frozen=True)
class Blocks:
    """The blocks of detection, without what they need of their neighbours, as voxels."""

    case: Case
    cold: bool

    def run(self) -> None:
        """Read once."""
        volume = open_ome_zarr(self.case.volume)
        if self.cold:
            forget(_files(self.case))
        boxes = [block.write for block in BlockGrid(volume.shape, detect.BLOCKS[-1])]
        with ThreadPoolExecutor(self.case.resources.workers) as pool:
            list(pool.map(lambda box: volume.read(box).size, boxes))


@dataclass(frozen=True)
class CodecAlone:
    """Every compressed chunk decoded, nothing put together."""

    case: Case

    def run(self) -> None:
        """Decode once."""
        codec, chunks = _compressed(self.case.volume)
        numcodecs.blosc.use_threads = False
        with ThreadPoolExecutor(self.case.resources.workers) as pool:
            list(pool.map(lambda chunk: len(codec.decode(chunk)), chunks))


@lru_cache(maxsize=1)
def _compressed(path: Path) -> tuple[numcodecs.Blosc, list[bytes]]:
    """The chunks of a volume as they lie on disk, made again before anything is measured."""
    volume = open_ome_zarr(path)
    codec, chunk = file_format(volume.array(0)).codec, volume.chunk(0)
    corners = itertools.product(*(range(0, n, c) for n, c in zip(volume.shape, chunk, strict=True)))
    boxes = [Box(index3(at), index3(a + c for a, c in zip(at, chunk, strict=True))) for at in corners]
    return codec, [codec.encode(np.ascontiguousarray(volume.read(box.clip(volume.shape)))) for box in boxes]
