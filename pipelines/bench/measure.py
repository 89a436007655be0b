"""One method measured in another process: CPU seconds, wall seconds, peak memory over its base."""

from __future__ import annotations

import multiprocessing
import resource
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Protocol

import psutil

from volumetric.blocks.memory import MemoryMonitor
from volumetric.errors import TaskError


class Cleared(Protocol):
    """What a method leaves behind, and how to remove it."""

    def clear(self) -> None: ...


class Method(Protocol):
    """One way to do the work; picklable."""

    @property
    def case(self) -> Cleared: ...

    def run(self) -> None: ...


@dataclass(frozen=True)
class Measured:
    """What one run of a method cost; `first_cpu_s` and `first_wall_s` are those of the run that warmed up, if any."""

    cpu_s: float
    wall_s: float
    peak_bytes: int
    first_cpu_s: float | None = None
    first_wall_s: float | None = None


class Measuring:
    """A process beside this one in which methods are measured; a context manager.

    Args:
        fresh: whether every method gets a process of its own, so that no memory is left from the one before.
    """

    def __init__(self, *, fresh: bool) -> None:
        self.fresh = fresh
        self._process: BaseProcess | None = None

    def __enter__(self) -> Measuring:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def measure(self, method: Method, *, warms_up: bool = True) -> Measured:
        """Run a method, once to import, compile and touch its memory where it `warms_up`, and once measured.

        Raises `TaskError` where it fails.
        """
        if self.fresh:
            self._end()
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, there = context.Pipe()
            self._process = context.Process(target=_measure_all, args=(there,), daemon=False)
            self._process.start()
            there.close()
        self._pipe.send((method, warms_up))
        try:
            outcome: Measured | str = self._pipe.recv()
        except EOFError:
            outcome = "the process died"
        if isinstance(outcome, str):
            raise TaskError(f"a benchmark failed: {outcome}")
        return outcome

    def _end(self) -> None:
        if self._process is not None:
            self._pipe.close()  # at which the process ends
            self._process.join()
            self._process = None


def _measure_all(pipe: Connection) -> None:
    while True:
        try:
            method, warms_up = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(_measure(method, warms_up))
        except Exception as error:  # handed to the parent, which raises it
            pipe.send(f"{type(error).__name__}: {error}")


def _measure(method: Method, warms_up: bool) -> Measured:
    base = psutil.Process().memory_info().rss
    with MemoryMonitor() as monitor:
        first = _timed(method) if warms_up else (None, None)
        if warms_up:
            method.case.clear()
        cpu, wall = _timed(method)
    return Measured(cpu, wall, max(0, monitor.peak_bytes - base), *first)


def _timed(method: Method) -> tuple[float, float]:
    """Seconds of processors and of the clock."""
    began, before = time.perf_counter(), _cpu_s()
    method.run()
    return _cpu_s() - before, time.perf_counter() - began


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)
