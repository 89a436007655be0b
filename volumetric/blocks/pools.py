"""Who does the tasks of a pass: this thread, threads of this process, or the workers of a cluster.

All hand back a future a task, so that the engine has one loop. What the tasks of a pass have in common, such as an
atlas, is written once beside the ledger, where each worker reads it once: a task on its way is a key.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from threadpoolctl import threadpool_limits

from volumetric.blocks.capacity import cores
from volumetric.blocks.cluster import Cluster
from volumetric.blocks.memory import give_back_large_blocks
from volumetric.blocks.plan import Pass, Task, TaskResult
from volumetric.errors import InputError
from volumetric.storage.atomic import name_writer, replacing
from volumetric.version import __version__

WINDOW = 2
"""Tasks in flight a worker: one running, one waiting, so that no worker idles and nothing piles up."""


class WorkerLostError(Exception):
    """The worker that had a task died: killed, pre-empted, out of memory. The task may not be to blame."""


@dataclass(frozen=True)
class Pool:
    """A way to hand out tasks.

    Args:
        submit: hands out the task of a key.
        window: how many may be in flight just now.
        look_after: sees to lost workers; called often.
    """

    submit: Callable[[str], Future[TaskResult]]
    window: Callable[[], int]
    look_after: Callable[[], None] = lambda: None


@contextmanager
def here(current: Pass) -> Iterator[Pool]:
    """In this thread, one after another."""
    yield Pool(lambda key: _run_here(current.task(key)), lambda: 1)


@contextmanager
def threads(current: Pass, workers: int) -> Iterator[Pool]:
    """On threads, which read the next task while one computes; products of matrices share the cores among them."""
    with (
        threadpool_limits(max(1, cores() // workers), user_api="blas"),
        ThreadPoolExecutor(workers, thread_name_prefix="block") as pool,
        ThreadPoolExecutor(workers, thread_name_prefix="read") as readers,
    ):
        yield Pool(lambda key: _read_ahead(readers, pool, current.task(key)), lambda: workers * WINDOW)


@contextmanager
def workers_of(cluster: Cluster, current: Pass, workers: int, folder: Path) -> Iterator[Pool]:
    """On workers of a cluster, of which the pass may use so many; `folder` is on a file system that they see."""
    import cloudpickle

    client = cluster.engage(workers)
    shared = folder.absolute() / f"{current.name}.pass"
    with replacing(shared) as temporary:
        temporary.write_bytes(cloudpickle.dumps(current))
    run = partial(_run_there, shared, time.time_ns(), __version__, os.getcwd())

    def submit(key: str) -> Future[TaskResult]:
        remote = client.submit(run, key, pure=False, key=f"{current.name}-{uuid4()}")
        return asyncio.run_coroutine_threadsafe(_outcome(cluster, remote), client.loop.asyncio_loop)

    try:
        yield Pool(submit, lambda: WINDOW * cluster.window(workers), cluster.look_after)
    finally:
        shared.unlink()


async def _outcome(cluster: Cluster, remote: Any) -> TaskResult:  # noqa: ANN401 - dask has no types
    from distributed import KilledWorker

    try:
        result: TaskResult = await remote
    except KilledWorker as error:
        raise WorkerLostError("its worker died") from error
    except CancelledError as error:  # not by us: the scheduler went away or began anew
        raise cluster.lost() from error
    return result


def _run_there(shared: Path, made: int, version: str, folder: str, key: str) -> TaskResult:
    """In a worker: make sure that it is such a process as the one that hands out, and do the task of a key."""
    name = _prepare()
    if version != __version__:
        raise InputError(f"the worker {name} has volumetric {__version__}, this program {version}: install one of them")
    if not Path(folder).is_dir():
        raise InputError(
            f"the worker {name} does not see {folder}: workers need the same file system, at the same paths"
        )
    os.chdir(folder)  # paths may be relative
    return _read_pass(shared, made).task(key)()


@lru_cache(maxsize=1)
def _read_pass(path: Path, made: int) -> Pass:
    """The pass of a file, read once a process; one `made` at another time is another."""
    current: Pass = pickle.loads(path.read_bytes())
    return current


@lru_cache(maxsize=1)
def _prepare() -> str:
    """Make a worker's process ready for tasks, once; returns its name."""
    name = f"{socket.gethostname()}-{os.getpid()}"
    give_back_large_blocks()
    name_writer(name)
    return name


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
