"""How good are scored points, at every threshold: precision, recall, average precision, FROC, with intervals.

A point found is a hit where, with it, more pairs can be made of the true points and the points of its score or more. As
the largest matching grows by augmenting paths (Berge 1957), adding points from the highest score on gives it for every
threshold in one go: the hits above a threshold are as many as the pairs that `matching.match_points` finds there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.points.matching import checked_points, neighbours

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

RESAMPLES = 1000
COVERED = 0.95


@dataclass(frozen=True)
class ScoredTile:
    """The points found in one tile, or volume.

    Args:
        score: (m,) float64.
        hit: (m,) bool.
        n_truth: true points of the tile.
    """

    score: Floats
    hit: Bools
    n_truth: int


def score_tile(truth: npt.ArrayLike, found: npt.ArrayLike, score: npt.ArrayLike, tolerance: float) -> ScoredTile:
    """Tell hits from false points.

    Args:
        truth: (n, d) coordinates, d = 2 or 3.
        found: (m, d), in the same unit.
        score: (m,), higher is surer; points of one score are one step of a curve.
        tolerance: the largest distance of a pair, inclusive.

    Raises `InputError` for shapes that do not fit, or what is not finite.
    """
    scores = np.asarray(score, dtype=np.float64).reshape(-1)
    true, points = checked_points(truth, "true"), checked_points(found, "found")
    if len(points) != len(scores) or not np.all(np.isfinite(scores)):
        raise InputError(f"each of the {len(points)} points needs a score that is finite, got {len(scores)} scores")
    hit = np.zeros(len(scores), dtype=np.bool_)
    if len(true) and len(points):
        near = neighbours(points, true, tolerance)
        taken_by: dict[int, int] = {}
        for one in np.argsort(-scores, kind="stable"):
            hit[one] = _augment(int(one), near, taken_by)
    return ScoredTile(scores, hit, len(true))


def _augment(start: int, near: Sequence[Sequence[int]], taken_by: dict[int, int]) -> bool:
    """Match one point more, if others can make room; `taken_by` is true point -> found point."""
    reached_from: dict[int, int] = {}
    has: dict[int, int] = {}  # found point -> the true point it would give up
    waiting = [start]
    while waiting:
        point = waiting.pop()
        for true in near[point]:
            if true in reached_from:
                continue
            reached_from[true] = point
            if true in taken_by:
                has[taken_by[true]] = true
                waiting.append(taken_by[true])
                continue
            while True:
                giver = reached_from[true]
                taken_by[true] = giver
                if giver == start:
                    return True
                true = has[giver]  # noqa: PLW2901 - the path is walked back
    return False


@dataclass(frozen=True)
class Curve:
    """Figures at every threshold, from the highest score down; all (k,) float64.

    Args:
        threshold: points with this score or more are kept.
        precision: share of them that are hits; 1 where none is kept.
        recall: share of the true points that are hit; 0 where there are none.
        false_per_tile: points that are no hits, a tile.
    """

    threshold: Floats
    precision: Floats
    recall: Floats
    false_per_tile: Floats

    @property
    def f1(self) -> Floats:
        """Harmonic mean of precision and recall, 0 where both are."""
        total = self.precision + self.recall
        return np.divide(2 * self.precision * self.recall, total, out=np.zeros_like(total), where=total > 0)

    @property
    def average_precision(self) -> float:
        """Sum of the steps in recall, each times the precision there."""
        return float(np.sum(np.diff(self.recall, prepend=0.0) * self.precision))

    @property
    def best_threshold(self) -> float:
        """The highest threshold of the best F1; infinite where nothing was found."""
        return float(self.threshold[int(np.argmax(self.f1))]) if len(self.threshold) else float("inf")

    def at(self, threshold: float) -> dict[str, float]:
        """Precision, recall, F1 and false points a tile where points below the threshold are dropped."""
        kept = int(np.count_nonzero(self.threshold >= threshold))
        if kept == 0:
            return {"precision": 1.0, "recall": 0.0, "f1": 0.0, "false_per_tile": 0.0}
        names = ("precision", "recall", "f1", "false_per_tile")
        return {name: float(getattr(self, name)[kept - 1]) for name in names}


def curve(tiles: Sequence[ScoredTile], weights: npt.ArrayLike | None = None) -> Curve:
    """The curve of tiles taken together (micro average); a tile may count more than once, or not."""
    counted = np.ones(len(tiles)) if weights is None else np.asarray(weights, dtype=np.float64)
    pool = _Pool.of(tiles)
    return pool.curve(counted)


def intervals(
    tiles: Sequence[ScoredTile], figures: Callable[[Curve], Mapping[str, float]], seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Lower and upper end of each figure's 95% interval: percentiles of a bootstrap over tiles (Efron 1979)."""
    pool, rng = _Pool.of(tiles), np.random.default_rng(seed)
    draws = rng.multinomial(len(tiles), np.full(len(tiles), 1 / len(tiles)), RESAMPLES)
    values = [figures(pool.curve(draw.astype(np.float64))) for draw in draws]
    ends = ((1 - COVERED) / 2, (1 + COVERED) / 2)
    return {
        name: (float(low), float(high))
        for name in values[0]
        for low, high in [np.quantile([value[name] for value in values], ends)]
    }


@dataclass(frozen=True)
class _Pool:
    """Points of many tiles, sorted once."""

    score: Floats
    hit: Bools
    tile: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    n_truth: Floats

    @classmethod
    def of(cls, tiles: Sequence[ScoredTile]) -> _Pool:
        if not tiles:
            raise InputError("there are no tiles to score")
        score = np.concatenate([tile.score for tile in tiles])
        order = np.argsort(-score, kind="stable")
        score = score[order]
        hit = np.concatenate([tile.hit for tile in tiles])[order]
        number = np.repeat(np.arange(len(tiles)), [len(tile.score) for tile in tiles])[order]
        last = np.flatnonzero(np.diff(score, append=-np.inf)) if len(score) else np.empty(0, np.int64)
        return cls(score, hit, number, last, np.array([tile.n_truth for tile in tiles], dtype=np.float64))

    def curve(self, weights: Floats) -> Curve:
        each = weights[self.tile]
        kept, hits = np.cumsum(each)[self.last], np.cumsum(each * self.hit)[self.last]
        truth, tiles = float(weights @ self.n_truth), float(weights.sum())
        return Curve(
            threshold=self.score[self.last],
            precision=np.divide(hits, kept, out=np.ones_like(kept), where=kept > 0),
            recall=hits / truth if truth else np.zeros_like(hits),
            false_per_tile=(kept - hits) / tiles,
        )
