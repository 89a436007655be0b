"""The threshold and the probabilities: from brains left out, and moved to a new one by a few tiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from volumetric.detection.calibrate import adapted, best_threshold
from volumetric.detection.model import DetectorSettings
from volumetric.detection.operating_point import operating_point, summed
from volumetric.errors import InputError
from volumetric.points.curves import ScoredTile, curve
from volumetric.points.reliability import Logistic, reliability

BASE = DetectorSettings()


def brain(seed: int, shift: float, n: int = 400, tiles: int = 4) -> list[ScoredTile]:
    """Candidates that are cells with probability expit(1.3 logit(score) + shift)."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(tiles):
        score = rng.uniform(size=n // tiles)
        hit = rng.uniform(size=len(score)) < expit(1.3 * logit(score) + shift)
        parts.append(ScoredTile(score, hit, int(hit.sum()) + 2))
    return parts


def test_the_threshold_is_the_best_for_all_brains_alike() -> None:
    brains = {"a": brain(0, 0.5), "b": brain(1, -1.5, n=4000)}
    chosen = operating_point(BASE, brains)
    every = np.linspace(0.01, 0.99, 99)
    mean = [np.mean([curve(tiles).at(t)["f1"] for tiles in brains.values()]) for t in every]
    reached = np.mean([curve(tiles).at(chosen.threshold)["f1"] for tiles in brains.values()])
    assert reached >= max(mean) - 1e-12
    assert chosen.calibration is not None


def test_expected_numbers_are_right_on_the_mean_and_as_wide_as_brains_differ() -> None:
    alike = operating_point(BASE, {"a": brain(0, 0.0, n=4000), "b": brain(1, 0.0, n=4000)})
    apart = operating_point(BASE, {"a": brain(0, 1.0, n=4000), "b": brain(1, -1.0, n=4000)})
    assert alike.counts is not None
    assert apart.counts is not None
    true, expected = 0, 0.0
    for tile in brain(2, 0.0, n=4000):
        true += tile.n_truth
        expected += float(alike.counts.mean(summed(alike, [tile]))[0])
    assert expected == pytest.approx(true, rel=0.05)
    assert alike.counts.spread < 0.08
    assert apart.counts.spread > 0.15


def test_adapting_moves_the_expected_number_to_the_brain() -> None:
    start = operating_point(BASE, {"a": brain(0, 1.0, n=4000), "b": brain(1, -1.0, n=4000)})
    moved = adapted(start, brain(5, -2.0, n=900, tiles=3))
    assert start.counts is not None
    assert moved.counts is not None
    assert moved.counts.spread == start.counts.within < start.counts.spread
    rest = brain(6, -2.0, n=4000)
    true = sum(tile.n_truth for tile in rest)
    near, far = (float(s.counts.mean(summed(s, rest)).sum()) for s in (moved, start) if s.counts)
    assert near == pytest.approx(true, rel=0.15)
    assert abs(far - true) > 2 * abs(near - true)
    assert operating_point(BASE, {"a": brain(0, 0.0)}, calibrated=False).counts is None


def test_too_little_is_refused() -> None:
    with pytest.raises(InputError, match="at least 20 known cells"):
        operating_point(BASE, {"a": brain(0, -6.0, n=40)})
    with pytest.raises(InputError, match="at least 20 known cells"):
        operating_point(BASE, {})


@given(st.integers(0, 2**31), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_the_threshold_has_the_highest_expected_f1(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    score, chance, missed = np.round(rng.uniform(size=n), 1), rng.uniform(size=n), int(rng.integers(0, 5))

    def f1(threshold: float) -> float:
        kept = score >= threshold
        return 2 * chance[kept].sum() / (kept.sum() + chance.sum() + missed)

    best = max(f1(t) for t in score)
    assert f1(best_threshold(score, chance, missed)) == pytest.approx(best)


@pytest.mark.parametrize("shift", [-2.0, 0.0, 2.0])
def test_a_few_tiles_move_the_threshold_to_the_brain(shift: float) -> None:
    start = operating_point(BASE, {"a": brain(0, 0.0, n=20_000)})
    few, rest = brain(5, shift, n=300, tiles=3), brain(6, shift, n=20_000)
    moved = adapted(start, few)
    score = np.concatenate([tile.score for tile in rest])
    hit = np.concatenate([tile.hit for tile in rest])
    assert moved.calibration is not None
    assert start.calibration is not None
    assert reliability(moved.calibration(score), hit).expected_error < 0.06
    if shift:
        assert reliability(start.calibration(score), hit).expected_error > 0.1
    whole = curve(rest)
    assert whole.at(moved.threshold)["f1"] > whole.f1.max() - 0.03


def test_a_place_with_hardly_a_cell_does_not_carry_the_threshold_away() -> None:
    start = operating_point(BASE, {"a": brain(0, 0.0, n=20_000)})
    tract = ScoredTile(np.random.default_rng(1).uniform(0.2, 0.95, 300), np.arange(300) < 4, 5)
    moved = adapted(start, [tract, tract])
    rest = curve(brain(6, 0.0, n=20_000))
    assert rest.at(moved.threshold)["f1"] > rest.at(start.threshold)["f1"] - 0.05


def test_the_score_stands_for_a_probability_where_there_is_none() -> None:
    tiles = brain(3, 0.0, n=20_000)
    moved = adapted(BASE, tiles)
    score = np.concatenate([tile.score for tile in tiles])
    hit = np.concatenate([tile.hit for tile in tiles])
    assert moved.calibration is not None
    assert reliability(moved.calibration(score), hit).expected_error < 0.05


def test_little_is_learned_from_little() -> None:
    start = operating_point(BASE, {"a": brain(0, 0.0, n=20_000)})
    one = [ScoredTile(np.array([0.2]), np.array([True]), 1)]
    moved = adapted(start, one)
    assert start.calibration is not None
    assert moved.calibration is not None
    assert abs(moved.calibration(0.5) - start.calibration(0.5)) < 0.3


def test_what_cannot_be_adapted_is_refused() -> None:
    start = DetectorSettings(calibration=Logistic())
    with pytest.raises(InputError, match="none of the known cells"):
        adapted(start, [ScoredTile(np.array([0.5]), np.array([False]), 3)])
    with pytest.raises(InputError, match="none of the known cells"):
        adapted(start, [])
