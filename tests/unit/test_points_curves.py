from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.points.curves import RESAMPLES, Curve, ScoredTile, curve, intervals, score_tile
from volumetric.points.matching import match_points


def crowded(seed: int, n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 12, (n, 2)), rng.uniform(0, 12, (m, 2)), rng.integers(0, 6, m) / 5


@given(st.integers(0, 2**31), st.integers(0, 25), st.integers(0, 25), st.floats(0, 5))
@settings(max_examples=150, deadline=None)
def test_at_every_threshold_the_hits_are_the_pairs_of_the_best_matching(
    seed: int, n: int, m: int, tolerance: float
) -> None:
    truth, found, score = crowded(seed, n, m)
    tile = score_tile(truth, found, score, tolerance)
    drawn = curve([tile])
    for threshold in np.unique(score):
        kept = score >= threshold
        pairs = len(match_points(truth, found[kept], tolerance))
        assert tile.hit[kept].sum() == pairs
        at = drawn.at(threshold)
        assert at["precision"] == pytest.approx(pairs / kept.sum())
        assert at["recall"] == pytest.approx(pairs / n if n else 0)
        assert at["f1"] == pytest.approx(2 * pairs / (n + kept.sum()) if n else 0)
        assert at["false_per_tile"] == kept.sum() - pairs


def test_a_curve_by_hand() -> None:
    """Two true points; of three found the first and the last hit."""
    tile = score_tile([[0, 0], [9, 9]], [[0, 1], [5, 5], [9, 8]], [0.9, 0.5, 0.2], 2)
    assert tile.hit.tolist() == [True, False, True]
    drawn = curve([tile])
    assert drawn.threshold.tolist() == [0.9, 0.5, 0.2]
    assert drawn.precision == pytest.approx([1, 1 / 2, 2 / 3])
    assert drawn.recall == pytest.approx([0.5, 0.5, 1])
    assert drawn.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert drawn.best_threshold == 0.2
    assert drawn.at(0.95) == {"precision": 1.0, "recall": 0.0, "f1": 0.0, "false_per_tile": 0.0}


def test_a_surer_point_keeps_its_hit_when_another_comes_nearer() -> None:
    """One true point: the second point is nearer, and false all the same; two true points: both have one."""
    assert score_tile([[0.0, 0]], [[0.5, 0], [0.1, 0]], [0.9, 0.8], 1).hit.tolist() == [True, False]
    assert score_tile([[0.0, 0], [1.4, 0]], [[0.6, 0], [0.1, 0]], [0.9, 0.8], 1).hit.tolist() == [True, True]


def test_tiles_count_by_their_weight() -> None:
    good = score_tile([[0.0, 0.0]], [[0.0, 0.0]], [0.9], 1)
    bad = score_tile([[0.0, 0.0]], [[5.0, 0.0]], [0.8], 1)
    assert curve([good, bad]).average_precision == pytest.approx(0.5)
    assert curve([good, bad], [3, 1]).average_precision == pytest.approx(0.75)
    assert curve([good, bad, bad]).at(0.0)["false_per_tile"] == pytest.approx(2 / 3)


def test_nothing_found_and_nothing_to_find() -> None:
    nothing = score_tile(np.empty((0, 2)), np.empty((0, 2)), [], 3)
    assert curve([nothing]).average_precision == 0
    assert curve([nothing]).best_threshold == np.inf
    false = score_tile(np.empty((0, 3)), [[1.0, 2.0, 3.0]], [0.4], 3)
    assert curve([false]).at(0.0) == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "false_per_tile": 1.0}
    with pytest.raises(InputError, match="no tiles"):
        curve([])
    with pytest.raises(InputError, match="score"):
        score_tile([[0.0, 0]], [[0.0, 0]], [float("nan")], 1)


def test_the_interval_of_a_share_is_that_of_the_binomial() -> None:
    """400 tiles of one true point, found in 70% of them: the recall's interval is 0.70 +- 1.96 sqrt(.21 / 400)."""
    found = np.random.default_rng(3).permutation(400) < 280
    tiles = [ScoredTile(np.ones(int(yes)), np.ones(int(yes), bool), 1) for yes in found]

    def recall(drawn: Curve) -> dict[str, float]:
        return {"recall": drawn.at(0.0)["recall"]}

    low, high = intervals(tiles, recall)["recall"]
    spread = 1.96 * np.sqrt(0.7 * 0.3 / 400)
    assert low == pytest.approx(0.7 - spread, abs=5 * spread / np.sqrt(RESAMPLES))
    assert high == pytest.approx(0.7 + spread, abs=5 * spread / np.sqrt(RESAMPLES))
    assert intervals(tiles, recall) == intervals(tiles, recall)
