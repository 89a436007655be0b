"""What the benchmarks of images look at: slices, a volume made of them, and a place for outputs."""

from __future__ import annotations

import math
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import tifffile
from scipy import ndimage

from pipelines import detect, ingest
from pipelines.config import Resources
from volumetric.blocks.cluster import open_cluster
from volumetric.blocks.execute import Execution, execute
from volumetric.blocks.plan import Plan
from volumetric.geometry.box import Index3
from volumetric.geometry.space import Um3
from volumetric.storage.omezarr import open_ome_zarr
from volumetric.storage.sources import open_source

VOXEL_UM = (5.0, 0.7, 0.7)


@dataclass(frozen=True)
class Material:
    """Slices, a folder for all that is made, and what every method may use."""

    slices: Path
    folder: Path
    resources: Resources
    voxel_um: Um3 = VOXEL_UM

    @cached_property
    def shape(self) -> Index3:
        """Of the slices, put one on another."""
        return open_source(self.slices).shape

    @property
    def megavoxels(self) -> float:
        return math.prod(self.shape) / 1e6

    @cached_property
    def case(self) -> Case:
        """The volume made of the slices; the first who asks makes it."""
        volume, work = self.folder / "brain.ome.zarr", self.folder / "ingest"
        config = ingest.Config(voxel_um=self.voxel_um)
        plan = ingest.plan(open_source(self.slices), volume, work, config, self.resources)
        made = Case(volume, self.folder, self.resources, detect.Config())
        made.execute(plan, work)
        return made

    @property
    def without_volume(self) -> Case:
        """For stages that look at no images: its volume is not there."""
        return Case(self.folder / "brain.ome.zarr", self.folder, self.resources, detect.Config())


@dataclass(frozen=True)
class Case:
    """A volume, a place for outputs, and what every method may use."""

    volume: Path
    folder: Path
    resources: Resources
    config: detect.Config

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def shape(self) -> Index3:
        return open_ome_zarr(self.volume).shape

    def execute(self, plan: Plan, steps: Path) -> None:
        """Run a plan whose ledger is in `steps`."""
        with open_cluster(self.resources.cluster) or nullcontext() as cluster:
            execute(plan, steps, Execution(self.resources.workers, self.resources.memory, cluster))

    def clear(self) -> None:
        """Remove what a method wrote."""
        shutil.rmtree(self.work, ignore_errors=True)


def write_tissue(folder: Path, slices: int, edge: int, seed: int = 0) -> None:
    """Slices as a microscope gives them: uneven background, many cells, photon and read noise, uncompressed."""
    rng = np.random.default_rng(seed)
    background = 300 + 200 * ndimage.zoom(rng.random((9, 9)), edge / 9, order=3)[:edge, :edge]
    cells = np.zeros((edge, edge), np.float32)
    places = rng.integers(0, edge, (edge * edge // 9000, 2))
    cells[places[:, 0], places[:, 1]] = rng.uniform(2e4, 2e5, len(places))
    tissue = (background + ndimage.gaussian_filter(cells, 3)).astype(np.float32)
    folder.mkdir(parents=True)
    for number in range(slices):
        shifted = np.roll(tissue, 7 * number, axis=(0, 1))
        noisy = shifted + np.sqrt(shifted) * rng.standard_normal(shifted.shape, np.float32)
        tifffile.imwrite(folder / f"tissue_{number:05}.tif", np.clip(noisy + 20, 0, 65535).astype(np.uint16))
