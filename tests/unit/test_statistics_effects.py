"""Effect sizes: their values, and how often their intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from volumetric.statistics.effects import cliffs_delta, hedges_g


def test_hedges_g_by_hand() -> None:
    first, second = np.array([[2.0], [4.0], [6.0]]), np.array([[1.0], [2.0], [3.0]])
    # means 4 and 2, variances 4 and 1, pooled sd sqrt(2.5); J(4) = gamma(2) / (sqrt(2) gamma(1.5)) = 0.7979
    assert hedges_g(first, second).estimate[0] == pytest.approx(2 / 2.5**0.5 * 0.79788, rel=1e-4)


@pytest.mark.parametrize("true", [0.0, 1.0, 2.5])
def test_hedges_interval_holds_the_truth(true: float) -> None:
    rng = np.random.default_rng(0)
    found = hedges_g(rng.normal(true, 1, (6, 4000)), rng.normal(0, 1, (6, 4000)))
    assert found.estimate.mean() == pytest.approx(true, abs=0.05)
    # the interval is of d; the correction for small samples shrinks it with the estimate
    assert 0.925 <= np.mean((found.low <= true) & (true <= found.high)) <= 0.965


def test_cliffs_delta_counts_pairs() -> None:
    first, second = np.array([[1.0, 5.0], [2.0, 6.0], [3.0, np.nan]]), np.array([[2.0, 1.0], [4.0, 2.0]])
    # first column: pairs of (1, 2, 3) against (2, 4): 1 above, 1 equal, 4 below
    found = cliffs_delta(first, second)
    np.testing.assert_allclose(found.estimate, [(1 - 4) / 6, 1.0])
    assert found.high[1] == pytest.approx(1.0, abs=1e-6)
    assert found.low[1] < 0.5


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0])
def test_cliffs_interval_holds_the_truth(shift: float) -> None:
    rng = np.random.default_rng(1)
    found = cliffs_delta(rng.normal(shift, 1, (6, 4000)), rng.normal(0, 1, (6, 4000)))
    true = 2 * stats.norm.cdf(shift / 2**0.5) - 1
    assert found.estimate.mean() == pytest.approx(true, abs=0.02)
    assert 0.93 <= np.mean((found.low <= true) & (true <= found.high)) <= 0.99


def test_nothing_to_compare_is_null() -> None:
    empty, some = np.full((3, 1), np.nan), np.ones((3, 1))
    for effect in (hedges_g(empty, some), cliffs_delta(empty, some), hedges_g(some, some)):
        assert np.isnan(effect.estimate[0])
        assert np.isnan([effect.low[0], effect.high[0]]).all()
