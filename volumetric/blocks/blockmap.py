"""The one primitive: read boxes, call a pure function of arrays, write what it returns.

    blocks  |  read box -> arrays -> function(block, arrays) -> results -> write box

Readers and writers are callables so that any source and any sink fits; all parts are picklable, so a task can run in
another process. Writers write whole shards or whole files by rename, so a task can be repeated safely.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from volumetric.blocks.plan import Cost, Facts, TaskResult
from volumetric.geometry.box import Box
from volumetric.geometry.grid import Block, BlockGrid

Reader = Callable[[Box], npt.NDArray[Any]]
"""Gives the voxels of a box."""

Writer = Callable[[Block, Any], Facts | None]
"""Stores one result of a block; may report facts."""

Function = Callable[[Block, Mapping[str, npt.NDArray[Any]]], Mapping[str, Any]]
"""Pure: the arrays of the block's read box to named results."""


@dataclass(frozen=True)
class BlockMap:
    """A pass that applies one function to every block of a grid.

    Args:
        name: of the pass, unique in its plan.
        grid: the blocks; write boxes tile the output.
        reads: named arrays, each read over the block's read box.
        function: gets the block and the arrays, gives a result for every writer.
        writes: named writers.
        cost: bounds for one task.
        read_box: the box to read for a write box, where that is more than a fixed halo.
        only: keys of the blocks to work on; None for all of them.
    """

    name: str
    grid: BlockGrid
    reads: Mapping[str, Reader]
    function: Function
    writes: Mapping[str, Writer]
    cost: Cost
    read_box: Callable[[Box], Box] | None = None
    only: frozenset[str] | None = None

    @cached_property
    def keys(self) -> Sequence[str]:
        return [block.key for block in self.grid if self.only is None or block.key in self.only]

    @property
    def layout(self) -> Mapping[str, Any]:
        """Shape, block and halo of the grid, and which blocks of it where these are not all."""
        cut = {"shape": list(self.grid.shape), "block": list(self.grid.block), "halo": list(self.grid.halo)}
        return cut if self.only is None else {**cut, "only": sorted(self.only)}

    def task(self, key: str) -> BlockTask:
        """The work on one block."""
        block = self.grid.block_of(key)
        if self.read_box is not None:
            block = Block(block.index, block.write, self.read_box(block.write))
        return BlockTask(block, self.reads, self.function, self.writes)


@dataclass(frozen=True)
class BlockTask:
    """Read, compute, write one block."""

    block: Block
    reads: Mapping[str, Reader]
    function: Function
    writes: Mapping[str, Writer]

    @property
    def where(self) -> str:
        """The block's write box, for messages."""
        z, y, x = self.block.write.slices
        return f"z {z.start}:{z.stop}, y {y.start}:{y.stop}, x {x.start}:{x.stop}"

    def __call__(self) -> TaskResult:
        """Run the task; it may be run again at any time with the same result."""
        return self.load()()

    def load(self) -> Callable[[], TaskResult]:
        """Read the arrays; what is returned computes and writes."""
        began = time.perf_counter()
        arrays = {name: read(self.block.read) for name, read in self.reads.items()}
        return partial(self._finish, arrays, time.perf_counter() - began)

    def _finish(self, arrays: Mapping[str, npt.NDArray[Any]], seconds_read: float) -> TaskResult:
        began = time.perf_counter()
        results = self.function(self.block, arrays)
        facts: dict[str, Any] = {}
        for name, write in self.writes.items():
            facts.update(write(self.block, results[name]) or {})
        return TaskResult(
            seconds=seconds_read + time.perf_counter() - began,
            bytes_read=sum(array.nbytes for array in arrays.values()),
            bytes_written=sum(_size(results[name]) for name in self.writes),
            facts=facts,
        )


def _size(result: object) -> int:
    if isinstance(result, np.ndarray):
        return int(result.nbytes)
    if isinstance(result, pd.DataFrame):
        return int(result.memory_usage().sum())
    if isinstance(result, Mapping):
        return sum(_size(value) for value in result.values())
    return 0
