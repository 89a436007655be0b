"""Where tasks run, beside this process: how each kind of cluster is made, and what it may use.

    threads     threads of this process; no cluster                memory: this process'
    local       processes of this machine (dask LocalCluster)      this machine's, shared by all of them
    cuda        one process a GPU of this machine (dask-cuda)      the same
    slurm       jobs of a SLURM cluster (dask-jobqueue)            of a job, by the workers in it
    tcp://...   a dask scheduler that runs already                 what each of its workers was given

A worker does one task at a time. It must be of the same version, and see the same files at the same paths.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from getpass import getuser
from types import TracebackType
from typing import Any, ClassVar

from volumetric.blocks.plan import Capacity
from volumetric.errors import ClusterError, InputError

CONFIG = {
    # What dask keeps in memory would grow with the number of tasks; the ledger keeps its own record.
    "distributed.admin.log-length": 100,
    "distributed.admin.low-level-log-length": 100,
    # A task whose worker died comes back to the engine at once: there is one rule for it, and its journal.
    "distributed.scheduler.allowed-failures": 0,
}

QUIET = {"silence_logs": logging.CRITICAL}
"""Workers come and go: the engine keeps the journal of it."""

WORKER_SHARE = 0.8
"""Of a worker's memory, for a task and its program: at more dask pauses the worker, at 95% it ends it."""

CONNECT_S = 20
LOOK_S = 5.0
"""How often the workers are looked after."""

ABSENT_S = 300.0
"""How long a run waits where all workers are gone; jobs in SLURM's queue are waited for without end."""

FRUITLESS = 3
"""How often jobs may end while no worker has come from any."""


@dataclass(frozen=True)
class ClusterSettings:
    """Which cluster, and how it is made: the table `cluster` of a settings file. All but `kind` is for SLURM.

    Args:
        kind: `threads`, `local`, `cuda`, `slurm`, or the address of a scheduler.
        queue: partition that jobs are sent to.
        account: that they are charged to.
        walltime: of a job, for example `04:00:00`.
        cores: of a job.
        memory: of a job, bytes.
        processes: workers in a job, which share its cores and memory.
        jobs_min: jobs kept while a single step runs in this process.
        jobs_max: jobs asked for at once, at most.
        directives: further options of sbatch, for example `--gres=gpu:1`.
        prologue: lines of shell before a job's workers start.
        interface: network interface through which scheduler and workers talk, for example `ib0`.
        local_directory: where workers keep what is theirs alone, for example `/scratch`.
        logs: folder for what jobs print.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    kind: str = "threads"
    queue: str | None = None
    account: str | None = None
    walltime: str | None = None
    cores: int | None = None
    memory: int | None = None
    processes: int = 1
    jobs_min: int = 0
    jobs_max: int = 1
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    interface: str | None = None
    local_directory: str | None = None
    logs: str = "slurm-logs"

    @property
    def is_address(self) -> bool:
        """Whether a running scheduler is named."""
        return "://" in self.kind


def capacity(settings: ClusterSettings, workers: int, memory_bytes: int) -> Capacity:
    """What tasks may use, for `workers` tasks at once and `memory_bytes` of this machine.

    Of SLURM jobs and a running scheduler, both are theirs to say. Raises `InputError` for settings that make no
    cluster.
    """
    cores = os.cpu_count() or 1
    if settings.kind in {"threads", "local"}:
        return Capacity(workers, memory_bytes, max(1, cores // workers), settings.kind == "local")
    if settings.kind == "cuda":
        found = min(workers, _gpus())
        return Capacity(found, memory_bytes, max(1, cores // found), True)
    if settings.kind == "slurm":
        each = _slurm_memory(settings) // settings.processes
        threads = max(1, (settings.cores or 1) // settings.processes)
        return Capacity(settings.jobs_max * settings.processes, memory_bytes, threads, True, int(each * WORKER_SHARE))
    if settings.is_address:
        return _running_capacity(settings.kind, memory_bytes)
    raise InputError(
        f"unknown cluster {settings.kind!r}: expected threads, local, cuda, slurm, or the address of a dask scheduler, "
        "such as tcp://10.0.0.5:8786"
    )


def open_cluster(settings: ClusterSettings, tell: Callable[[str], None] = lambda text: None) -> Cluster | None:
    """The cluster of these settings, not yet started; None for threads. `tell` gets its dashboard's address.

    Raises `InputError` where a package or a program that it needs is not installed.
    """
    if settings.kind == "threads":
        return None
    if settings.is_address:
        return RunningScheduler(settings, tell)
    if settings.kind == "slurm":
        _need("dask_jobqueue", "dask-jobqueue", "cluster")
        if shutil.which("sbatch") is None:
            raise InputError("there is no sbatch on this machine: run --cluster slurm where SLURM jobs are submitted")
        return SlurmJobs(settings, tell)
    if settings.kind == "cuda":
        _need("dask_cuda", "dask-cuda", "gpu")
    return LocalProcesses(settings, tell)


class Cluster(ABC):
    """Workers behind one dask scheduler: started when a pass first needs them, kept for the passes after it."""

    def __init__(self, settings: ClusterSettings, tell: Callable[[str], None]) -> None:
        self.settings = settings
        self._tell = tell
        self._stack = ExitStack()
        self._client: Any = None
        self._looked = 0.0
        self._seen = 0.0
        self.there = 0

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client = None
        self._stack.close()

    def engage(self, workers: int) -> Any:  # noqa: ANN401 - dask has no types
        """A dask client, with so many workers there or on their way; some kinds cannot choose how many."""
        if self._client is None:
            import dask
            from distributed import Client

            self._stack.enter_context(dask.config.set(CONFIG))
            try:
                self._client = self._stack.enter_context(Client(self._start(workers), set_as_default=False))
            except (OSError, RuntimeError) as error:
                raise ClusterError(f"the workers of --cluster {self.settings.kind} do not start: {error}") from error
            self._tell(f"dask dashboard: {self._client.dashboard_link}{_without_pages()}")
        else:
            self._resize(workers)
        self._looked = self._seen = time.monotonic()
        self.there = len(self._client.nthreads())
        return self._client

    def rest(self) -> None:
        """A single step runs in this process now, with the memory of this machine."""
        if self._client is not None:
            self._resize(0)

    def look_after(self) -> None:
        """Count the workers and see to those that are lost, now and then; raises `ClusterError` where none comes."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        try:
            self.there = len(self._client.nthreads())
        except OSError as error:
            raise self.lost() from error
        self._seen = now if self.there else self._seen
        self._mend()

    def lost(self) -> ClusterError:
        """The error to raise where the scheduler does not answer any more."""
        return ClusterError(
            f"the dask scheduler of --cluster {self.settings.kind} is gone. What is finished is kept: start it again "
            "where it is yours to start, and repeat the same command to go on"
        )

    @abstractmethod
    def window(self, workers: int) -> int:
        """How many workers tasks are handed out for, of those that a pass may use."""

    @abstractmethod
    def _start(self, workers: int) -> Any: ...  # noqa: ANN401

    @abstractmethod
    def _resize(self, workers: int) -> None:
        """Have so many workers from now on, where that can be chosen."""

    def _mend(self) -> None:
        if time.monotonic() - self._seen > ABSENT_S:
            raise ClusterError(
                f"for {ABSENT_S:.0f} s no worker of --cluster {self.settings.kind} has been there. What is finished is "
                "kept: start workers and repeat the same command to go on"
            )


