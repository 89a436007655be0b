"""Where tiles lie: squares edge to edge on chosen slices, every one whole and within the volume.

A tile is known by three small numbers: which of the chosen slices, row and column. Row and column 0 begin at the
volume's first voxel; what is left at the far edges is less than a tile and is in none.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3, index3
from volumetric.geometry.space import Points

SAMPLES = 50
"""Points along a tile's edge at which regions are looked up; for tiles of 500 px every tenth pixel, 7 um."""


@dataclass(frozen=True)
class TileGrid:
    """Tiles of `size` x `size` px on `slices`.

    Args:
        shape: of the volume.
        size: edge of a tile, px.
        slices: numbers of the slices, rising.

    Raises `InputError` where the volume has not these slices, or they hold no tile.
    """

    shape: Index3
    size: int
    slices: tuple[int, ...]

    def __post_init__(self) -> None:
        outside = [z for z in self.slices if not 0 <= z < self.shape[0]]
        if outside or not self.slices:
            raise InputError(
                f"tiles are cut from slices 0 to {self.shape[0] - 1} of this volume, not from "
                + (", ".join(map(str, outside[:5])) or "none")
            )
        if list(self.slices) != sorted(set(self.slices)):
            raise InputError(f"the slices must rise, each given once, got {', '.join(map(str, self.slices[:10]))}")
        if not 1 <= self.size <= min(self.shape[1:]):
            raise InputError(
                f"slices of {self.shape[1]} x {self.shape[2]} px hold no tile of {self.size} x {self.size} px: "
                "choose a smaller --size"
            )

    @property
    def counts(self) -> Index3:
        """Slices, rows and columns of tiles."""
        return (len(self.slices), self.shape[1] // self.size, self.shape[2] // self.size)

    def box(self, index: Index3) -> Box:
        """The voxels of a tile."""
        z, y, x = self.slices[index[0]], index[1] * self.size, index[2] * self.size
        return Box((z, y, x), (z + 1, y + self.size, x + self.size))

    def name(self, index: Index3) -> str:
        """A tile's slice and first row and column; sorts in that order."""
        return "z{:05}-y{:05}-x{:05}".format(*self.box(index).start)

    def points(self, index: Index3) -> Points:
        """Voxel coordinates (n, 3) evenly spread over a tile: the centres of at most 50 x 50 equal squares."""
        count = min(self.size, SAMPLES)
        along = (np.arange(count) + 0.5) * (self.size / count) - 0.5
        y, x = np.meshgrid(along, along, indexing="ij")
        points: Points = np.stack([np.zeros_like(y), y, x], axis=-1).reshape(-1, 3) + self.box(index).start
        return points


def tiles_in(part: Box) -> Iterator[Index3]:
    """The tiles of a box of the grid's small numbers."""
    ranges = (range(a, b) for a, b in zip(part.start, part.stop, strict=True))
    return (index3(index) for index in itertools.product(*ranges))


def slices_every(count: int, spacing_um: float, every_um: float) -> tuple[int, ...]:
    """Slices about `every_um` apart, the first half of that from the volume's beginning; at least one."""
    step = max(1, round(every_um / spacing_um))
    return tuple(range(min(step // 2, count // 2), count, step))
