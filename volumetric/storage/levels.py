"""Which pyramid levels a volume gets, and how each is cut into shards and chunks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from volumetric.geometry.box import Index3, index3
from volumetric.geometry.space import VoxelSpace

SHARD = (16, 1024, 1024)
CHUNK = (8, 256, 256)
"""8 x 256 x 256 chunks read fastest for tiles of few slices; shards keep the number of files small."""

SMALLEST_SHARD_PX = 128
LARGEST_TOP_LEVEL = 256
NEAR_ISOTROPIC = 2**0.5


@dataclass(frozen=True)
class Level:
    """One pyramid level; `step` are the factors from the level before, `factors` those from level 0."""

    number: int
    shape: Index3
    space: VoxelSpace
    step: Index3
    factors: Index3
    shard: Index3
    chunk: Index3

    @property
    def voxels(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


def plan_levels(shape: Index3, space: VoxelSpace) -> tuple[Level, ...]:
    """Levels from full resolution until no axis is longer than 256 voxels.

    Every step halves the axes whose voxel edge is within sqrt(2) of the shortest, so voxels of 5 x 0.7 x 0.7 um
    go to 5 x 5.6 x 5.6 before z is touched. Shards halve in y and x with each level, so that the blocks
    under one level-0 shard are whole shards at every level made in y and x alone.
    """
    levels = [_level(0, shape, space, (1, 1, 1), (1, 1, 1))]
    while max(levels[-1].shape) > LARGEST_TOP_LEVEL:
        last = levels[-1]
        limit = min(last.space.spacing_um) * NEAR_ISOTROPIC
        step = index3(2 if s <= limit and n > 1 else 1 for s, n in zip(last.space.spacing_um, last.shape, strict=True))
        if step == (1, 1, 1):
            break
        factors = index3(a * b for a, b in zip(last.factors, step, strict=True))
        coarser = index3(-(-n // f) for n, f in zip(last.shape, step, strict=True))
        levels.append(_level(last.number + 1, coarser, last.space.coarser(step), step, factors))
    return tuple(levels)


def _level(number: int, shape: Index3, space: VoxelSpace, step: Index3, factors: Index3) -> Level:
    edge = max(SHARD[1] >> number, SMALLEST_SHARD_PX)
    shard = (SHARD[0], edge, edge)
    chunk = (CHUNK[0], min(CHUNK[1], edge), min(CHUNK[2], edge))
    return Level(number, shape, space, step, factors, shard, chunk)
