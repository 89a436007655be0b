"""Running a plan: a bounded window of tasks in flight, on threads or dask workers, each entered when done.

What the ledger holds is skipped, so a run that was killed continues where it was. A task that fails is tried again
after all others, since the cause may pass; one that fails for good is named with its place, the others go on, and the
stage then stops with all failures listed. Threads read the next task while one computes.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from volumetric.blocks.ledger import Ledger
from volumetric.blocks.memory import MemoryMonitor, give_back_large_blocks
from volumetric.blocks.plan import Pass, Plan, Task, TaskResult, check_disk
from volumetric.blocks.telling import listening
from volumetric.errors import TaskError, VolumetricError

WINDOW = 2
"""Tasks in flight a worker: one running, one waiting, so that no worker idles and nothing piles up."""

RETRIES = 2
"""How often a task is tried again that failed for a reason which may pass: a lost drive, a dead worker."""

PAUSE_S = 0.5
"""Wait before a task is tried again, times the failures it has had."""

MAX_FAILURES = 10

LOGGED = 100
"""Events that dask keeps in memory: its thousands would grow with the number of tasks; the ledger keeps its own."""


class OnProgress(Protocol):
    """Told when a pass begins and after every task: pass, tasks done and all, MB read by this task.

    A pass of one long step may tell of its parts in between.
    """

    def __call__(self, stage: str, pass_name: str, done: int, total: int, megabytes: float) -> None: ...


@dataclass(frozen=True)
class Execution:
    """How to run: nothing here changes a result."""

    workers: int = os.cpu_count() or 1
    memory_bytes: int = 8 * 10**9
    executor: Literal["threads", "dask"] = "threads"
    on_progress: OnProgress | None = None


def execute(plan: Plan, folder: Path, execution: Execution) -> Ledger:
    """Run what is left of a plan, recorded in `folder`; returns the ledger, complete.

    Raises `PlanError` (does not fit), `OutputError` (folder of another run) or `TaskError` (tasks failed); where a pass
    is a single step, the error that this raised.
    """
    ledger = Ledger(folder, plan)
    ledger.refuse_other()
    plan.check_memory(execution.memory_bytes, execution.workers)
    check_disk(ledger.bytes_left(), plan.outputs[0])
    give_back_large_blocks()
    with ledger.open(), MemoryMonitor() as monitor:
        if ledger.is_complete():
            return ledger
        ledger.journal("begin", workers=execution.workers, executor=execution.executor)
        try:
            for current in plan.passes:
                _run_pass(plan, current, ledger, execution)
        finally:
            ledger.journal("end", peak_memory_bytes=monitor.peak_bytes)
    return ledger


def _run_pass(plan: Plan, current: Pass, ledger: Ledger, execution: Execution) -> None:
    keys = list(current.keys)
    done = ledger.done(current.name) & set(keys)
    left = [key for key in keys if key not in done]
    if not left:
        return
    workers = plan.workers(current, execution.memory_bytes, execution.workers)
    failures: list[str] = []
    finished = len(done)

    def show(done: int, total: int, megabytes: float = 0.0) -> None:
        if execution.on_progress is not None:
            execution.on_progress(plan.stage, current.name, done, total, megabytes)

    show(finished, len(keys))
    with listening(show), _pool(execution, workers if len(keys) > 1 else 0) as submit:
        for key, outcome in _windowed(current, left, submit, workers * WINDOW, ledger):
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


Submit = Callable[[Task], "Future[TaskResult]"]


def _windowed(
    current: Pass, keys: list[str], submit: Submit, window: int, ledger: Ledger
) -> Iterator[tuple[str, TaskResult | Exception]]:
    """Outcomes as they come, with at most `window` tasks handed out; what fails is tried again at the end."""
    waiting = deque(keys)
    failed: Counter[str] = Counter()
    flying: dict[Future[TaskResult], str] = {}
    try:
        while True:
            while len(flying) < window and waiting:
                key = waiting.popleft()
                time.sleep(PAUSE_S * failed[key])
                ledger.journal("start", **{"pass": current.name, "key": key})
                flying[submit(current.task(key))] = key
            if not flying:
                return
            ready, _ = wait(flying, return_when=FIRST_COMPLETED)
            for future in ready:
                key = flying.pop(future)
                error = future.exception()
                if error is None:
                    yield key, future.result()
                elif not isinstance(error, Exception):
                    raise error
                elif failed[key] < RETRIES and not isinstance(error, VolumetricError):
                    failed[key] += 1
                    ledger.journal("retry", **{"pass": current.name, "key": key, "reason": _reason(error)})
                    waiting.append(key)
                else:
                    yield key, error
    finally:
        for future in flying:
            future.cancel()


@contextmanager
def _pool(execution: Execution, workers: int) -> Iterator[Submit]:
    """A way to hand out tasks: in this thread (0 workers), to threads, or to dask workers."""
    if workers == 0:
        yield _run_here
    elif execution.executor == "threads":
        with (
            ThreadPoolExecutor(workers, thread_name_prefix="block") as pool,
            ThreadPoolExecutor(workers, thread_name_prefix="read") as readers,
        ):
            yield partial(_read_ahead, readers, pool)
    else:
        with _dask_pool(workers) as submit:
            yield submit


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _run_here(task: Task) -> Future[TaskResult]:
    future: Future[TaskResult] = Future()
    try:
        future.set_result(task())
    except Exception as error:  # handed on through the future, as a pool would
        future.set_exception(error)
    return future


def _read_ahead(readers: ThreadPoolExecutor, pool: ThreadPoolExecutor, task: Task) -> Future[TaskResult]:
    """Read with one pool, then compute and write with the other; nothing more is begun once it is cancelled."""
    outcome: Future[TaskResult] = Future()

    def load() -> Callable[[], TaskResult] | None:
        return None if outcome.cancelled() else task.load()

    def go_on(loading: Future[Callable[[], TaskResult] | None]) -> None:
        if not outcome.set_running_or_notify_cancel():
            return
        error = loading.exception()
        rest = None if error else loading.result()
        if rest is not None:
            pool.submit(rest).add_done_callback(settle)
        else:
            outcome.set_exception(error)

    def settle(done: Future[TaskResult]) -> None:
        error = done.exception()
        if error is None:
            outcome.set_result(done.result())
        else:
            outcome.set_exception(error)

    readers.submit(load).add_done_callback(go_on)
    return outcome


@contextmanager
def _dask_pool(workers: int) -> Iterator[Submit]:
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set({"distributed.admin.log-length": LOGGED, "distributed.admin.low-level-log-length": LOGGED}),
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster) as client,
        ThreadPoolExecutor(workers * WINDOW, thread_name_prefix="dask-wait") as waiters,
    ):

        def run(task: Task) -> TaskResult:
            remote: Any = client.submit(task, pure=False)
            result: TaskResult = remote.result()
            return result

        yield lambda task: waiters.submit(run, task)
