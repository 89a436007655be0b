"""A pass of one task: what needs everything before it, such as a merge, a registration or a publication."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from volumetric.blocks.plan import Cost, Facts, TaskResult


@dataclass(frozen=True)
class Reduction:
    """One step. The function may be called again at any time and then gives the same result."""

    name: str
    function: Callable[[], Facts | None]
    cost: Cost = field(default_factory=Cost)

    @property
    def keys(self) -> Sequence[str]:
        return ("all",)

    @property
    def layout(self) -> Mapping[str, Any]:
        """A step is not cut."""
        return {}

    def task(self, key: str) -> StepTask:
        """The step itself, whatever the key."""
        return StepTask(self.name, self.function, self.cost)


@dataclass(frozen=True)
class StepTask:
    """The step of a reduction as a task; bytes are those of its cost."""

    where: str
    function: Callable[[], Facts | None]
    cost: Cost

    def load(self) -> Callable[[], TaskResult]:
        """A step reads for itself."""
        return self

    def __call__(self) -> TaskResult:
        """Run the step."""
        began = time.perf_counter()
        facts = self.function() or {}
        return TaskResult(time.perf_counter() - began, self.cost.bytes_read, self.cost.bytes_written, facts)
