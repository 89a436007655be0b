"""Is a term of the negative-binomial model needed? A quasi-likelihood F test for few brains, all columns at once.

    Var[count] = s (mu + a mu^2),    s = own part + shared part

`a` gives the shape of the variance (`negative_binomial`), the quasi-dispersion `s` its size in each column, and F
carries how uncertain `s` is; a test that takes the dispersion as known finds far too much in a dozen brains. The own
part of a region is moderated: drawn towards that of the other regions, which adds degrees of freedom (Lund, Nettleton,
McCarthy and Smyth 2012, Stat Appl Genet Mol Biol 11(5):8; Smyth 2004, ibid. 3(1):3). Moderation takes regions for
independent, but a brain that is labelled better has more cells in all of them. So what the regions of a brain have in
common is taken out first, and comes back as the shared part, with no more degrees of freedom than there are brains.
The sum has Satterthwaite's. One degree of freedom pays for the shape, which is estimated as well. The variance is never
taken for less than Poisson's; where that of a whole study is less, as of copied brains, it has not been measured, and
one degree of freedom is all it has. Measured in `benchmarks/statistics_under_the_null.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from volumetric.statistics.chance import FEWEST_DF, too_alike
from volumetric.statistics.negative_binomial import Fit, common_dispersion, fit, unit_deviance, variance

Floats = npt.NDArray[np.float64]

FEWEST_COLUMNS = 10
"""With fewer regions there is too little to learn a region's variation from the others'."""

FARTHEST_LOG_RATIO = 12.0
"""Where the search for an interval's end stops: the end is then 0 or infinity."""

BISECTIONS = 40


@dataclass(frozen=True)
class QuasiFit:
    """The full model of every column.

    Args:
        dispersion: `a`, of the study.
        full: the fit.
        scale: (n_tests,) quasi-dispersion `s`; NaN without two residual degrees of freedom.
        df: (n_tests,) its degrees of freedom.
    """

    counts: Floats
    log_volume: Floats
    design: Floats
    dispersion: float
    full: Fit
    scale: Floats
    df: Floats


@dataclass(frozen=True)
class RatioTest:
    """F with 1 and `df` degrees of freedom, its p, and the ratio of rates; each (n_tests,)."""

    f: Floats
    df: Floats
    p: Floats
    ratio: Floats


def quasi_fit(counts: Floats, log_volume: Floats, design: Floats) -> QuasiFit:
    """Fit the full model; arguments as in `negative_binomial.fit`.

    `s` is measured by Pearson's and by the deviance residuals, and the larger counts: where brains vary like a
    log-normal rather than a gamma variable, either alone can be too small.
    """
    dispersion = common_dispersion(counts, log_volume, design)
    full = fit(counts, log_volume, design, dispersion)
    spread = np.sqrt(variance(full.mean, dispersion))
    reach = np.where(np.isfinite(counts), full.mean / spread, np.nan)
    pearson = (counts - full.mean) / spread
    rooted = np.sign(pearson) * np.sqrt(unit_deviance(counts, full.mean, dispersion))
    rest = float(design.shape[1] + 1)
    found = [_quasi_dispersion(residual, reach, rest) for residual in (pearson, rooted)]
    scale, df = np.maximum(found[0][0], found[1][0]), np.minimum(found[0][1], found[1][1])
    scale = np.maximum(scale, _of_chance(np.where(np.isfinite(counts), full.mean, 0.0), dispersion))
    if too_alike(counts, full.mean, design.shape[1]):
        df = np.minimum(df, FEWEST_DF)
    return QuasiFit(counts, log_volume, design, dispersion, full, scale, df)


def _of_chance(mean: Floats, dispersion: float) -> Floats:
    """`s` at which a column varies as Poisson's: counts cannot be more alike than chance lets them."""
    chance: Floats = mean.sum(axis=0) / np.maximum(variance(mean, dispersion).sum(axis=0), 1e-300)
    return chance


