"""How many slices a network is shown at once, and how they come to it.

A GPU is shown several. A device without the memory for as many is shown half as many from then on; where one slice does
not fit either, its error is told as it is. Copies to a GPU start from pinned memory and are not waited for: while one
thread's slices are looked at, another's are read, normalised and on their way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

ON_GPU = 8

T = TypeVar("T")

Image = npt.NDArray[Any]

log = logging.getLogger(__name__)


class Batch:
    """How many slices a device is shown at once; threads share it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = Lock()

    @property
    def size(self) -> int:
        return self._size

    def halve(self, tried: int) -> int:
        """The next smaller size after `tried` did not fit; another thread may have found it already."""
        with self._lock:
            self._size = min(self._size, max(1, tried // 2))
            return self._size


@lru_cache
def batch_of(device: torch.device) -> Batch:
    """The batch of a device, one a process: a CPU is busy with a single slice."""
    return Batch(ON_GPU if device.type == "cuda" else 1)


def in_batches(items: Sequence[int], batch: Batch, look: Callable[[Sequence[int], int], T]) -> Iterator[tuple[int, T]]:
    """What `look(items, size)` finds, a part of at most so many items after another; each with the number it began at.

    Where the memory of the device does not suffice, the part is halved, and looked at again.
    """
    first = 0
    while first < len(items):
        size = batch.size
        try:
            found = look(items[first : first + size], size)
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            smaller = batch.halve(size)
            log.warning("%d slices do not fit the memory of the device: %d at once from now on", size, smaller)
            torch.cuda.empty_cache()
            continue
        yield first, found
        first += size


def on_device(array: Image, device: torch.device) -> Image | torch.Tensor:
    """An array where a network runs, as it is: numpy's on a CPU, a copy on its way to a GPU."""
    if device.type != "cuda":
        return array
    return torch.from_numpy(np.ascontiguousarray(array)).pin_memory().to(device, non_blocking=True)
