"""What chance alone, Poisson's, makes counts vary: no counts of different animals vary less."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]

NOT_BY_CHANCE = 1e-6
"""Of chi-square's lower tail: counts more alike than this are not of different animals."""

FEWEST_DF = 1.0
"""Degrees of freedom of a variance that was not measured, because the counts are copies."""


def too_alike(counts: Floats, mean: Floats, terms: int) -> bool:
    """Whether the counts of all columns together vary less than chance lets them, as those of copies do.

    Args:
        counts: (n_brains, n_tests), NaN where a brain is left out.
        mean: what a model expects.
        terms: of the model, fitted to each column.
    """
    pearson = np.nansum(np.divide((counts - mean) ** 2, mean, out=np.zeros_like(counts), where=mean > 0))
    df = np.maximum(np.isfinite(counts).sum(axis=0) - terms, 0).sum()
    return bool(df > 0 and stats.chi2.cdf(pearson, df) < NOT_BY_CHANCE)


def expected_counts(counts: Floats, volume: Floats) -> Floats:
    """Counts of brains of one density in each column: (n_brains, n_tests), NaN where a brain is left out."""
    here = np.where(np.isfinite(counts), volume, np.nan)
    total = np.nansum(here, axis=0)
    density = np.divide(np.nansum(counts, axis=0), total, out=np.zeros_like(total), where=total > 0)
    expected: Floats = density * here
    return expected


def variance_of_mean(counts: Floats, volume: Floats) -> Floats:
    """Variance by chance of the mean density of brains of one density: (n_tests,), 0 without any brain.

    Args:
        counts, volume: (n_brains, n_tests), NaN where a brain is left out.
    """
    n = np.isfinite(counts).sum(axis=0)
    each = expected_counts(counts, volume) / np.square(volume)
    variance: Floats = np.nansum(each, axis=0) / np.maximum(n, 1) ** 2
    return variance
