"""What tasks may use: how many at once, with how much memory, on each kind of cluster.

    threads     threads of this process; no cluster     memory: this process'
    local       processes of this machine               this machine's, shared by all of them
    cuda        a process a GPU, with two tasks         the same
    slurm       jobs of a SLURM cluster                 of a job, shared by the workers in it
    tcp://...   a dask scheduler that runs already      what each of its workers was given

`volumetric.blocks.cluster` makes them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import ClassVar

from volumetric.errors import InputError

BASE_BYTES = 500 * 2**20
"""Resident size of the interpreter with all libraries loaded, generously estimated."""


WORKER_SHARE = 0.8
"""Of a worker's memory, for a task and its program: at more dask pauses the worker, at 95% it ends it."""

CONNECT_S = 20

TASKS_A_GPU = 2
"""Of a process: while one task reads and decodes, the GPU looks at another's slices."""


def cores() -> int:
    """CPU cores that this process may use: of a machine, of a SLURM job, of a container."""
    from dask.system import CPU_COUNT

    return max(1, int(CPU_COUNT))


@dataclass(frozen=True)
class Capacity:
    """What a run may use. Nothing here changes a result.

    Args:
        workers: tasks at once, at most.
        memory_bytes: of this machine.
        threads: CPU threads that each task may use.
        processes: whether workers are processes: each holds the program for itself, and reads nothing ahead.
        worker_bytes: what a task and its program may take of each worker where workers are on other machines; None
            where they share this one's memory.
    """

    workers: int = field(default_factory=cores)
    memory_bytes: int = 8 * 10**9
    threads: int = 1
    processes: bool = False
    worker_bytes: int | None = None

    @property
    def process_bytes(self) -> int:
        """Memory of a process that does tasks: this one, or a worker; of one elsewhere no more than is allowed here."""
        if not self.processes:
            return self.memory_bytes
        if self.worker_bytes is None:
            return (self.memory_bytes - BASE_BYTES) // self.workers
        return min(self.memory_bytes, self.worker_bytes)


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

    @property
    def is_elsewhere(self) -> bool:
        """Whether workers may be on other machines."""
        return self.is_address or self.kind == "slurm"


def capacity_of(settings: ClusterSettings, workers: int, memory_bytes: int) -> Capacity:
    """What tasks may use, for `workers` tasks at once and `memory_bytes` of this machine.

    Of SLURM jobs and a running scheduler, both are theirs to say. Raises `InputError` for settings that make no
    cluster.
    """
    if settings.kind in {"threads", "local"}:
        return Capacity(workers, memory_bytes, max(1, cores() // workers), settings.kind == "local")
    if settings.kind == "cuda":
        found = TASKS_A_GPU * min(workers, _gpus())
        return Capacity(found, memory_bytes, max(1, cores() // found), True)
    if settings.kind == "slurm":
        each = slurm_memory(settings) // settings.processes
        threads = max(1, (settings.cores or 1) // settings.processes)
        return Capacity(settings.jobs_max * settings.processes, memory_bytes, threads, True, int(each * WORKER_SHARE))
    if settings.is_address:
        return _running_capacity(settings.kind, memory_bytes)
    raise InputError(
        f"unknown cluster {settings.kind!r}: expected threads, local, cuda, slurm, or the address of a dask scheduler, "
        "such as tcp://10.0.0.5:8786"
    )


def slurm_memory(settings: ClusterSettings) -> int:
    """Bytes of a job; raises `InputError` where the table does not say what a job is."""
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
