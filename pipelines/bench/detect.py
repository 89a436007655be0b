"""How fast cells are found, against the network alone and against another detector.

The limit shows the network full tiles that lie ready in memory, without overlap, and throws its answers away. Ours
reads a volume, normalises it, looks at it with halo and neighbouring slices, links the peaks and writes the table.
Both are counted in voxels that are answered for. The other detector, where it is installed, looks for its candidates
in an array in memory, without the classification that follows.
"""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from pipelines import detect, ingest
from pipelines.bench.measure import Measured, Method
from pipelines.config import Resources
from volumetric.blocks.execute import Execution, execute
from volumetric.detection.batches import batch_of
from volumetric.detection.infer import TILE_PX
from volumetric.detection.model import load_detector
from volumetric.geometry.box import Box, Index3
from volumetric.geometry.space import Um3
from volumetric.learn.device import choose_device, choose_dtype, use_threads
from volumetric.storage.omezarr import open_ome_zarr
from volumetric.storage.sources import open_source

LIMIT = "limit: network alone"
OURS = "volumetric"
CELLFINDER = "cellfinder, candidates"


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
    def device(self) -> torch.device:
        return choose_device(self.resources.device)

    @property
    def shape(self) -> Index3:
        return open_ome_zarr(self.volume).shape

    def clear(self) -> None:
        """Remove what a method wrote."""
        shutil.rmtree(self.work, ignore_errors=True)


class Detect:
    """Slices of noisy tissue are looked through for cells; what counts is the time."""

    unit = "Mvoxel/s"
    peers = frozenset({CELLFINDER})

    def __init__(self, slices: Path, folder: Path, resources: Resources, voxel_um: Um3) -> None:
        source, volume = open_source(slices), folder / "brain.ome.zarr"
        plan = ingest.plan(source, volume, folder / "ingest", ingest.Config(voxel_um=voxel_um), resources)
        execute(plan, folder / "ingest", Execution(resources.workers, resources.memory))
        self.shape = source.shape
        self.case = Case(volume, folder, resources, detect.Config())

    def methods(self) -> Mapping[str, Method]:
        """All that look for cells here, by name, the limit first."""
        found: dict[str, Method] = {LIMIT: NetworkAlone(self.case), OURS: Whole(self.case)}
        if importlib.util.find_spec("cellfinder"):
            found[CELLFINDER] = Cellfinder(self.case)
        return found

    def rate(self, runs: Sequence[Measured]) -> float:
        """Of the fastest run: what disturbs a run only slows it."""
        return math.prod(self.shape) / 1e6 / min(run.wall_s for run in runs)


@dataclass(frozen=True)
class NetworkAlone:
    """The forward pass over as many voxels, tile after tile, on as many threads."""

    case: Case

    def run(self) -> None:
        """Look at everything once."""
        case, device = self.case, self.case.device
        detector = load_detector(case.config.model, device, choose_dtype(case.config.precision, device))
        together = batch_of(device).size
        settings, lattice = detector.settings, detector.network.backbone.multiple_px
        height, width = (min(TILE_PX, -(-n // lattice) * lattice) for n in case.shape[1:])
        shape = (together, 2 * settings.neighbours + 1, height, width)
        tile = torch.zeros(shape, dtype=detector.dtype, device=device).to(memory_format=torch.channels_last)
        threads = max(1, (os.cpu_count() or 1) // case.resources.workers)

        def look(_: int) -> None:
            use_threads(threads)
            with torch.inference_mode():
                detector.network(tile)

        passes = -(-math.prod(case.shape) // (together * height * width))
        with ThreadPoolExecutor(1 if device.type == "cuda" else case.resources.workers) as pool:
            list(pool.map(look, range(passes)))
        if device.type == "cuda":
            torch.cuda.synchronize()


@dataclass(frozen=True)
class Whole:
    """`volumetric detect` as it is."""

    case: Case

    def run(self) -> None:
        """Detect once."""
        case = self.case
        volume = open_ome_zarr(case.volume)
        plan = detect.plan(volume, case.work / "cells.parquet", case.work / "steps", case.config, case.resources)
        execute(plan, case.work / "steps", Execution(case.resources.workers, case.resources.memory))


@dataclass(frozen=True)
class Cellfinder:
    """cellfinder's candidate detection with its usual settings, on all cores."""

    case: Case

    def run(self) -> None:
        """Find the candidates once."""
        from cellfinder.core.detect.detect import main

        volume = open_ome_zarr(self.case.volume)
        spared = max(0, (os.cpu_count() or 1) - self.case.resources.workers)
        main(
            signal_array=volume.read(Box.of_shape(volume.shape), 0, 0),
            voxel_sizes=volume.space.spacing_um,
            n_free_cpus=spared,
            torch_device=self.case.device.type,
        )
