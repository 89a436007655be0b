"""Where tasks run, beside this process: how each kind of cluster is made, kept at its size, and ended.

    local       processes of this machine: dask's LocalCluster
    cuda        one process a GPU of this machine: dask-cuda's LocalCUDACluster
    slurm       jobs of a SLURM cluster: dask-jobqueue's SLURMCluster
    tcp://...   a dask scheduler that runs already

A worker does one task at a time, with a GPU two. It must be of the same version, and see the same files at the same
paths.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import shutil
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from getpass import getuser
from types import TracebackType
from typing import Any

from volumetric.blocks.capacity import TASKS_A_GPU, ClusterSettings, slurm_memory
from volumetric.errors import ClusterError, InputError

CONFIG = {
    # What dask keeps in memory would grow with the number of tasks; the ledger keeps its own record.
    "distributed.admin.log-length": 100,
    "distributed.admin.low-level-log-length": 100,
    # A task whose worker died comes back to the engine at once: there is one rule for it, and its journal.
    "distributed.scheduler.allowed-failures": 0,
    # Else dask ends the job of a worker that went, though SLURM may have put it back into its queue.
    "distributed.deploy.lost-worker-timeout": "365 days",
}

QUIET = {"silence_logs": logging.CRITICAL}
"""Workers come and go: the engine keeps the journal of it."""

LOOK_S = 5.0
"""How often the workers are looked after."""

SQUEUE_S = 30.0
"""How often SLURM is asked, which has others to answer."""

ABSENT_S = 300.0
"""How long a run waits where all workers are gone; jobs in SLURM's queue are waited for without end."""

FRUITLESS = 3
"""How often jobs may end while no worker has come from any."""


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
        self._wanted = self._processes(workers)
        common = {"n_workers": self._wanted, "dashboard_address": "127.0.0.1:0", **QUIET}
        if self.settings.kind == "cuda":
            from dask_cuda import LocalCUDACluster

            made = LocalCUDACluster(**common, threads_per_worker=TASKS_A_GPU, memory_limit=0, device_memory_limit=0)
        else:
            from distributed import LocalCluster

            # The plan keeps the memory.
            made = LocalCluster(**common, threads_per_worker=1, processes=True, memory_limit=0)
        self._made = self._stack.enter_context(made)
        return made

    def _processes(self, workers: int) -> int:
        """For so many tasks at once."""
        return math.ceil(workers / TASKS_A_GPU) if self.settings.kind == "cuda" else workers

    def window(self, workers: int) -> int:
        return workers

    def _resize(self, workers: int) -> None:
        self._wanted = self._processes(workers)
        self._made.scale(self._wanted)
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
    _asked = 0.0

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
        if time.monotonic() - self._asked < SQUEUE_S:
            return
        self._asked = time.monotonic()
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
        memory=f"{slurm_memory(settings)}B",
        job_name="volumetric",
        job_extra_directives=list(settings.directives),
        job_script_prologue=list(settings.prologue),
        interface=settings.interface,
        local_directory=settings.local_directory,
        log_directory=settings.logs,
        scheduler_options={"dashboard_address": ":0"},
        **QUIET,
    )


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
