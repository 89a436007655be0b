"""What is going to be done, as a value: passes of tasks with their costs, printed and checked before any work.

A pass is a map over blocks (`blockmap.BlockMap`) or a single step over everything (`reduction.Reduction`). A plan's
identity is what its results depend on; the ledger refuses to mix two identities.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

from volumetric.blocks.capacity import BASE_BYTES, Capacity
from volumetric.errors import PlanError
from volumetric.storage.provenance import digest

Facts = Mapping[str, Any]
"""Small JSON values a task reports: counts, warnings."""


@dataclass(frozen=True)
class Cost:
    """Upper bounds for one task: raw bytes read and written, and memory beyond the base."""

    bytes_read: int = 0
    bytes_written: int = 0
    memory_bytes: int = 0


@dataclass(frozen=True)
class TaskResult:
    """What one task reports when it is done."""

    seconds: float
    bytes_read: int
    bytes_written: int
    facts: Facts


class Task(Protocol):
    """One unit of work: a picklable callable. `where` names its place for messages.

    `load` does the reading and returns the rest of the work, so that the next task can be read while one computes.
    """

    @property
    def where(self) -> str: ...

    def load(self) -> Callable[[], TaskResult]: ...

    def __call__(self) -> TaskResult: ...


class Pass(Protocol):
    """Tasks that do not depend on each other."""

    @property
    def name(self) -> str: ...
    @property
    def cost(self) -> Cost: ...
    @property
    def keys(self) -> Sequence[str]: ...
    @property
    def layout(self) -> Mapping[str, Any]:
        """How the pass is cut; part of the plan's identity."""
        ...

    def task(self, key: str) -> Task: ...


@dataclass(frozen=True)
class Plan:
    """The passes of one stage, in order.

    Args:
        stage: the stage's name.
        version: of the stage's algorithm; raised when the same input would give another result.
        config: settings that change the result.
        inputs: identities of what is read.
        passes: the work.
        outputs: files and folders that exist when the stage is done.
        held_bytes: memory held through the whole stage beside the tasks' own.
    """

    stage: str
    version: int
    config: Mapping[str, Any]
    inputs: Mapping[str, Any]
    passes: tuple[Pass, ...]
    outputs: tuple[Path, ...]
    held_bytes: int = 0

    @property
    def base_bytes(self) -> int:
        """Memory before any task runs."""
        return BASE_BYTES + self.held_bytes

    @property
    def content(self) -> dict[str, Any]:
        """Everything the result depends on, readable."""
        return {
            "stage": self.stage,
            "version": self.version,
            "config": dict(self.config),
            "inputs": dict(self.inputs),
            "passes": {p.name: dict(p.layout) for p in self.passes},
        }

    @property
    def identity(self) -> str:
        """A digest of `content`."""
        return digest(self.content)

    def workers(self, p: Pass, capacity: Capacity) -> int:
        """How many tasks of a pass may run at once: as the workers, their memory and the number of tasks allow.

        A single step runs in this process. Raises `PlanError` where not even one task fits.
        """
        elsewhere = capacity.worker_bytes if len(p.keys) > 1 else None
        room = capacity.memory_bytes - self.base_bytes if elsewhere is None else elsewhere
        each = self.worker_bytes(p, capacity)
        if each > room:
            needs = f"stage {self.stage}, pass {p.name}: one task needs {megabytes(each)}"
            if elsewhere is None:
                raise PlanError(
                    f"{needs} beside {megabytes(self.base_bytes)} for the program, more than the "
                    f"{megabytes(capacity.memory_bytes)} allowed. Raise --memory or choose smaller blocks"
                )
            raise PlanError(
                f"{needs} with the program, more than the {megabytes(room)} it may take of a worker. Give workers more "
                "memory ([cluster] of the settings file, or `dask worker --memory-limit`) or choose smaller blocks"
            )
        fitting = room // each if each and elsewhere is None else capacity.workers
        return max(1, min(capacity.workers, fitting, len(p.keys)))

    def worker_bytes(self, p: Pass, capacity: Capacity) -> int:
        """Memory of one worker at a pass: a task, and what a thread reads ahead, or the program of a process."""
        if len(p.keys) < 2:
            return p.cost.memory_bytes
        return p.cost.memory_bytes + (self.base_bytes if capacity.processes else p.cost.bytes_read)

    def peak_bytes(self, p: Pass, capacity: Capacity) -> int:
        """Projected memory of a pass: the program, and as many workers as may be at it."""
        return self.base_bytes + self.workers(p, capacity) * self.worker_bytes(p, capacity)

    def check_memory(self, capacity: Capacity) -> None:
        """Raise `PlanError` where a task does not fit the memory, or the memory does not fit the machine."""
        for p in self.passes:
            self.workers(p, capacity)
        available = psutil.virtual_memory().total
        if capacity.memory_bytes > available:
            raise PlanError(
                f"--memory asks for {megabytes(capacity.memory_bytes)} but this machine has {megabytes(available)}: "
                "lower it"
            )


def check_disk(needed: int, output: Path) -> None:
    """Raise `PlanError` where the disk of `output` has not `needed` bytes free."""
    place = next(p for p in (output, *output.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise PlanError(
            f"this run may write up to {megabytes(needed)} below {output.parent} but only {megabytes(free)} are free "
            "there. Free some space or choose another --out"
        )


def megabytes(count: int) -> str:
    """Bytes for people: `512 MB`, `3.2 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
