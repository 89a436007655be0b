from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.points.reliability import (
    Isotonic,
    brier_score,
    brier_skill,
    fit_isotonic,
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


def isotonic_by_definition(values: np.ndarray) -> np.ndarray:
    """The largest, over beginnings, of the smallest mean, over ends (Robertson et al. 1988)."""
    n = len(values)
    mean = [[values[i : j + 1].mean() if j >= i else np.inf for j in range(n)] for i in range(n)]
    return np.array([max(min(mean[i][j] for j in range(k, n)) for i in range(k + 1)) for k in range(n)])


@given(st.integers(0, 2**31), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_the_levels_are_those_of_isotonic_regression(seed: int, n: int) -> None:
    """Against the definition, whose levels get the same half event and half miss."""
    rng = np.random.default_rng(seed)
    score = rng.permutation(n) / n
    happened = rng.uniform(size=n) < score
    found = fit_isotonic(score, happened)
    order = np.argsort(score)
    level = np.round(isotonic_by_definition(happened[order].astype(float)), 9)
    _, starts, sizes = np.unique(level, return_index=True, return_counts=True)
    smooth = (np.add.reduceat(happened[order].astype(float), starts) + 0.5) / (sizes + 1)
    assert found.probability == pytest.approx(np.maximum.accumulate(smooth))
    assert found.score == pytest.approx(np.add.reduceat(score[order], starts) / sizes)


@given(st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_the_order_of_equal_scores_is_nothing(seed: int) -> None:
    """Networks that are sure say the same number many times."""
    rng = np.random.default_rng(seed)
    score, happened = rng.integers(0, 4, 30) / 4, rng.integers(0, 2, 30)
    shuffled = rng.permutation(30)
    assert fit_isotonic(score, happened) == fit_isotonic(score[shuffled], happened[shuffled])


def test_it_makes_bad_probabilities_honest() -> None:
    rng = np.random.default_rng(2)
    true = rng.uniform(0, 1, 20_000)
    happened = rng.uniform(size=len(true)) < true
    score = true**3
    half = slice(0, 10_000), slice(10_000, None)
    found = fit_isotonic(score[half[0]], happened[half[0]])
    assert reliability(score[half[1]], happened[half[1]]).expected_error > 0.2
    assert reliability(found(score[half[1]]), happened[half[1]]).expected_error < 0.02
    assert found([-5.0, 5.0]).tolist() == [found.probability[0], found.probability[-1]]


def test_a_few_lucky_scores_are_no_certainty() -> None:
    assert fit_isotonic([0.9, 0.95], [1, 1])([0.93])[0] < 0.9


@pytest.mark.parametrize(
    ("score", "probability"),
    [((), ()), ((0.1,), (0.1, 0.2)), ((0.2, 0.1), (0.1, 0.2)), ((0.1, 0.2), (0.3, 0.2)), ((0.1,), (1.2,))],
)
def test_a_map_that_is_none_is_refused(score: tuple[float, ...], probability: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="calibration"):
        Isotonic(score, probability)


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        brier_score([1.2], [1])
    with pytest.raises(InputError, match="its event"):
        reliability([0.2, 0.3], [1])
    with pytest.raises(InputError, match="scores"):
        fit_isotonic([], [])
