"""Measured peak memory of this process and its children."""

from __future__ import annotations

import ctypes
import sys
import threading
from types import TracebackType

import psutil

INTERVAL_S = 0.2

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
LARGE_BYTES = 4 * 2**20
KEPT_BYTES = 16 * 2**20
"""Free memory kept for small arrays, which come and go with every chunk."""

LARGEST_KEPT_BYTES = 32 * 2**20
"""The most that glibc takes from its own heaps."""


def give_back_large_blocks() -> None:
    """Let the C library return freed arrays of over 4 MiB to the system at once (Linux with glibc; nothing elsewhere).

    Slabs of different levels would otherwise leave holes that only grow. Threads begun later share one heap, as heaps
    of their own have 64 MiB at most and come and go with what is larger.
    """
    _keep(LARGE_BYTES, KEPT_BYTES)


def keep_large_blocks() -> None:
    """Let the C library keep freed arrays of up to 32 MiB for the next ones, until they are to be given back again.

    For work that needs arrays of the same sizes over and over: fresh pages cost a network a third of its time.
    """
    _keep(LARGEST_KEPT_BYTES, 16 * LARGEST_KEPT_BYTES)


def _keep(largest: int, free: int) -> None:
    """Keep freed arrays of up to `largest` bytes, and of free memory at the end of a heap up to `free` bytes."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(M_MMAP_THRESHOLD, largest)
            libc.mallopt(M_TRIM_THRESHOLD, free)
            libc.mallopt(M_ARENA_MAX, 1)


class MemoryMonitor:
    """Samples the resident size of the process tree while it is entered; `peak_bytes` is the largest seen."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True, name="memory-monitor")

    def __enter__(self) -> MemoryMonitor:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        process = psutil.Process()
        while True:
            total = 0
            for member in (process, *process.children(recursive=True)):
                try:
                    total += member.memory_info().rss
                except psutil.NoSuchProcess:
                    continue  # it ended between the listing and the reading
            self.peak_bytes = max(self.peak_bytes, total)
            if self._stop.wait(INTERVAL_S):
                return
