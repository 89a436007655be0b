"""Running a plan: a bounded window of tasks in flight, on threads or workers of a cluster, each entered when done.

What the ledger holds is skipped, so a run that was killed continues where it was. A task that fails is tried again
after all others, since the cause may pass; one that fails for good is named with its place, the others go on, and the
stage then stops with all failures listed. A task whose worker died is handed out again more often than that, since
workers of a cluster are taken away at any time; where one has cost too many, it is what kills them.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from volumetric.blocks.capacity import Capacity, capacity_of, cores
from volumetric.blocks.cluster import Cluster
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.memory import MemoryMonitor, give_back_large_blocks
from volumetric.blocks.plan import Pass, Plan, TaskResult, check_disk
from volumetric.blocks.pools import WINDOW, Pool, WorkerLostError, here, threads, workers_of
from volumetric.blocks.telling import listening
from volumetric.errors import ClusterError, TaskError, VolumetricError

__all__ = ["LOSSES", "RETRIES", "WINDOW", "Execution", "execute"]

RETRIES = 2
"""How often a task is tried again that failed for a reason which may pass, such as a lost drive."""

LOSSES = 10
"""How often a task is handed out again whose worker died; one that has cost more workers is what kills them."""

PAUSE_S = 0.5
"""Wait before a task is tried again, times the failures it has had."""

MAX_FAILURES = 10

WAIT_S = 1.0
"""How often workers are looked after while no task ends."""


class OnProgress(Protocol):
    """Told when a pass begins and after every task: pass, tasks done and all, MB read by this task.

    A pass of one long step may tell of its parts in between.
    """

    def __call__(self, stage: str, pass_name: str, done: int, total: int, megabytes: float) -> None: ...


@dataclass(frozen=True)
class Execution:
    """How to run: nothing here changes a result."""

    workers: int = field(default_factory=cores)
    memory_bytes: int = 8 * 10**9
    cluster: Cluster | None = None
    on_progress: OnProgress | None = None

    @property
    def capacity(self) -> Capacity:
        """What tasks may use; raises `InputError` where the cluster cannot be had."""
        if self.cluster is None:
            return Capacity(self.workers, self.memory_bytes)
        return capacity_of(self.cluster.settings, self.workers, self.memory_bytes)


def execute(plan: Plan, folder: Path, execution: Execution) -> Ledger:
    """Run what is left of a plan, recorded in `folder`; returns the ledger, complete.

    Raises `PlanError` (does not fit), `OutputError` (folder of another run), `TaskError` (tasks failed) or
    `ClusterError` (the workers are gone); where a pass is a single step, the error that this raised.
    """
    ledger = Ledger(folder, plan)
    ledger.refuse_other()
    capacity = execution.capacity
    plan.check_memory(capacity)
    check_disk(ledger.bytes_left(), plan.outputs[0])
    give_back_large_blocks()
    with ledger.open(), MemoryMonitor() as monitor:
        if ledger.is_complete():
            return ledger
        kind = execution.cluster.settings.kind if execution.cluster else "threads"
        ledger.journal("begin", workers=capacity.workers, cluster=kind)
        try:
            for current in plan.passes:
                _run_pass(plan, current, ledger, execution, capacity)
        finally:
            ledger.journal("end", peak_memory_bytes=monitor.peak_bytes)
    return ledger


def _run_pass(plan: Plan, current: Pass, ledger: Ledger, execution: Execution, capacity: Capacity) -> None:
    keys = list(current.keys)
    done = ledger.done(current.name) & set(keys)
    left = [key for key in keys if key not in done]
    if not left:
        return
    workers = plan.workers(current, capacity)
    failures: list[str] = []
    finished = len(done)

    def show(done: int, total: int, megabytes: float = 0.0) -> None:
        if execution.on_progress is not None:
            execution.on_progress(plan.stage, current.name, done, total, megabytes)

    show(finished, len(keys))
    with listening(show), _pool(execution.cluster, current, workers, ledger.folder) as pool:
        for key, outcome in _windowed(current, left, pool, ledger):
            if isinstance(outcome, VolumetricError) and len(keys) == 1:
                raise outcome  # it says by itself what went wrong
            if isinstance(outcome, Exception):
                failures.append(f"{current.task(key).where}: {_reason(outcome)}")
                if len(failures) >= MAX_FAILURES:
                    break
                continue
            ledger.enter(current.name, key, outcome)
            finished += 1
            show(finished, len(keys), outcome.bytes_read / 1e6)
    if failures:
        raise TaskError(
            f"stage {plan.stage}, pass {current.name}: {len(failures)} of {len(keys)} tasks failed:\n  "
            + "\n  ".join(failures)
            + "\nThe finished ones are kept; mend the cause and repeat the command to go on"
        )


def _windowed(
    current: Pass, keys: list[str], pool: Pool, ledger: Ledger
) -> Iterator[tuple[str, TaskResult | Exception]]:
    """Outcomes as they come, with a window of tasks handed out; what fails is tried again at the end."""
    waiting = deque(keys)
    failed: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    flying: dict[Future[TaskResult], str] = {}
    ready: SimpleQueue[Future[TaskResult]] = SimpleQueue()
    try:
        while waiting or flying:
            while waiting and len(flying) < pool.window():
                key = waiting.popleft()
                time.sleep(PAUSE_S * failed[key])
                ledger.journal("start", **{"pass": current.name, "key": key})
                future = pool.submit(key)
                flying[future] = key
                future.add_done_callback(ready.put)
            pool.look_after()
            try:
                future = ready.get(timeout=WAIT_S)
            except Empty:
                continue
            key = flying.pop(future)
            error = future.exception()
            if error is None:
                yield key, future.result()
            elif isinstance(error, ClusterError) or not isinstance(error, Exception):
                raise error
            elif isinstance(error, WorkerLostError) and lost[key] < LOSSES:
                lost[key] += 1
                ledger.journal("lost", **{"pass": current.name, "key": key})
                waiting.append(key)
            elif isinstance(error, WorkerLostError):
                yield key, TaskError(f"{lost[key] + 1} workers died at it, perhaps for want of memory")
            elif failed[key] < RETRIES and not isinstance(error, VolumetricError):
                failed[key] += 1
                ledger.journal("retry", **{"pass": current.name, "key": key, "reason": _reason(error)})
                waiting.append(key)
            else:
                yield key, error
    finally:
        for future in flying:
            future.cancel()


def _pool(cluster: Cluster | None, current: Pass, workers: int, folder: Path) -> AbstractContextManager[Pool]:
    """Who does a pass with so many workers; a single step is done here."""
    many = len(current.keys) > 1
    if many and cluster is not None:
        return workers_of(cluster, current, workers, folder)
    if cluster is not None:
        cluster.rest()
    return threads(current, workers) if many else here(current)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
