"""From rates to what each stage takes: pure arithmetic.

Blocks are shared by all workers, who are taken to be as fast as those that were measured, until the disk gives no more;
single steps (registration, linking, tables) are done by the program and take as long with many workers as with few.
Memory and bytes are those of the stages' own plans.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipelines.config import Resources
from pipelines.forecast.brain import Brain, plans
from pipelines.forecast.rates import Rates
from pipelines.register import Preset
from volumetric.blocks.blockmap import BlockMap
from volumetric.blocks.capacity import TASKS_A_GPU, Capacity
from volumetric.blocks.plan import Plan
from volumetric.errors import InputError
from volumetric.geometry.box import index3
from volumetric.registration.ants import RECIPES
from volumetric.registration.register import coarsening
from volumetric.storage.levels import CHUNK

CELL_UM = 15.0
"""What a cell body spans of slices, at least one. Assumed, as what follows: of the time linking is a small part."""

PEAKS_A_SLICE = 3.0
"""Peaks of a slice for each that belongs to a cell that counts: the others are linked too."""


@dataclass(frozen=True)
class StageForecast:
    """What a stage takes.

    Args:
        stage: its name.
        seconds: from its first task to its last.
        parts: seconds that each of its parts would take if the others took none.
        bottleneck: the part that takes longest.
        bytes_written: at most, as if nothing could be compressed.
        memory_bytes: of the program, or of the program and all workers on its machine.
        workers: tasks at once.
        gpus: GPUs that they use.
    """

    stage: str
    seconds: float
    parts: Mapping[str, float]
    bytes_written: int
    memory_bytes: int
    workers: int
    gpus: int = 0

    @property
    def bottleneck(self) -> str:
        return max(self.parts, key=lambda name: self.parts[name])


def forecast(
    brain: Brain, rates: Rates, resources: Resources, gpus: int, preset: Preset = "standard"
) -> tuple[StageForecast, ...]:
    """All stages of a count, in order.

    Raises `InputError` for GPUs where the rates are of none, or the reverse, and `PlanError` where the memory does not
    do.
    """
    check_gpus(rates, gpus)
    found, room = plans(brain, resources, preset), resources.capacity
    with_gpus = replace(room, workers=TASKS_A_GPU * gpus, processes=True) if gpus else room
    ingest = found["ingest"]
    at_ingest = room.workers if not room.processes else max(ingest.workers(p, room) for p in ingest.passes)
    detect = found["detect"]
    blocks = next(p for p in detect.passes if isinstance(p, BlockMap))
    at_detect = detect.workers(blocks, with_gpus)
    busy = math.ceil(at_detect / TASKS_A_GPU) if gpus else 0
    share = busy or at_detect / rates.workers
    decode = rates.decode * (room.workers / rates.workers if gpus else share) / read_amplification(blocks)
    return (
        _stage(ingest, room, _ingest(brain, rates, at_ingest / rates.workers), at_ingest),
        _stage(found["register"], room, _register(brain, rates, preset), 1),
        _stage(detect, with_gpus, _detect(brain, rates, share, decode, gpus), at_detect, busy),
        _stage(found["assign"], room, _assign(brain, rates), 1),
    )


def check_gpus(rates: Rates, gpus: int) -> None:
    """Raise `InputError` where the rates do not tell how fast so many GPUs are."""
    if gpus and rates.device != "cuda":
        raise InputError(
            f"--gpus {gpus}: the rates were measured without a GPU. Run `volumetric bench --device cuda` on a machine "
            "that has one, and name its figures with --rates"
        )
    if rates.device == "cuda" and not gpus:
        raise InputError("the rates are those of a GPU: give --gpus, or measure with `volumetric bench --device cpu`")


@dataclass(frozen=True)
class _Times:
    """Seconds of a stage, and of its parts."""

    seconds: float
    parts: Mapping[str, float]


def _stage(plan: Plan, capacity: Capacity, times: _Times, workers: int, gpus: int = 0) -> StageForecast:
    return StageForecast(
        stage=plan.stage,
        seconds=times.seconds,
        parts=times.parts,
        bytes_written=sum(len(p.keys) * p.cost.bytes_written for p in plan.passes),
        memory_bytes=max(plan.peak_bytes(p, capacity) for p in plan.passes),
        workers=workers,
        gpus=gpus,
    )


def _ingest(brain: Brain, rates: Rates, share: float) -> _Times:
    """Slices are read as they are; what is written beside it is not taken to slow the disk."""
    voxels = brain.channels * brain.voxels / 1e6
    parts = {"decoding, pooling and compressing": voxels / (rates.ingest * share), "disk": 2 * voxels / rates.files}
    return _Times(max(parts.values()), parts)


def read_amplification(blocks: BlockMap) -> float:
    """Voxels that are decoded for each one that a block in the midst of the volume writes: those of whole chunks."""
    write = blocks.grid.block_at(index3(n // 2 for n in blocks.grid.counts)).write
    read = blocks.read_box(write) if blocks.read_box else write
    return read.divide(CHUNK).multiply(CHUNK).clip(blocks.grid.shape).size / write.size


def _detect(brain: Brain, rates: Rates, share: float, decode: float, gpus: int) -> _Times:
    """`share`: times what was measured at the network and its peaks; `decode`: Mvoxel/s that are decoded as blocks."""
    voxels = brain.voxels / 1e6
    tissue, empty = brain.tissue * voxels, (1 - brain.tissue) * voxels
    blocks = tissue / (rates.peaks * share) + empty / decode
    network = tissue / (rates.forward * share)
    disk = voxels * rates.stored / rates.files
    linking = _peaks(brain) / 1e3 / rates.link
    rest = blocks - network - (0.0 if gpus else voxels / decode)
    parts = {"network": network, "decoding": voxels / decode, "peaks": max(0.0, rest), "disk": disk, "linking": linking}
    # On a GPU blocks are decoded beside the network: many GPUs wait for few processors.
    return _Times(max(blocks, disk, voxels / decode) + linking, parts)


def _peaks(brain: Brain) -> float:
    return brain.cells * max(1.0, CELL_UM / brain.voxel_um[0]) * PEAKS_A_SLICE


def _register(brain: Brain, rates: Rates, preset: Preset) -> _Times:
    atlas = math.prod(brain.atlas_shape)
    seen = atlas / coarsening(brain.atlas_shape, RECIPES[preset].largest) ** 3
    parts = {"ANTs": rates.ants(seen / 1e6), "preparing and refining": rates.refined * atlas / 1e6}
    return _Times(sum(parts.values()), parts)


def _assign(brain: Brain, rates: Rates) -> _Times:
    parts = {"regions of cells": brain.cells / 1e3 / rates.assign}
    return _Times(sum(parts.values()), parts)
