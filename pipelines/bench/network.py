"""How fast the network is, against the arithmetic of the device, and how fast blocks become peaks, against the network.

The network is shown full tiles that lie ready in memory, without overlap, and its answers are thrown away: once all of
them, everywhere, as its forward pass gives them, and once what detection asks of it everywhere, which is less. The
limit of the latter multiplies matrices in the same precision, on the same threads, until as many numbers have been
multiplied and added. Peaks are those of a volume: read, normalised, looked at with halo and neighbouring slices. All
are counted in voxels that are answered for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from pipelines import detect
from pipelines.bench.material import Case, Material
from pipelines.bench.measure import Method
from pipelines.bench.stage import Throughput
from volumetric.blocks.capacity import cores
from volumetric.blocks.memory import keep_large_blocks
from volumetric.detection.batches import batch_of
from volumetric.detection.infer import TILE_PX
from volumetric.detection.model import Detector, load_detector
from volumetric.learn.device import choose_device, choose_dtype, use_threads
from volumetric.storage.omezarr import open_ome_zarr

NETWORK = "limit: network alone"
EVERYTHING = "forward pass, all answers everywhere"
ARITHMETIC = "limit: matrix products alone"
FORWARD = "network"
BLOCKS = "volumetric, blocks to peaks"

MATRIX = 1024
"""Edge of the matrices: large enough for full speed, and small enough for any memory."""


def forward(material: Material) -> Throughput:
    """The network against the arithmetic."""
    case = material.case
    return Throughput(material.megavoxels, "Mvoxel", {ARITHMETIC: Arithmetic(case), FORWARD: NetworkAlone(case)})


def peaks(material: Material) -> Throughput:
    """Blocks of a volume to peaks against the network."""
    case = material.case
    found: dict[str, Method] = {NETWORK: NetworkAlone(case), EVERYTHING: ForwardPass(case), BLOCKS: Blocks(case)}
    return Throughput(material.megavoxels, "Mvoxel", found)


@dataclass(frozen=True)
class _Task:
    """The network, what it is shown at once, and how often."""

    detector: Detector
    tiles: torch.Tensor
    passes: int


def _task(case: Case) -> _Task:
    device = choose_device(case.resources.device)
    detector = load_detector(case.config.model, device, choose_dtype(case.config.precision, device))
    together, lattice = batch_of(device).size, detector.network.backbone.multiple_px
    height, width = (min(TILE_PX, -(-n // lattice) * lattice) for n in case.shape[1:])
    shape = (together, 2 * detector.settings.neighbours + 1, height, width)
    tiles = torch.zeros(shape, dtype=detector.dtype, device=device).to(memory_format=torch.channels_last)
    return _Task(detector, tiles, -(-math.prod(case.shape) // (together * height * width)))


def _together(case: Case, work: Callable[[], object], times: int) -> None:
    """Do something many times, on as many threads, with memory kept, as detection would; a GPU is given all by one."""
    keep_large_blocks()
    on_gpu = choose_device(case.resources.device).type == "cuda"
    threads = max(1, cores() // case.resources.workers)

    def once(_: int) -> None:
        use_threads(threads)
        with torch.inference_mode():
            work()

    with ThreadPoolExecutor(1 if on_gpu else case.resources.workers) as pool:
        list(pool.map(once, range(times)))
    if on_gpu:
        torch.cuda.synchronize()


@dataclass(frozen=True)
class Arithmetic:
    """Products of matrices, as many multiplications as the forward pass needs."""

    case: Case

    def run(self) -> None:
        """Multiply."""
        task = _task(self.case)
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            _look(task)
        needed = counter.get_total_flops() * task.passes
        matrix = torch.ones((MATRIX, MATRIX), dtype=task.detector.dtype, device=task.detector.device)
        _together(self.case, lambda: matrix @ matrix, -(-needed // (2 * MATRIX**3)))


@dataclass(frozen=True)
class NetworkAlone:
    """What detection asks of the network everywhere, over as many voxels, tile after tile, on as many threads."""

    case: Case

    def run(self) -> None:
        """Look at everything once."""
        task = _task(self.case)
        _together(self.case, lambda: _look(task), task.passes)


@dataclass(frozen=True)
class ForwardPass:
    """The forward pass over as many voxels: offsets and sizes everywhere too, and all in full precision."""

    case: Case

    def run(self) -> None:
        """Look at everything once."""
        task = _task(self.case)
        _together(self.case, lambda: task.detector.network(task.tiles), task.passes)


def _look(task: _Task) -> None:
    """The features of tiles, and where a centre is surely likely: nowhere."""
    network = task.detector.network
    network.centres(network.features(task.tiles), math.inf)


@dataclass(frozen=True)
class Blocks:
    """Detection up to its peaks, without linking."""

    case: Case

    def run(self) -> None:
        """Find the peaks once."""
        case, steps = self.case, self.case.work / "steps"
        plan = detect.plan(open_ome_zarr(case.volume), case.work / "cells.parquet", steps, case.config, case.resources)
        found = replace(plan, passes=tuple(p for p in plan.passes if p.name != "link"), outputs=(steps / "parts",))
        case.execute(found, steps)