def _quasi_dispersion(residual: Floats, reach: Floats, spent: float) -> tuple[Floats, Floats]:
    """`s` of each column as the sum of its own and the shared part, and Satterthwaite's degrees of freedom.

    Args:
        residual: (n_brains, n_tests) in standard deviations, NaN where a brain is left out.
        reach: how much a residual grows with the log of its brain's efficiency.
        spent: degrees of freedom already used.
    """
    n = np.isfinite(residual).sum(axis=0)
    df = np.where(n - spent >= 1, n - spent, np.nan)
    weight = np.nansum(reach**2, axis=1)
    common = np.divide(np.nansum(reach * residual, axis=1), weight, out=np.zeros_like(weight), where=weight > 0)
    own, own_df = moderate(np.nansum((residual - reach * common[:, None]) ** 2, axis=0) / df, df)
    size = (common**2).sum() / max(len(residual) - spent, 1)
    shared = size * np.nansum(reach**2, axis=0) / np.maximum(n, 1)
    scale = own + shared
    return scale, scale**2 / (own**2 / own_df + shared**2 / df)


def ratio_test(model: QuasiFit, term: int) -> RatioTest:
    """Test that a term of the design, not the intercept, makes no difference; the ratio is per unit of the term."""
    rest = fit(model.counts, model.log_volume, np.delete(model.design, term, axis=1), model.dispersion)
    f = np.maximum(rest.deviance - model.full.deviance, 0.0) / model.scale
    estimate = model.full.coefficients[term]
    ratio = np.exp(np.where(np.abs(estimate) < FARTHEST_LOG_RATIO, estimate, np.sign(estimate) * np.inf))
    return RatioTest(f, model.df, np.asarray(stats.f.sf(f, 1, model.df)), ratio)


def ratio_interval(model: QuasiFit, term: int, level: float = 0.95) -> tuple[Floats, Floats]:
    """The ratios that `ratio_test` would not reject, as (low, high); 0 or infinity where no end is found."""
    limit = model.full.deviance + model.scale * stats.f.ppf(level, 1, model.df)
    return _end(model, term, limit, -1), _end(model, term, limit, 1)


def _end(model: QuasiFit, term: int, limit: Floats, sign: int) -> Floats:
    """Bisect for the ratio at which the profile deviance reaches the limit."""
    rest, by = np.delete(model.design, term, axis=1), model.design[:, term][:, None]
    near = np.clip(model.full.coefficients[term], -FARTHEST_LOG_RATIO, FARTHEST_LOG_RATIO)
    far = np.full_like(near, sign * FARTHEST_LOG_RATIO)

    def beyond(at: Floats) -> npt.NDArray[np.bool_]:
        return fit(model.counts, model.log_volume + by * at, rest, model.dispersion).deviance > limit

    ends = beyond(far)
    for _ in range(BISECTIONS):
        middle = (near + far) / 2
        outside = beyond(middle)
        near, far = np.where(outside, near, middle), np.where(outside, middle, far)
    found = np.where(ends, np.exp(far), np.inf if sign > 0 else 0.0)
    return np.where(np.isfinite(limit), found, np.nan)


def moderate(s: Floats, df: Floats) -> tuple[Floats, Floats]:
    """Variances drawn towards what they have in common, and their degrees of freedom.

    Args:
        s, df: (n_tests,) variances and their degrees of freedom; NaN is left out and stays.

    The prior is a scaled inverse chi-square, fitted to the logarithms (Smyth 2004, section 6.2). With fewer than
    `FEWEST_COLUMNS` columns nothing is changed.
    """
    known = np.isfinite(s)
    if known.sum() < FEWEST_COLUMNS:
        return s, df
    half = df[known] / 2
    centred = np.log(np.maximum(s[known], 1e-8)) - special.digamma(half) + np.log(half)
    extra = float(np.var(centred, ddof=1) - np.mean(special.polygamma(1, half)))
    if extra <= 0:  # no more spread than chance explains: one variance for all
        return np.where(known, np.exp(centred.mean()), np.nan), np.where(known, np.inf, np.nan)
    prior_df = 2 * _inverse_trigamma(extra)
    prior = np.exp(centred.mean() + special.digamma(prior_df / 2) - np.log(prior_df / 2))
    return (df * s + prior_df * prior) / (df + prior_df), df + prior_df


def _inverse_trigamma(value: float) -> float:
    """Newton's iteration from below, which never overshoots (Smyth 2004, appendix)."""
    x = 0.5 + 1 / value
    for _ in range(50):
        slope = special.polygamma(1, x)
        step = slope * (1 - slope / value) / special.polygamma(2, x)
        x += step
        if -step / x < 1e-8:
            break
    return float(x)
