"""Verify: every file of a volume read again and its checksums compared; what is damaged is named.

Inputs: a `Volume`. Output: nothing on disk; a list of `Damage`. A task reads the files of one block of a level.
Capacity: one file at a time in each worker.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from pipelines.config import Resources
from pipelines.stage import Stage, run
from volumetric.blocks.blockmap import BlockMap
from volumetric.blocks.plan import Cost, Plan
from volumetric.geometry.box import Box, index3
from volumetric.geometry.grid import Block, BlockGrid
from volumetric.storage.integrity import Damage, check_shard
from volumetric.storage.volume import Volume

VERSION = 1
FILES_A_TASK = (1, 4, 4)
"""Along z, y, x: some hundred megabytes, so that a task takes its second."""


def find_damage(volume: Volume, resources: Resources, console: Console) -> list[Damage]:
    """All damaged or missing files of a volume, from level 0 on, with a progress bar."""
    shared = Path.cwd() if resources.cluster.is_elsewhere else None  # workers see the folder that we are in
    with tempfile.TemporaryDirectory(prefix=".volumetric-verify-", dir=shared) as folder:
        plan = _plan(volume, Path(folder) / "verified")
        (ledger,) = run([Stage(plan, Path(folder))], resources, console)
        return [
            Damage(level, channel, Box(index3(start), index3(stop)), Path(file), reason)
            for current in plan.passes
            for entry in ledger.entries(current.name).values()
            for level, channel, start, stop, file, reason in entry["facts"]["damage"]
        ]


@dataclass(frozen=True)
class _Check:
    """The function of a pass: it reads file by file instead of whole blocks."""

    volume: Volume
    level: int
    channel: int

    def damage(self, block: Block, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, list[Damage]]:
        """What is wrong with the files of a block."""
        boxes = self.volume.shards(self.level, block.write)
        return {"damage": [d for box in boxes if (d := check_shard(self.volume, self.level, self.channel, box))]}


def _facts(block: Block, damage: list[Damage]) -> dict[str, Any]:
    return {"damage": [(d.level, d.channel, d.box.start, d.box.stop, str(d.file), d.reason) for d in damage]}


def _plan(volume: Volume, out: Path) -> Plan:
    itemsize = np.dtype(volume.dtype).itemsize
    passes = []
    for level, stored in enumerate(volume.levels):
        shard = volume.shard(level)
        unit = index3(n * f for n, f in zip(shard, FILES_A_TASK, strict=True))
        memory = 3 * int(np.prod(shard)) * itemsize
        for channel in range(len(volume.channels)):
            check = _Check(volume, level, channel)
            passes.append(
                BlockMap(
                    name=f"level-{channel}-{level}",
                    grid=BlockGrid(stored.shape, unit),
                    reads={},
                    function=check.damage,
                    writes={"damage": _facts},
                    cost=Cost(0, 0, memory),
                )
            )
    return Plan("verify", VERSION, {}, {"volume": str(volume.path)}, tuple(passes), (out,))
