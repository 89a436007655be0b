"""What converting slices costs, against the limit and against other ways of doing it.

The limit reads every slice into a buffer and compresses its chunks, and does nothing else. All methods use the same
slices, chunks and codec; `dask` and `ome-zarr-py` are used as their manuals show.
"""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import tifffile

from pipelines import ingest
from pipelines.bench.material import VOXEL_UM, Material
from pipelines.bench.measure import Measured, Method
from pipelines.config import Resources
from volumetric.blocks.execute import Execution, execute
from volumetric.blocks.plan import Plan
from volumetric.blocks.reduction import Reduction
from volumetric.geometry.space import VoxelSpace
from volumetric.storage.levels import CHUNK, SHARD, plan_levels
from volumetric.storage.omezarr import create_volume, describe_volume
from volumetric.storage.sources import open_source

LIMIT = "limit: read + compress"
LEVEL_0 = "volumetric, level 0"
OURS = "volumetric, with pyramid"
DASK = "dask + zarr, level 0"
OME_ZARR_PY = "ome-zarr-py, with pyramid"


@dataclass(frozen=True)
class Case:
    """One data set, a place for outputs, and the threads every method may use."""

    slices: Path
    folder: Path
    workers: int

    @property
    def out(self) -> Path:
        return self.folder / "out.ome.zarr"

    @property
    def resources(self) -> Resources:
        return Resources(workers=self.workers, memory=4 * 10**9)

    def clear(self) -> None:
        """Remove what a method wrote."""
        for path in (self.out, self.folder / "work"):
            shutil.rmtree(path, ignore_errors=True)


class Ingest:
    """Slices of noisy tissue become a volume; what it costs is CPU time."""

    unit = "CPU s/GB"
    work_unit = "Mvoxel"
    peers = frozenset({DASK, OME_ZARR_PY})
    warms_up = True

    def __init__(self, material: Material) -> None:
        source = open_source(material.slices)
        self.megavoxels = material.megavoxels
        self.gigabytes: float = math.prod(source.shape) * np.dtype(source.dtype).itemsize / 1e9
        self.case = Case(material.slices, material.folder, material.resources.workers)

    def methods(self) -> Mapping[str, Method]:
        """All ways to convert, by name, the limit first."""
        case = self.case
        return {
            LIMIT: Limit(case),
            LEVEL_0: LevelZero(case),
            OURS: Pyramid(case),
            DASK: Dask(case),
            OME_ZARR_PY: OmeZarrPy(case),
        }

    def work(self, what: str) -> float:
        return self.megavoxels

    def rate(self, what: str, runs: Sequence[Measured]) -> float:
        """Of the run with the least CPU: what disturbs a run only adds to it."""
        return min(run.cpu_s for run in runs) / self.gigabytes


@dataclass(frozen=True)
class Limit:
    """Every slice read into a slab, every chunk compressed, nothing written."""

    case: Case

    def run(self) -> None:
        """Convert once."""
        source = open_source(self.case.slices)
        codec = numcodecs.Blosc(cname="zstd", clevel=1, shuffle=numcodecs.Blosc.SHUFFLE)
        numcodecs.blosc.use_threads = False
        depth, (rows, columns) = SHARD[0], source.shape[1:]
        slab = np.empty((depth, rows, columns), source.dtype)
        files = sorted(self.case.slices.iterdir())

        def load(number: int) -> None:
            tifffile.imread(files[number], out=slab[number % depth], maxworkers=1)

        def compress(corner: tuple[int, ...]) -> None:
            z, y, x = corner
            codec.encode(np.ascontiguousarray(slab[z : z + CHUNK[0], y : y + CHUNK[1], x : x + CHUNK[2]]))

        corners = list(
            itertools.product(range(0, depth, CHUNK[0]), range(0, rows, CHUNK[1]), range(0, columns, CHUNK[2]))
        )
        with ThreadPoolExecutor(self.case.workers) as pool:
            for first in range(0, len(files), depth):
                list(pool.map(load, range(first, min(first + depth, len(files)))))
                list(pool.map(compress, corners))


@dataclass(frozen=True)
class LevelZero:
    """Our converter, the finest level alone."""

    case: Case

    def run(self) -> None:
        """Convert once."""
        source = open_source(self.case.slices)
        levels = plan_levels(source.shape, VoxelSpace(VOXEL_UM))[:1]
        volume = describe_volume(self.case.out, levels, source.channels, source.dtype, orientation=None, identity="b")
        unit = ingest.choose_unit(levels[0], source.grain, 2, self.case.resources.memory)
        slabs = ingest.Conversion(volume, levels, 0, max(1, self.case.workers // 2)).slabs(source, unit)
        layout = Reduction("layout", lambda: create_volume(volume, levels))
        plan = Plan("bench", 1, {}, {}, (layout, slabs), (self.case.out,))
        execute(plan, self.case.folder / "work", Execution(self.case.workers, self.case.resources.memory))


@dataclass(frozen=True)
class Pyramid:
    """Our converter as it is."""

    case: Case

    def run(self) -> None:
        """Convert once."""
        case = self.case
        config = ingest.Config(voxel_um=VOXEL_UM)
        plan = ingest.plan(open_source(case.slices), case.out, case.folder / "work", config, case.resources)
        execute(plan, case.folder / "work", Execution(case.workers, case.resources.memory))


@dataclass(frozen=True)
class Dask:
    """A dask array of the slices, rechunked and stored by zarr with its usual settings."""

    case: Case

    def run(self) -> None:
        """Convert once."""
        import dask
        import zarr

        array = _lazy(self.case.slices)
        codec = zarr.codecs.BloscCodec(cname="zstd", clevel=1, shuffle="shuffle")
        target = zarr.create_array(
            str(self.case.out), shape=array.shape, chunks=CHUNK, shards=SHARD, dtype=array.dtype, compressors=codec
        )
        with dask.config.set(scheduler="threads", num_workers=self.case.workers):
            array.rechunk(SHARD).store(target, lock=False)


@dataclass(frozen=True)
class OmeZarrPy:
    """ome-zarr-py's `write_image` of the same dask array, with its own pyramid."""

    case: Case

    def run(self) -> None:
        """Convert once."""
        import dask
        import zarr
        from ome_zarr.writer import write_image

        group = zarr.open_group(str(self.case.out), mode="w")
        options = {
            "chunks": CHUNK,
            "shards": SHARD,
            "compressors": zarr.codecs.BloscCodec(cname="zstd", clevel=1, shuffle="shuffle"),
        }
        with dask.config.set(scheduler="threads", num_workers=self.case.workers):
            write_image(_lazy(self.case.slices).rechunk(SHARD), group, axes="zyx", storage_options=options)


def _lazy(slices: Path) -> Any:  # noqa: ANN401 - a dask array
    import dask.array as da
    from dask.delayed import delayed

    files = sorted(slices.iterdir())
    first = tifffile.imread(files[0])
    planes = [da.from_delayed(delayed(tifffile.imread)(f), first.shape, first.dtype) for f in files]
    return da.stack(planes)
