"""A pass over many small things, such as tiles: some at a time, each time for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from volumetric.blocks.plan import Cost, Facts
from volumetric.blocks.reduction import StepTask


@dataclass(frozen=True)
class Batches:
    """Things numbered 0 to `count` - 1, `size` at a time.

    Args:
        name: of the pass, unique in its plan.
        count: of things.
        size: of a batch; changes how often progress is kept, not the result.
        function: gets the numbers of a batch; may be called again at any time with the same result.
        cost: bounds for one batch.
    """

    name: str
    count: int
    size: int
    function: Callable[[range], Facts | None]
    cost: Cost = field(default_factory=Cost)

    @property
    def keys(self) -> Sequence[str]:
        return [f"{first:08d}" for first in range(0, self.count, self.size)]

    @property
    def layout(self) -> Mapping[str, Any]:
        """How many, and how many at a time."""
        return {"count": self.count, "size": self.size}

    def task(self, key: str) -> StepTask:
        """The work on one batch."""
        first = int(key)
        numbers = range(first, min(first + self.size, self.count))
        return StepTask(f"{self.name} {first} to {numbers.stop - 1}", partial(self.function, numbers), self.cost)
