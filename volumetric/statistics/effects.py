"""How large a difference is: effect sizes of two groups with 95% intervals, all columns at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from volumetric.statistics.welch import Moments

Floats = npt.NDArray[np.float64]

BISECTIONS = 50


@dataclass(frozen=True)
class Effect:
    """Estimate and interval of each column; NaN where it is not defined."""

    estimate: Floats
    low: Floats
    high: Floats


def hedges_g(first: Floats, second: Floats, level: float = 0.95) -> Effect:
    """The difference of means in pooled standard deviations, corrected for small samples.

    Args:
        first, second: (n_brains, n_tests), NaN where a brain is left out.
        level: of the interval, from the noncentral t distribution (exact for normal data of equal variance).

    Positive where the first group is larger. Hedges 1981, J Educ Stat 6:107; interval: Steiger and Fouladi 1997.
    """
    a, b = Moments.of(first), Moments.of(second)
    df = a.n + b.n - 2
    enough = (a.n >= 2) & (b.n >= 2)
    pooled = np.where(enough, ((a.n - 1) * a.variance + (b.n - 1) * b.variance) / np.maximum(df, 1), np.nan)
    size = np.sqrt(a.n * b.n / np.maximum(a.n + b.n, 1))
    d = np.divide(a.mean - b.mean, np.sqrt(pooled), out=np.full_like(df, np.nan), where=pooled > 0)
    correction = np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / np.sqrt(np.maximum(df, 1) / 2)
    tail = (1 - level) / 2
    ends = [_noncentrality(d * size, df, p) / size * correction for p in (1 - tail, tail)]
    return Effect(d * correction, ends[0], ends[1])


def _noncentrality(t: Floats, df: Floats, p: float) -> Floats:
    """The noncentrality at which the chance of a smaller t is `p`; found by bisection."""
    spread = 8 * np.sqrt(1 + t**2 / np.maximum(df, 1))
    low, high = t - spread, t + spread
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        above = special.nctdtr(df, middle, t) > p
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    found: Floats = (low + high) / 2
    return found


def cliffs_delta(first: Floats, second: Floats, level: float = 0.95) -> Effect:
    """How far pairs favour the first group: +1 where it is larger in all, -1 where in none (the rank-biserial r).

    Args:
        first, second: (n_brains, n_tests), NaN where a brain is left out.
        level: of the interval, which is Newcombe's fifth method for the area under the curve, P(first > second):
            it holds its level in small groups and at the ends (Newcombe 2006, Stat Med 25:559).
    """
    m = np.isfinite(first).sum(axis=0).astype(np.float64)
    n = np.isfinite(second).sum(axis=0).astype(np.float64)
    pairs = np.sign(first[:, None, :] - second[None, :, :])
    total = m * n
    delta = np.divide(np.nansum(pairs, axis=(0, 1)), total, out=np.full_like(total, np.nan), where=total > 0)
    area = (delta + 1) / 2
    z = float(stats.norm.ppf((1 + level) / 2))
    low, high = (_area_end(area, m, n, z, end) for end in (0.0, 1.0))
    return Effect(delta, 2 * low - 1, 2 * high - 1)


def _area_end(area: Floats, m: Floats, n: Floats, z: float, end: float) -> Floats:
    """The area on one side of the estimate that lies z of its own standard errors away; found by bisection."""
    mean_n = (m + n) / 2 - 1

    def reach(at: Floats) -> Floats:
        pairs = np.maximum(m * n, 1)
        spread = at * (1 - at) / pairs * (1 + mean_n * ((1 - at) / (2 - at) + at / (1 + at)))
        distance: Floats = z * np.sqrt(spread)
        return distance

    near, far = area.copy(), np.where(np.isfinite(area), end, np.nan)
    for _ in range(BISECTIONS):
        middle = (near + far) / 2
        inside = np.abs(middle - area) <= reach(middle)
        near, far = np.where(inside, middle, near), np.where(inside, far, middle)
    found: Floats = (near + far) / 2
    return found
