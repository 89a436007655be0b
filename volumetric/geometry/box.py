"""Half-open integer boxes on a voxel grid, axes z, y, x."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError

Index3 = tuple[int, int, int]


def index3(values: Iterable[int]) -> Index3:
    """Three integers as a tuple; raises `InputError` for any other number of values."""
    items = tuple(int(v) for v in values)
    if len(items) != 3:
        raise InputError(f"expected three integers (z, y, x), got {items}")
    return (items[0], items[1], items[2])


@dataclass(frozen=True, order=True)
class Box:
    """The voxels `start <= index < stop`; raises `InputError` where a stop lies before its start.

    >>> Box((0, 0, 0), (2, 4, 4)).grow((0, 1, 1)).clip((2, 8, 8))
    Box(start=(0, 0, 0), stop=(2, 5, 5))
    """

    start: Index3
    stop: Index3

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", index3(self.start))
        object.__setattr__(self, "stop", index3(self.stop))
        if any(b < a for a, b in zip(self.start, self.stop, strict=True)):
            raise InputError(f"a box must not stop before it starts: {self.start} to {self.stop}")

    @classmethod
    def of_shape(cls, shape: Iterable[int]) -> Box:
        """The box of a whole array of `shape`."""
        return cls((0, 0, 0), index3(shape))

    @property
    def shape(self) -> Index3:
        return index3(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Index of this box in an array that starts at the origin."""
        z, y, x = (slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
        return (z, y, x)

    def grow(self, halo: Index3) -> Box:
        """The box with `halo` voxels more on both sides of each axis."""
        return Box(
            index3(a - h for a, h in zip(self.start, halo, strict=True)),
            index3(b + h for b, h in zip(self.stop, halo, strict=True)),
        )

    def intersect(self, other: Box) -> Box:
        """The common box; empty (size 0) where the two do not meet."""
        start = index3(max(a, b) for a, b in zip(self.start, other.start, strict=True))
        stop = index3(min(a, b) for a, b in zip(self.stop, other.stop, strict=True))
        return Box(start, index3(max(a, b) for a, b in zip(start, stop, strict=True)))

    def clip(self, shape: Iterable[int]) -> Box:
        """The part of the box inside an array of `shape`."""
        return self.intersect(Box.of_shape(shape))

    def relative_to(self, outer: Box) -> Box:
        """This box in the index frame of `outer`'s own array."""
        return Box(
            index3(a - o for a, o in zip(self.start, outer.start, strict=True)),
            index3(b - o for b, o in zip(self.stop, outer.start, strict=True)),
        )

    def divide(self, factors: Index3) -> Box:
        """The box on a grid coarser by `factors`; partial voxels at the far end are kept."""
        return Box(
            index3(a // f for a, f in zip(self.start, factors, strict=True)),
            index3(-(-b // f) for b, f in zip(self.stop, factors, strict=True)),
        )

    def multiply(self, factors: Index3) -> Box:
        """The box on a grid finer by `factors`."""
        return Box(
            index3(a * f for a, f in zip(self.start, factors, strict=True)),
            index3(b * f for b, f in zip(self.stop, factors, strict=True)),
        )

    def contains(self, points: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Which of the (n, 3) voxel coordinates lie in the half-open box; shape (n,)."""
        low, high = np.asarray(self.start), np.asarray(self.stop)
        inside: npt.NDArray[np.bool_] = np.all((points >= low) & (points < high), axis=1)
        return inside
