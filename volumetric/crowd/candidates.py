"""Candidates for cells: which clicks of a tile mean the same thing.

A maker of candidates puts the clicks of one tile into groups. What it must know of the crowd as a whole, such as how
far clicks scatter, it is told beforehand. Every click is in one group; a group holds at most one click of a worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from volumetric.crowd.clicks import TileClicks
from volumetric.points.matching import match_points

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Maker(Protocol):
    """Puts the clicks of a tile into groups."""

    def __call__(self, tile: TileClicks) -> Ints:
        """(n,) the number of each click's group, from 0 on without gaps; for no clicks an empty array."""
        ...


@dataclass(frozen=True)
class Candidates:
    """The candidates of a tile, and what each of its viewers said of them.

    Args:
        tile: its clicks, repeats taken out.
        member: (n,) candidate of each click; -1 for a worker's second click in a candidate.
        yx: (k, 2) the mean of a candidate's clicks.
        clicked: (k, n viewers) bool.
        seen: (k, n viewers) bool: where it is False, nothing is known.
    """

    tile: TileClicks
    member: Ints
    yx: Floats
    clicked: Bools
    seen: Bools


def candidates(tile: TileClicks, maker: Maker) -> Candidates:
    """The candidates that a maker finds; of several clicks of a worker in one, the nearest to its middle counts."""
    member = maker(tile)
    count = int(member.max(initial=-1)) + 1
    middle = centres(tile.yx, member, count)
    return from_members(tile, _one_each(tile, member, middle))


def from_members(tile: TileClicks, member: Ints) -> Candidates:
    """The candidates whose clicks are known: (n,) candidate of each click, -1 for a worker's second one."""
    middle = centres(tile.yx, member, int(member.max(initial=-1)) + 1)
    seen = tile.seen(middle)
    clicked = np.zeros_like(seen)
    kept = member >= 0
    clicked[member[kept], np.searchsorted(tile.viewers, tile.worker[kept])] = True
    # Who clicked it has seen it, even if the middle of all clicks lies beyond the part that was shown.
    return Candidates(tile, member, middle, clicked, seen | clicked)


def centres(yx: Floats, member: Ints, count: int) -> Floats:
    """(count, 2) mean of each group's points; members of -1 are in none. NaN for a group without any."""
    kept = member >= 0
    number = np.bincount(member[kept], minlength=count)
    sums = np.column_stack([np.bincount(member[kept], yx[kept, axis], count) for axis in (0, 1)])
    with np.errstate(invalid="ignore"):
        means: Floats = sums / number[:, None]
    return means


def _one_each(tile: TileClicks, member: Ints, middle: Floats) -> Ints:
    distance = np.linalg.norm(tile.yx - middle[member], axis=1)
    order = np.lexsort((distance, tile.worker, member))
    again = np.zeros(len(order), dtype=np.bool_)
    again[1:] = (member[order][1:] == member[order][:-1]) & (tile.worker[order][1:] == tile.worker[order][:-1])
    kept = member.copy()
    kept[order[again]] = -1
    return kept


def assign(tile: TileClicks, places: Floats, reach_px: float) -> Ints:
    """(n,) the place that each click means, -1 where it is none within reach.

    One to one for each worker: as many of a worker's clicks as possible have a place, at the least total distance.
    """
    member = np.full(len(tile.yx), -1, dtype=np.int64)
    if not len(places):
        return member
    distance, nearest = map(np.asarray, KDTree(places).query(tile.yx, distance_upper_bound=reach_px * (1 + 1e-12)))
    member[np.isfinite(distance)] = nearest[np.isfinite(distance)]
    # Where no place is the nearest of two clicks of a worker, nearest is best.
    key = tile.worker * len(places) + member
    values, count = np.unique(key[member >= 0], return_counts=True)
    for worker in np.unique(values[count > 1] // len(places)):
        own = np.flatnonzero(tile.worker == worker)
        pairs = match_points(places, tile.yx[own], reach_px)
        member[own] = -1
        member[own[pairs[:, 1]]] = pairs[:, 0]
    return member