class LocalProcesses(Cluster):
    """Processes of this machine; with `cuda`, one a GPU."""

    _made: Any = None
    _wanted = 0

    def _start(self, workers: int) -> Any:  # noqa: ANN401
        self._wanted = workers
        common = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", **QUIET}
        if self.settings.kind == "cuda":
            from dask_cuda import LocalCUDACluster

            made = LocalCUDACluster(**common, memory_limit=0, device_memory_limit=0)
        else:
            from distributed import LocalCluster

            made = LocalCluster(**common, processes=True, memory_limit=0)  # the plan keeps the memory
        self._made = self._stack.enter_context(made)
        return made

    def window(self, workers: int) -> int:
        return workers

    def _resize(self, workers: int) -> None:
        self._wanted = workers
        self._made.scale(workers)
        self._made.sync(_settled, self._made)

    def _mend(self) -> None:
        """Make workers anew that died while they started; those that die at work are, by the nanny of each."""
        super()._mend()
        gone = [name for name, nanny in dict(self._made.workers).items() if nanny.status.name in {"closed", "failed"}]
        if gone:
            self._made.sync(_forget, self._made, gone)
        if self.there < self._wanted:
            self._made.scale(self._wanted)


class SlurmJobs(Cluster):
    """Jobs of a SLURM cluster; those that end before their time are asked for again."""

    _made: Any = None
    _jobs = 0
    _fruitless = 0

    def _start(self, workers: int) -> Any:  # noqa: ANN401
        self._made = self._stack.enter_context(make_slurm(self.settings))
        _check_job(self._made.job_script())
        self._resize(workers)
        return self._made

    def window(self, workers: int) -> int:
        return min(workers, self._jobs * self.settings.processes)

    def _resize(self, workers: int) -> None:
        jobs = math.ceil(workers / self.settings.processes)
        self._jobs = min(max(jobs, self.settings.jobs_min), self.settings.jobs_max)
        self._made.scale(jobs=self._jobs)
        self._made.sync(_settled, self._made)

    def _mend(self) -> None:
        """Forget the jobs that SLURM no longer knows, and ask for as many as before."""
        submitted = {name: job.job_id for name, job in dict(self._made.workers).items()}
        queued = _queued_jobs()
        if queued is None:
            return  # SLURM's controller does not answer at times: nothing is known of any job
        gone = [name for name, number in submitted.items() if number not in queued]
        self._fruitless = 0 if self.there else self._fruitless + bool(gone)
        if self._fruitless >= FRUITLESS:
            raise ClusterError(
                f"SLURM jobs ended {FRUITLESS} times before a worker came from any: what they printed is in "
                f"{self.settings.logs}. What is finished is kept; mend the cause and repeat the command to go on"
            )
        if gone:
            self._made.sync(_forget, self._made, gone)
            self._made.scale(jobs=self._jobs)


