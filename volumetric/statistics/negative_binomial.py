"""Counts as a negative-binomial model with the volume as offset, all columns at once.

    log E[count] = X b + log volume,    Var[count] = mu + a mu^2

NaN counts are brains left out of a column; they weigh nothing. `a`, the dispersion, is one number for the study.
How the coefficients are judged is in `quasi_likelihood`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

Floats = npt.NDArray[np.float64]

ITERATIONS = 60
TOLERANCE = 1e-9
"""Of the deviance, relative: where the iteration stops."""

SMALLEST_LOG_MEAN, LARGEST_LOG_MEAN = -20.0, 30.0
"""A group without any cell has no finite coefficient: its mean stops here."""

LARGEST_DISPERSION = 1e3


@dataclass(frozen=True)
class Fit:
    """Maximum likelihood of each column for a given dispersion.

    Args:
        coefficients: (n_terms, n_tests), natural logarithms.
        mean: (n_brains, n_tests) fitted counts; meaningless where a brain is left out.
        deviance: (n_tests,).
    """

    coefficients: Floats
    mean: Floats
    deviance: Floats


def fit(counts: Floats, log_volume: Floats, design: Floats, dispersion: float) -> Fit:
    """Fit by iteratively reweighted least squares (McCullagh and Nelder 1989, chapter 2).

    Args:
        counts: (n_brains, n_tests), NaN where a brain is left out.
        log_volume: (n_brains, n_tests), finite where the counts are.
        design: (n_brains, n_terms), of full rank over the brains of every column.
        dispersion: of all columns, 0 for Poisson.
    """
    present = np.isfinite(counts)
    y, offset = np.where(present, counts, 0.0), np.where(present, log_volume, 0.0)
    terms = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
    eta = np.log(np.maximum(y, 0.5))
    mean, before = np.exp(eta), np.full(y.shape[1], np.inf)
    for _ in range(ITERATIONS):
        weight = present * mean / (1 + dispersion * mean)
        working = eta - offset + (y - mean) / mean
        information = (weight.T @ products).reshape(-1, terms, terms)
        # Without any cell in a group its weights vanish; a trace of a ridge keeps the equations solvable.
        ridge = 1e-10 * np.trace(information, axis1=1, axis2=2)[:, None, None] * np.eye(terms)
        right = (weight * working).T @ design
        coefficients = np.linalg.solve(information + ridge, right[..., None])[..., 0].T
        eta = np.clip(design @ coefficients + offset, SMALLEST_LOG_MEAN, LARGEST_LOG_MEAN)
        mean = np.exp(eta)
        now = deviance(counts, mean, dispersion)
        if np.all(np.abs(now - before) <= TOLERANCE * (now + 1)):
            break
        before = now
    return Fit(coefficients, mean, now)


def deviance(counts: Floats, mean: Floats, dispersion: float) -> Floats:
    """Twice what the log-likelihood lacks to a perfect fit, summed over the brains of a column: (n_tests,)."""
    total: Floats = np.nansum(unit_deviance(counts, mean, dispersion), axis=0)
    return total


def unit_deviance(counts: Floats, mean: Floats, dispersion: float) -> Floats:
    """The share of each count in the deviance, (n_brains, n_tests), at least 0; NaN where the count is."""
    part = special.xlogy(counts, counts / mean)
    if dispersion > 0:
        size = 1 / dispersion
        part = part - (counts + size) * np.log((counts + size) / (mean + size))
    else:
        part = part - (counts - mean)
    each: Floats = np.maximum(2 * part, 0.0)
    return each


def variance(mean: Floats, dispersion: float) -> Floats:
    """Of counts with these means."""
    spread: Floats = mean + dispersion * mean**2
    return spread


def common_dispersion(counts: Floats, log_volume: Floats, design: Floats) -> float:
    """The dispersion at which Pearson's statistic of the median column is the median of its chi-square.

    The median keeps a few wild regions from setting the shape for all. 0 where counts vary no more than Poisson's.
    Arguments as in `fit`; raises nothing, and is 0 without columns or degrees of freedom.
    """
    df = np.isfinite(counts).sum(axis=0) - design.shape[1]
    if not np.any(df > 0):
        return 0.0
    target = stats.chi2.median(np.maximum(df, 1))

    def excess(dispersion: float, mean: Floats) -> float:
        pearson = np.nansum((counts - mean) ** 2 / variance(mean, dispersion), axis=0)
        return float(np.median((pearson / target)[df > 0])) - 1

    dispersion = 0.0
    for _ in range(3):  # the fitted means hardly depend on the dispersion: three rounds settle it
        mean = fit(counts, log_volume, design, dispersion).mean
        if excess(0.0, mean) <= 0:
            return 0.0
        low, high = np.log(1e-9), np.log(LARGEST_DISPERSION)
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if excess(np.exp(middle), mean) > 0 else (low, middle)
        dispersion = float(np.exp((low + high) / 2))
    return dispersion
