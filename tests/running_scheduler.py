"""A dask scheduler and its workers as processes of their own, started as a user would start them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class RunningScheduler:
    """Where it listens, and the commands that were started for it."""

    port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start(self, *arguments: str) -> None:
        """Run `dask` with these arguments, in a session of its own."""
        command = [sys.executable, "-m", "dask", *arguments]
        nothing = subprocess.DEVNULL
        self.processes.append(subprocess.Popen(command, stdout=nothing, stderr=nothing, start_new_session=True))

    def start_all(self, workers: int) -> None:
        """A scheduler and workers, all there when this returns."""
        self.start("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")
        self.start("worker", self.address, "--nworkers", str(workers), "--nthreads", "1", "--no-dashboard")
        self.wait(workers)

    def wait(self, workers: int) -> None:
        """Wait until so many workers are there."""
        from distributed import Client

        with Client(self.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)

    def kill(self) -> None:
        """End all of it at once."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()


@contextmanager
def running_scheduler() -> Iterator[RunningScheduler]:
    """A free port for a scheduler; what is started on it ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        scheduler = RunningScheduler(free.getsockname()[1])
    try:
        yield scheduler
    finally:
        scheduler.kill()


def wait_until(condition: object, seconds: float = 60) -> None:
    """Poll a callable until it is true; raises `TimeoutError` if it does not become so."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)
