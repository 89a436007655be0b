"""What a benchmark of a stage knows, and what most of them have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipelines.bench.measure import Measured, Method


class Stage(Protocol):
    """Ways to do the same work, the limit first: what could at best be reached.

    `unit` is that of the rate. Methods named in `peers` are other programs. Where `warms_up` is set, a method is run
    once before it is measured.
    """

    @property
    def unit(self) -> str: ...
    @property
    def work_unit(self) -> str: ...
    @property
    def peers(self) -> frozenset[str]: ...
    @property
    def warms_up(self) -> bool: ...

    def methods(self) -> Mapping[str, Method]: ...

    def work(self, what: str) -> float:
        """How much a method does in a run, in `work_unit`."""
        ...

    def rate(self, what: str, runs: Sequence[Measured]) -> float: ...


@dataclass(frozen=True)
class Throughput:
    """A stage of which counts how much it does in a second; of several runs the fastest: what disturbs one slows it.

    `others` says how much those methods do that do not do `amount`.
    """

    amount: float
    work_unit: str
    found: Mapping[str, Method]
    peers: frozenset[str] = frozenset()
    warms_up: bool = True
    others: Mapping[str, float] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        return f"{self.work_unit}/s"

    def methods(self) -> Mapping[str, Method]:
        """All methods by name, the limit first."""
        return self.found

    def work(self, what: str) -> float:
        return self.others.get(what, self.amount)

    def rate(self, what: str, runs: Sequence[Measured]) -> float:
        """Work in a second."""
        return self.work(what) / min(run.wall_s for run in runs)
