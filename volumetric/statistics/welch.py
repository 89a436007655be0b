"""Welch's t-test of two groups with unequal variances, all columns at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Number, mean and unbiased variance of each column; NaN where there are too few values."""

    n: Floats
    mean: Floats
    variance: Floats

    @classmethod
    def of(cls, values: Floats) -> Moments:
        """Of the (n_brains, n_tests) values that are not NaN."""
        known = np.isfinite(values)
        n = known.sum(axis=0).astype(np.float64)
        mean = _over(np.where(known, values, 0.0).sum(axis=0), n)
        squares = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0)
        return cls(n, mean, _over(squares, n - 1))


@dataclass(frozen=True)
class WelchTest:
    """Statistic, Welch-Satterthwaite degrees of freedom and two-sided p of each column."""

    t: Floats
    df: Floats
    p: Floats


def welch(first: Floats, second: Floats, least: Floats | float = 0.0, most_df: float = np.inf) -> WelchTest:
    """Test that two groups have one mean; t is positive where the first is larger.

    Args:
        first, second: (n_brains, n_tests), NaN where a brain is left out.
        least: (n_tests,) variance that chance alone gives the difference of the means (`chance.variance_of_mean`).
        most_df: degrees of freedom, at most.

    A column with fewer than two values in a group, or without any spread, is NaN. Welch 1947, Biometrika 34:28.
    """
    a, b = Moments.of(first), Moments.of(second)
    share_a, share_b = _over(a.variance, a.n), _over(b.variance, b.n)
    squared = share_a + share_b
    t = _over(a.mean - b.mean, np.sqrt(np.maximum(squared, least)))
    df = _over(squared**2, _over(share_a**2, a.n - 1) + _over(share_b**2, b.n - 1))
    fewest = _over(np.minimum(a.n, b.n) - 1, np.ones_like(a.n))  # where neither group has any spread
    df = np.minimum(np.where(np.isnan(df), fewest, df), most_df)
    return WelchTest(t, df, np.asarray(2 * stats.t.sf(np.abs(t), df)))


def _over(part: Floats, whole: Floats) -> Floats:
    out = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out
