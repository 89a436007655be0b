"""Cutting a volume into blocks: write boxes that tile it, read boxes with a halo."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3, index3


@dataclass(frozen=True)
class Block:
    """One unit of work: what it may write and what it needs to read (clipped to the volume).

    read   |.......................|
    write      |...............|
    """

    index: Index3
    write: Box
    read: Box

    @property
    def key(self) -> str:
        """A name that sorts in z, y, x order."""
        return "z{:05d}-y{:05d}-x{:05d}".format(*self.index)


@dataclass(frozen=True)
class BlockGrid:
    """A regular cut of a volume of `shape` into write boxes of `block` voxels.

    The write boxes are disjoint and cover the volume; the last of an axis may be smaller.
    """

    shape: Index3
    block: Index3
    halo: Index3 = (0, 0, 0)

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or min(self.block) < 1 or min(self.halo) < 0:
            raise InputError(
                "a block grid needs a positive shape and block and a halo >= 0, "
                f"got {self.shape}, {self.block}, {self.halo}"
            )

    @property
    def counts(self) -> Index3:
        """Number of blocks along each axis."""
        return index3(-(-n // b) for n, b in zip(self.shape, self.block, strict=True))

    def __len__(self) -> int:
        z, y, x = self.counts
        return z * y * x

    def __iter__(self) -> Iterator[Block]:
        z, y, x = self.counts
        for i in range(z):
            for j in range(y):
                for k in range(x):
                    yield self.block_at((i, j, k))

    def block_at(self, index: Index3) -> Block:
        """The block with a given position in the grid."""
        start = index3(i * b for i, b in zip(index, self.block, strict=True))
        stop = index3(a + b for a, b in zip(start, self.block, strict=True))
        write = Box(start, stop).clip(self.shape)
        return Block(index, write, write.grow(self.halo).clip(self.shape))

    def touching(self, box: Box) -> Iterator[Block]:
        """The blocks whose write boxes meet a box."""
        inside = box.clip(self.shape)
        ranges = [range(a // b, -(-c // b)) for a, c, b in zip(inside.start, inside.stop, self.block, strict=True)]
        for index in itertools.product(*ranges):
            yield self.block_at(index3(index))

    def block_of(self, key: str) -> Block:
        """The block with a given key."""
        z, y, x = (int(part[1:]) for part in key.split("-"))
        return self.block_at((z, y, x))
