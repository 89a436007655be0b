"""Counts as a negative-binomial model with the volume as offset, tested by a quasi-likelihood F, all columns at once.

    log E[count] = X b + log volume,    Var[count] = s (mu + a mu^2)

`a`, the dispersion, is one number for the study and gives the shape of the variance; `s`, the quasi-dispersion, is
each column's own and carries how uncertain it is: b is judged by an F distribution with the residual degrees of
freedom. A Wald or likelihood-ratio test with an estimated dispersion taken as known finds far too much in a dozen
brains (`benchmarks/results/statistics_under_the_null.json`).

Lund, Nettleton, McCarthy and Smyth 2012, Stat Appl Genet Mol Biol 11(5):8. Their moderation of `s` between columns is left
out: it takes columns for independent, and the labelling efficiency of a brain moves all its regions together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

Floats = npt.NDArray[np.float64]

ITERATIONS = 60
TOLERANCE = 1e-9
"""Of the deviance, relative: where the iteration of a column stops."""

SMALLEST_LOG_RATE, LARGEST_LOG_RATE = -20.0, 30.0
"""Limits of the log of a mean count: a group without any cell has no finite coefficient."""

LARGEST_DISPERSION = 1e3
FARTHEST_LOG_RATIO = 12.0
"""Where the search for an interval's end stops: the end is then 0 or infinity."""

BISECTIONS = 40


@dataclass(frozen=True)
class Fit:
    """Maximum likelihood of each column for a given dispersion.

    Args:
        coefficients: (n_terms, n_tests), natural logarithms.
        mean: (n_brains, n_tests) fitted counts.
        deviance: (n_tests,).
    """

    coefficients: Floats
    mean: Floats
    deviance: Floats


@dataclass(frozen=True)
class RateRatioTest:
    """F with 1 and `df` degrees of freedom, its p, and the rate ratio with the interval that the test does not reject."""

    f: Floats
    df: int
    p: Floats
    ratio: Floats
    low: Floats
    high: Floats


def fit(counts: Floats, log_volume: Floats, design: Floats, dispersion: float) -> Fit:
    """Fit by iteratively reweighted least squares (McCullagh and Nelder 1989, chapter 2).

    Args:
        counts, log_volume: (n_brains, n_tests).
        design: (n_brains, n_terms) of full rank; its first column is the intercept.
        dispersion: of all columns, 0 for Poisson.
    """
    eta = np.log(np.maximum(counts, 0.5))
    mean = np.exp(eta)
    before = np.full(counts.shape[1], np.inf)
    coefficients = np.zeros((design.shape[1], counts.shape[1]))
    outer = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
    ridge = 1e-10 * np.eye(design.shape[1])
    for _ in range(ITERATIONS):
        weight = mean / (1 + dispersion * mean)
        working = eta - log_volume + (counts - mean) / mean
        information = (weight.T @ outer).reshape(-1, design.shape[1], design.shape[1])
        scale = np.trace(information, axis1=1, axis2=2)[:, None, None]
        right = (weight * working).T @ design
        coefficients = np.linalg.solve(information + ridge * scale, right[..., None])[..., 0].T
        eta = np.clip(design @ coefficients + log_volume, SMALLEST_LOG_RATE, LARGEST_LOG_RATE)
        mean = np.exp(eta)
        now = deviance(counts, mean, dispersion)
        if np.all(np.abs(now - before) <= TOLERANCE * (now + 1)):
            break
        before = now
    return Fit(coefficients, mean, now)


def deviance(counts: Floats, mean: Floats, dispersion: float) -> Floats:
    """Twice the log-likelihood short of a perfect fit, summed over brains: (n_tests,), at least 0."""
    part = special.xlogy(counts, counts / mean)
    if dispersion > 0:
        size = 1 / dispersion
        part = part - (counts + size) * np.log((counts + size) / (mean + size))
    else:
        part = part - (counts - mean)
    total: Floats = np.maximum(2 * part.sum(axis=0), 0.0)
    return total


