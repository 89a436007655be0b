"""One method measured in a process of its own: CPU seconds, wall seconds, peak memory over its base."""

from __future__ import annotations

import multiprocessing
import resource
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
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
    """What one run of a method cost."""

    cpu_s: float
    wall_s: float
    peak_bytes: int


def measure(method: Method) -> Measured:
    """Run a method in a fresh process, once to import, compile and touch its memory, and once measured.

    Raises `TaskError` where it fails.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(method, there))
    process.start()
    there.close()
    try:
        outcome: Measured | str = here.recv()
    except EOFError:
        outcome = "the process died"
    process.join()
    if isinstance(outcome, str):
        raise TaskError(f"a benchmark failed: {outcome}")
    return outcome


def _measure(method: Method, pipe: Connection) -> None:
    try:
        base = psutil.Process().memory_info().rss
        with MemoryMonitor() as monitor:
            method.run()
        method.case.clear()
        began, before = time.perf_counter(), _cpu_s()
        method.run()
        wall, cpu = time.perf_counter() - began, _cpu_s() - before
        pipe.send(Measured(cpu, wall, max(0, monitor.peak_bytes - base)))
    except Exception as error:  # handed to the parent, which raises it
        pipe.send(f"{type(error).__name__}: {error}")


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)