class RunningScheduler(Cluster):
    """A scheduler that somebody else runs, with the workers that it has."""

    def _start(self, workers: int) -> Any:  # noqa: ANN401
        from distributed.utils import silence_logging_cmgr

        self._stack.enter_context(silence_logging_cmgr(logging.CRITICAL))  # an error of ours says what is lost
        return self.settings.kind

    def window(self, workers: int) -> int:
        return max(1, self.there)

    def _resize(self, workers: int) -> None:
        """It has the workers that it has."""


def make_slurm(settings: ClusterSettings) -> Any:  # noqa: ANN401
    """A dask-jobqueue cluster without jobs."""
    from dask_jobqueue import SLURMCluster

    return SLURMCluster(
        queue=settings.queue,
        account=settings.account,
        walltime=settings.walltime,
        cores=settings.processes,  # a thread a worker, so that each does one task at a time
        processes=settings.processes,
        job_cpu=settings.cores,
        memory=f"{_slurm_memory(settings)}B",
        job_name="volumetric",
        job_extra_directives=list(settings.directives),
        job_script_prologue=list(settings.prologue),
        interface=settings.interface,
        local_directory=settings.local_directory,
        log_directory=settings.logs,
        scheduler_options={"dashboard_address": ":0"},
        **QUIET,
    )


def _slurm_memory(settings: ClusterSettings) -> int:
    missing = [name for name in ("cores", "memory", "walltime") if getattr(settings, name) is None]
    if settings.memory is None or missing:
        raise InputError(
            f"--cluster slurm needs {', '.join(missing)} of a job, in the table [cluster] of a settings file (--config)"
        )
    if settings.processes < 1 or settings.jobs_max < 1 or not 0 <= settings.jobs_min <= settings.jobs_max:
        raise InputError(
            f"--cluster slurm needs at least one process and one job, and jobs_min of at most jobs_max, got "
            f"processes = {settings.processes}, jobs_min = {settings.jobs_min}, jobs_max = {settings.jobs_max}"
        )
    return settings.memory


def _running_capacity(address: str, memory_bytes: int) -> Capacity:
    from distributed import Client

    try:
        with Client(address, timeout=CONNECT_S, set_as_default=False) as client:
            workers = client.scheduler_info(n_workers=-1)["workers"]
    except (OSError, ValueError) as error:
        raise InputError(
            f"no dask scheduler answers at {address} ({error}): start one with `dask scheduler`, which says its address"
        ) from error
    start = f"start them with `dask worker {address} --nworkers N --nthreads 1`"
    if not workers:
        raise InputError(f"the dask scheduler at {address} has no workers: {start}")
    crowded = [name for name, worker in workers.items() if worker["nthreads"] != 1]
    if crowded:
        raise InputError(f"worker {crowded[0]} has several threads, and a worker does one task at a time: {start}")
    least = min(worker["memory_limit"] or sys.maxsize for worker in workers.values())  # 0: it has no limit
    return Capacity(len(workers), memory_bytes, 1, True, int(least * WORKER_SHARE))


def _gpus() -> int:
    import torch

    found = torch.cuda.device_count()
    if not found:
        raise InputError("--cluster cuda needs a GPU, and torch sees none on this machine: use local or threads")
    return found


def _need(module: str, package: str, extra: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise InputError(f"{package} is not installed: pip install {package}, or pip install 'volumetric[{extra}]'")


def _without_pages() -> str:
    return "" if importlib.util.find_spec("bokeh") else " (its pages need bokeh: pip install 'volumetric[cluster]')"


def _check_job(script: str) -> None:
    """Raise `InputError` with SLURM's own words where it would refuse a job."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script)
        file.flush()
        asked = subprocess.run(["sbatch", "--test-only", file.name], capture_output=True, text=True, check=False)
    if asked.returncode:
        raise InputError(f"SLURM refuses the jobs of the table [cluster]: {asked.stderr.strip()}")


def _queued_jobs() -> set[str] | None:
    """Numbers of this user's jobs that wait or run; None where SLURM does not answer."""
    command = ["squeue", "--noheader", "--format=%i", f"--user={getuser()}"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if asked.returncode else set(asked.stdout.split())


async def _settled(cluster: Any) -> None:  # noqa: ANN401
    await cluster


async def _forget(cluster: Any, names: list[str]) -> None:  # noqa: ANN401
    """Take workers or jobs that are no more from those that a cluster believes to have, so that it makes others."""
    from distributed.core import Status

    for name in names:
        gone = cluster.workers.pop(name, None)
        if gone is not None:
            gone.status = Status.closed
