"""Region tables of which two are of one animal, told by what they hold, whatever their names, folders and times.

Counts of two animals differ at least as two draws by chance (Poisson) do: (a - b)^2 / (a + b), summed over the regions,
is then at least chi-square. Tables below its lower tail hold one animal, copied or counted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from volumetric.statistics.chance import NOT_BY_CHANCE

FEWEST_IN_REGION, FEWEST_REGIONS = 10, 12
"""Cells of two brains in a region, and such regions: with fewer, two animals may be alike by chance."""

FEWEST_CELLS = 20
"""Of a brain: with fewer, two animals may have the same counts by chance."""


@dataclass(frozen=True)
class Alike:
    """Two tables that hold the same: their numbers in the study, and what is the same.

    Args:
        counts: they are the same in all regions, perhaps with left and right swapped.
        volumes: they are the same in all regions. With neither, the counts are only more alike than chance allows.
        mirrored: whether they are swapped.
    """

    first: int
    second: int
    counts: bool
    volumes: bool
    mirrored: bool = False


def alike(tables: Sequence[pd.DataFrame]) -> list[Alike]:
    """Pairs of tables with the same counts of cells in all regions, counts more alike than those of two animals, or the
    same volumes, which registrations give.

    Args:
        tables: columns of `regions.csv`, in any order of rows.
    """
    sides = [{name: _by_side(table, name) for name in ("count", "count_own", "volume_mm3")} for table in tables]
    found = []
    for i, j in combinations(range(len(tables)), 2):
        one, other = sides[i], sides[j]
        cells = one["count"][0].max(initial=0.0)
        for mirrored in (False, True):
            counts, volumes = (_same(one[name], other[name], mirrored) for name in ("count", "volume_mm3"))
            if counts and (cells >= FEWEST_CELLS or volumes):
                found.append(Alike(i, j, True, volumes, mirrored))
                break
            same_space = volumes and not mirrored and bool(one["volume_mm3"][0].any())
            if same_space or _too_alike(one["count_own"], other["count_own"], mirrored):
                found.append(Alike(i, j, False, same_space, mirrored))
                break
    return found


def _by_side(table: pd.DataFrame, name: str) -> list[np.ndarray]:
    """Values by region for both sides, the left and the right."""
    ordered = table.sort_values("region_id", kind="stable")
    return [
        np.nan_to_num(ordered.loc[ordered["hemisphere"] == side, name].to_numpy(np.float64))
        for side in ("both", "left", "right")
    ]


def _too_alike(one: Sequence[np.ndarray], other: Sequence[np.ndarray], mirrored: bool) -> bool:
    """Whether counts of cells in the regions themselves, which share none, differ less than chance makes them."""
    a, b = np.concatenate(one[1:]), np.concatenate(other[:0:-1] if mirrored else other[1:])
    if a.shape != b.shape:
        return False
    kept = a + b >= FEWEST_IN_REGION
    differ = ((a - b)[kept] ** 2 / (a + b)[kept]).sum()
    return bool(kept.sum() >= FEWEST_REGIONS and stats.chi2.cdf(differ, kept.sum()) < NOT_BY_CHANCE)


def _same(one: Sequence[np.ndarray], other: Sequence[np.ndarray], mirrored: bool) -> bool:
    turned = (0, 2, 1) if mirrored else (0, 1, 2)
    return all(np.array_equal(a, other[side]) for a, side in zip(one, turned, strict=True))
