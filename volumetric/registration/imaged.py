"""Which part of a brain an image shows: all of it, one half, or another part.

A *cut* is an end of the tissue at which the brain goes on: much tissue lies there, and the atlas placed on it reaches
beyond. What lies behind a cut, be it the end of the file or a blank half, was not imaged, and nothing is matched there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from volumetric.geometry.orientation import OPPOSITE, Side
from volumetric.geometry.space import Points, VoxelSpace
from volumetric.registration.placement import Placement

Mask = npt.NDArray[np.bool_]
Part = Literal["whole", "left", "right", "part"]

WHOLE_SHARE = 0.9
"""Of the atlas' brain, inside the image from which on the brain is called whole: brains lose their bulbs."""

HALF_SHARE, OTHER_SHARE = 0.75, 0.3
"""Of the imaged side, at least, and of the other one, at most, for one half: knives do not follow the midline."""

CUT_AREA = 0.2
"""Of the largest cross-section, on an end of the tissue: stem and bulbs of a whole brain leave up to 0.22."""

CUT_BEYOND = 0.03
"""Of the atlas' brain, beyond an end of the tissue: where the brain ends, its place is off by half a coarse voxel."""

CUT_DEPTH_UM = 500.0
"""From the last tissue within which the largest cross-section is taken: knives and masks are not exact."""

LEFT_OVER = 0.5
"""Of the tissue, before a cut, at least: what would leave less is a wrong placement, or a crop of a voxel or two."""

TILT = 0.15
"""Slope of a cut against the image's axes up to which the blank wedge before it is left out."""


@dataclass(frozen=True)
class Halves:
    """The brain of an atlas: (Z, Y, X) bool of its two sides, where their voxels lie, and their orientation."""

    left: Mask
    right: Mask
    space: VoxelSpace
    orientation: str

    @property
    def voxels(self) -> int:
        """Of both."""
        return int(self.left.sum() + self.right.sum())


@dataclass(frozen=True)
class Cut:
    """An end of the tissue at which the brain goes on: `side` of the animal, share of the atlas' brain beyond."""

    side: str
    beyond: float


@dataclass(frozen=True)
class Imaged:
    """What an image shows of a brain.

    Args:
        part: in a word.
        side: the side, or both, on which something was imaged that is to be counted.
        shares: of the atlas' brain that lie inside the image, left and right.
        cuts: where the brain goes on beyond the image.
        mask: (Z, Y, X) bool on the prepared image, false behind the cuts; its outermost voxels say what lies beyond.
    """

    part: Part
    side: Side
    shares: tuple[float, float]
    cuts: tuple[Cut, ...]
    mask: Mask


def imaged_part(tissue: Mask, space: VoxelSpace, placement: Placement, halves: Halves) -> Imaged:
    """Find what part of a brain an image shows.

    Args:
        tissue: (Z, Y, X) bool, turned as the atlas.
        space: of its voxels, um.
        placement: of the tissue, or of the part of it that is not damaged, in the atlas.
        halves: of the atlas.
    """
    mask = np.ones(tissue.shape, dtype=np.bool_)
    cuts = []
    where = np.argwhere(tissue)
    window = placement.to_atlas(space.to_um([where.min(axis=0) - 0.5, where.max(axis=0) + 0.5]))
    for axis, at_end, beyond in _beyond(window, halves.left | halves.right, halves.space):
        areas = tissue.sum(axis=tuple(other for other in range(3) if other != axis))
        ends = np.flatnonzero(areas)
        depth = max(1, round(CUT_DEPTH_UM / space.spacing_um[axis]))
        extent = areas[ends[0] : ends[-1] + 1]
        last = extent[-depth:] if at_end else extent[:depth]
        if beyond < CUT_BEYOND or last.max() < CUT_AREA * areas.max():
            continue
        behind = _behind(tissue, axis, at_end)
        if (tissue & mask & ~behind).sum() < LEFT_OVER * tissue.sum():
            continue
        letter = halves.orientation[axis]
        cuts.append(Cut(OPPOSITE[letter] if at_end else letter, beyond))
        mask &= ~behind
    shares = (_share(halves.left, window, halves.space), _share(halves.right, window, halves.space))
    part, side = _named(*shares)
    return Imaged(part, side, shares, tuple(cuts), mask)


def declared_part(found: Imaged, declared: Part | None) -> Imaged:
    """What was found, with what the user knows put over it.

    Of a brain that is declared whole nothing is masked but what lies beyond the image itself.
    """
    if declared is None or declared == found.part:
        return found
    if declared == "whole":
        ends = np.zeros(found.mask.shape, dtype=np.bool_)
        ends[1:-1, 1:-1, 1:-1] = True
        return replace(found, part="whole", side="both", mask=found.mask | ends)
    return replace(found, part=declared, side=found.side if declared == "part" else declared)


def _named(left: float, right: float) -> tuple[Part, Side]:
    if min(left, right) >= WHOLE_SHARE:
        return "whole", "both"
    if right <= OTHER_SHARE * left:
        return ("left" if left >= HALF_SHARE else "part"), "left"
    if left <= OTHER_SHARE * right:
        return ("right" if right >= HALF_SHARE else "part"), "right"
    return "part", "both"


def _positions(atlas_space: VoxelSpace, shape: tuple[int, ...], axis: int) -> npt.NDArray[np.float64]:
    return atlas_space.origin_um[axis] + atlas_space.spacing_um[axis] * np.arange(shape[axis], dtype=np.float64)


def _share(of: Mask, window: Points, atlas_space: VoxelSpace) -> float:
    """Share of the atlas' voxels of a mask that lie in the window, which has its low and its high corner."""
    inside = [
        (at >= window[0, axis]) & (at < window[1, axis])
        for axis in range(3)
        for at in (_positions(atlas_space, of.shape, axis),)
    ]
    return float(of[np.ix_(*inside)].sum() / max(int(of.sum()), 1))


def _beyond(window: Points, brain: Mask, atlas_space: VoxelSpace) -> Iterator[tuple[int, bool, float]]:
    """For every face of the window: its axis, whether it is the axis' end, the share of the atlas' brain beyond."""
    for axis in range(3):
        areas = brain.sum(axis=tuple(other for other in range(3) if other != axis))
        at = _positions(atlas_space, brain.shape, axis)
        total = max(int(areas.sum()), 1)
        yield axis, False, float(areas[at < window[0, axis]].sum() / total)
        yield axis, True, float(areas[at >= window[1, axis]].sum() / total)


def _behind(tissue: Mask, axis: int, at_end: bool) -> Mask:
    """What lies behind a cut: the last tissue and all beyond it, and along each line across the cut the line's own.

    The last voxel is part tissue, part not. An array that ends there ends in voxels that lie behind the cut.
    """
    along = np.moveaxis(tissue, axis, 0)
    if at_end:
        along = along[::-1]
    some = along.any(axis=0)
    first = np.where(some, along.argmax(axis=0), 0)
    plane = int(first[some].min())
    reach = TILT * max(along.shape[1:])
    near = some & (first - plane <= reach)
    limit = np.where(near, first, plane)
    behind = np.arange(len(along)).reshape(-1, 1, 1) <= limit
    if at_end:
        behind = behind[::-1]
    found: Mask = np.moveaxis(behind, 0, axis)
    return found