def common_dispersion(counts: Floats, log_volume: Floats, design: Floats) -> float:
    """The dispersion at which the Pearson statistic of the median column is the median of its chi-square.

    The median keeps a few wild regions from setting the shape for all. 0 where the counts vary no more than Poisson's,
    or where no degree of freedom is left.
    """
    df = counts.shape[0] - design.shape[1]
    if df < 1 or counts.shape[1] == 0:
        return 0.0
    target = stats.chi2.median(df)

    def excess(dispersion: float, mean: Floats) -> float:
        pearson = ((counts - mean) ** 2 / (mean + dispersion * mean**2)).sum(axis=0)
        return float(np.median(pearson)) - target

    dispersion = 0.0
    for _ in range(3):  # the fitted means hardly depend on the dispersion: three rounds settle it
        mean = fit(counts, log_volume, design, dispersion).mean
        if excess(0.0, mean) <= 0:
            return 0.0
        low, high = 0.0, LARGEST_DISPERSION
        for _ in range(60):
            middle = (low + high) / 2 if low == 0 and high < 1e-6 else np.sqrt(max(low, 1e-9) * high)
            low, high = (middle, high) if excess(middle, mean) > 0 else (low, middle)
        dispersion = float((low + high) / 2)
    return dispersion


def rate_ratio_test(
    counts: Floats, log_volume: Floats, design: Floats, term: int, dispersion: float, *, level: float | None = 0.95
) -> RateRatioTest:
    """Test that one term of the design makes no difference.

    Args:
        counts, log_volume: (n_brains, n_tests), without NaN.
        design: (n_brains, n_terms) of full rank.
        term: number of the column under test, not the intercept; the ratio is of the rates when it rises by one.
        dispersion: as `common_dispersion` gives it.
        level: of the interval, or None for none: the search for its ends costs far more than the test.

    p and interval are NaN where no degree of freedom is left.
    """
    df = design.shape[0] - design.shape[1]
    full = fit(counts, log_volume, design, dispersion)
    rest = np.delete(design, term, axis=1)
    scale = full.deviance / df if df > 0 else np.full(counts.shape[1], np.nan)
    gain = np.maximum(fit(counts, log_volume, rest, dispersion).deviance - full.deviance, 0.0)
    f = np.divide(gain, scale, out=np.full_like(gain, np.nan), where=scale > 0)
    estimate = full.coefficients[term]
    ratio = np.where(np.abs(estimate) < FARTHEST_LOG_RATIO, np.exp(np.clip(estimate, -50, 50)), np.inf)
    ratio = np.where(estimate <= -FARTHEST_LOG_RATIO, 0.0, ratio)
    low, high = np.full_like(f, np.nan), np.full_like(f, np.nan)
    if level is not None and df > 0:
        limit = full.deviance + scale * stats.f.ppf(level, 1, df)
        ends = [_end(counts, log_volume, design, term, dispersion, estimate, limit, sign) for sign in (-1, 1)]
        low, high = (np.where(np.isfinite(f), end, np.nan) for end in ends)
    return RateRatioTest(f, df, stats.f.sf(f, 1, max(df, 1)), ratio, low, high)


def _end(
    counts: Floats,
    log_volume: Floats,
    design: Floats,
    term: int,
    dispersion: float,
    estimate: Floats,
    limit: Floats,
    sign: int,
) -> Floats:
    """The ratio on one side of the estimate at which the profile deviance reaches `limit`; 0 or inf where none does."""
    rest, by = np.delete(design, term, axis=1), design[:, term][:, None]
    near = np.clip(estimate, -FARTHEST_LOG_RATIO, FARTHEST_LOG_RATIO)
    far = np.full_like(near, sign * FARTHEST_LOG_RATIO)

    def beyond(at: Floats) -> npt.NDArray[np.bool_]:
        return fit(counts, log_volume + by * at, rest, dispersion).deviance > limit

    open_end = ~beyond(far)
    for _ in range(BISECTIONS):
        middle = (near + far) / 2
        outside = beyond(middle)
        near, far = np.where(outside, near, middle), np.where(outside, middle, far)
    return np.where(open_end, np.inf if sign > 0 else 0.0, np.exp((near + far) / 2))
