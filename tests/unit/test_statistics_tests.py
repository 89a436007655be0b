"""Welch, Mann-Whitney and false discovery rates against scipy and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.stats.multitest import multipletests

from volumetric.statistics.discovery import benjamini_hochberg
from volumetric.statistics.mann_whitney import mann_whitney
from volumetric.statistics.welch import welch


def two_groups(m: int, n: int, tests: int = 40, missing: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(m * 100 + n)
    first, second = rng.gamma(3, 10, (m, tests)), rng.gamma(2, 20, (n, tests))
    for values in (first, second):
        values[rng.random(values.shape) < missing] = np.nan
    return first, second


@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_welch_is_scipys(missing: float) -> None:
    first, second = two_groups(7, 5, missing=missing)
    found = welch(first, second)
    for i in range(first.shape[1]):
        a, b = (v[:, i][np.isfinite(v[:, i])] for v in (first, second))
        known = stats.ttest_ind(a, b, equal_var=False)
        assert [found.t[i], found.df[i], found.p[i]] == pytest.approx([known.statistic, known.df, known.pvalue])


def test_welch_needs_two_values_a_group_and_some_spread() -> None:
    first = np.array([[1.0, 2.0, 3.0], [np.nan, 2.0, 5.0]])
    second = np.array([[1.0, 3.0, 4.0], [2.0, 3.0, 4.0]])
    assert np.isfinite(welch(first, second).p).tolist() == [False, False, True]


@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_mann_whitney_is_scipys_exact_test_without_ties(missing: float) -> None:
    first, second = two_groups(6, 6, missing=missing)
    found = mann_whitney(first, second)
    for i in range(first.shape[1]):
        a, b = (v[:, i][np.isfinite(v[:, i])] for v in (first, second))
        known = stats.mannwhitneyu(a, b, method="exact")
        assert [found.u[i], found.p[i]] == pytest.approx([known.statistic, known.pvalue])


def test_mann_whitney_with_ties_is_the_permutation_test() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 4, (5, 8)).astype(float), rng.integers(1, 5, (4, 8)).astype(float)
    found = mann_whitney(first, second)

    def off_centre(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        wins = (np.sign(a[..., :, None] - b[..., None, :]) + 1).sum(axis=(-1, -2)) / 2
        return np.abs(wins - a.shape[-1] * b.shape[-1] / 2)

    for i in range(8):
        known = stats.permutation_test(
            (first[:, i], second[:, i]),
            off_centre,
            alternative="greater",
            n_resamples=np.inf,
            vectorized=True,
            axis=0,
        )
        assert found.p[i] == pytest.approx(known.pvalue)


def test_mann_whitney_of_large_groups_is_scipys_normal_approximation() -> None:
    rng = np.random.default_rng(2)
    first, second = np.round(rng.gamma(3, 3, (20, 10))), np.round(rng.gamma(2, 5, (15, 10)))
    found = mann_whitney(first, second)
    known = stats.mannwhitneyu(first, second, method="asymptotic", axis=0)
    np.testing.assert_allclose(found.u, known.statistic)
    np.testing.assert_allclose(found.p, known.pvalue)


def test_mann_whitney_of_an_empty_group_is_null() -> None:
    found = mann_whitney(np.full((3, 1), np.nan), np.ones((3, 1)))
    assert np.isnan(found.u[0])
    assert np.isnan(found.p[0])


def test_q_values_by_hand() -> None:
    # sorted p times 4 / rank: 0.04, 0.06, 0.0667, 0.2 -> smallest from the right
    q = benjamini_hochberg(np.array([0.03, 0.2, np.nan, 0.01, 0.05]))
    np.testing.assert_allclose(q, [0.06, 0.2, np.nan, 0.04, 0.2 / 3])


@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1)))
def test_q_values_are_statsmodels(p: np.ndarray) -> None:
    np.testing.assert_allclose(benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1], atol=1e-12)
