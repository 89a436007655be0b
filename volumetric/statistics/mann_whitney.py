"""The Mann-Whitney U test of two groups, exact for small studies with or without ties, all columns at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt
from scipy import stats

from volumetric.statistics.patterns import patterns

Floats = npt.NDArray[np.float64]

MOST_ASSIGNMENTS = 20_000
"""Up to here (8 against 8 brains) every assignment of brains to groups is counted; beyond, the normal approximation."""


@dataclass(frozen=True)
class MannWhitneyTest:
    """U of the first group (pairs in which it is larger, ties half) and two-sided p of each column."""

    u: Floats
    p: Floats


def mann_whitney(first: Floats, second: Floats) -> MannWhitneyTest:
    """Test that neither group tends to the larger values.

    Args:
        first, second: (n_brains, n_tests), NaN where a brain is left out.

    For small groups p is the share of all assignments of the values to the groups whose U lies at least as far from
    its mean: the exact test, also with ties. For larger ones it is the normal approximation with correction for ties
    and continuity. A column with an empty group is NaN. Mann and Whitney 1947, Ann Math Stat 18:50.
    """
    values = np.concatenate([first, second])
    u, p = np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    for present, columns in patterns(np.isfinite(values)):
        n_first, n_second = int(present[: len(first)].sum()), int(present[len(first) :].sum())
        if n_first == 0 or n_second == 0:
            continue
        # Twice the ranks are whole numbers, so that equal sums compare as equal.
        doubled = np.rint(2 * stats.rankdata(values[np.ix_(present, columns)], axis=0))
        above = doubled[:n_first].sum(axis=0) - n_first * (n_first + 1)
        u[columns] = above / 2
        if comb(n_first + n_second, n_first) <= MOST_ASSIGNMENTS:
            p[columns] = _exact(doubled, n_first)
        else:
            p[columns] = _normal(doubled / 2, above / 2, n_first)
    return MannWhitneyTest(u, p)


def _exact(doubled: Floats, n_first: int) -> Floats:
    """Share of assignments as far from the mean as the one at hand, which is the first of them."""
    sums = _assignments(len(doubled), n_first) @ doubled
    off = np.abs(sums - n_first * (len(doubled) + 1))
    share: Floats = (off >= off[0]).mean(axis=0)
    return share


@lru_cache(maxsize=8)
def _assignments(n: int, n_first: int) -> Floats:
    """(n_assignments, n) of 0 and 1: every choice of the first group; the first row takes the first values."""
    chosen = np.array(list(combinations(range(n), n_first)))
    rows = np.zeros((len(chosen), n))
    rows[np.arange(len(chosen))[:, None], chosen] = 1.0
    return rows


def _normal(ranks: Floats, u: Floats, n_first: int) -> Floats:
    n = len(ranks)
    n_second = n - n_first
    # The variance of the ranks themselves holds the correction for ties.
    spread = np.sqrt(n_first * n_second / (n * (n - 1)) * ((ranks - (n + 1) / 2) ** 2).sum(axis=0))
    off = np.maximum(np.abs(u - n_first * n_second / 2) - 0.5, 0.0)
    z = np.divide(off, spread, out=np.zeros_like(off), where=spread > 0)
    p: Floats = np.minimum(2 * stats.norm.sf(z), 1.0)
    return p
