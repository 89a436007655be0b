from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.points.reliability import (
    Logistic,
    brier_score,
    brier_skill,
    fit_logistic,
    reliability,
)


def test_figures_by_hand() -> None:
    said, happened = [0.1, 0.1, 0.1, 0.1, 0.9, 0.9], [0, 0, 0, 1, 1, 1]
    table = reliability(said, happened)
    assert table.said == pytest.approx([0.1, 0.9])
    assert table.happened == pytest.approx([0.25, 1.0])
    assert table.count.tolist() == [4, 2]
    assert table.expected_error == pytest.approx((4 * 0.15 + 2 * 0.1) / 6)
    assert brier_score(said, happened) == pytest.approx((3 * 0.01 + 0.81 + 2 * 0.01) / 6)
    assert brier_skill([0.5] * 6, happened) == pytest.approx(0)
    assert brier_skill(happened, happened) == 1


def test_honest_probabilities_have_no_error_and_inflated_ones_have() -> None:
    rng = np.random.default_rng(1)
    true = rng.uniform(0, 1, 40_000)
    happened = rng.uniform(size=len(true)) < true
    assert reliability(true, happened).expected_error < 0.01
    assert reliability(np.sqrt(true), happened).expected_error > 0.1


@pytest.mark.parametrize("true", [Logistic(), Logistic(1.4, -1.0), Logistic(0.8, 2.0)])
def test_a_calibration_is_found_again(true: Logistic) -> None:
    rng = np.random.default_rng(2)
    score = rng.uniform(0.01, 0.99, 40_000)
    happened = rng.uniform(size=len(score)) < true(score)
    found = fit_logistic(score, happened)
    assert found.slope == pytest.approx(true.slope, abs=0.06)
    assert found.shift == pytest.approx(true.shift, abs=0.06)
    assert reliability(found(score), happened).expected_error < 0.01


@given(st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_the_order_of_scores_is_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score, happened = rng.integers(0, 5, 30) / 4, rng.integers(0, 2, 30)
    shuffled = rng.permutation(30)
    one, other = fit_logistic(score, happened), fit_logistic(score[shuffled], happened[shuffled])
    assert (one.slope, one.shift) == pytest.approx((other.slope, other.shift), abs=1e-4)


def test_a_few_lucky_scores_are_no_certainty() -> None:
    assert fit_logistic([0.9, 0.95], [1, 1])(0.5) < 0.9
    started = fit_logistic([0.5], [1], Logistic(1.0, -3.0))
    assert -3 < started.shift < -1


@pytest.mark.parametrize(("slope", "shift"), [(0.0, 0.0), (-1.0, 0.0), (1.0, np.nan), (np.inf, 0.0)])
def test_a_map_that_is_none_is_refused(slope: float, shift: float) -> None:
    with pytest.raises(InputError, match="calibration"):
        Logistic(slope, shift)


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        brier_score([1.2], [1])
    with pytest.raises(InputError, match="its event"):
        reliability([0.2, 0.3], [1])
    with pytest.raises(InputError, match="scores"):
        fit_logistic([], [])
