"""Region tables of which two are of one animal, told by what they hold, whatever their names, folders and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

FEWEST_CELLS = 20
"""Of a brain: with fewer, two animals may have the same counts by chance."""


@dataclass(frozen=True)
class Alike:
    """Two tables that hold the same: their numbers in the study, and what is the same.

    Args:
        counts: in all regions, perhaps with left and right swapped; else it is the volumes alone.
        mirrored: whether they are swapped.
    """

    first: int
    second: int
    counts: bool
    mirrored: bool = False


def alike(tables: Sequence[pd.DataFrame]) -> list[Alike]:
    """Pairs of tables with the same counts of cells in all regions, or the same volumes, which registrations give.

    Args:
        tables: columns of `regions.csv`, in any order of rows.
    """
    sides = [{name: _by_side(table, name) for name in ("count", "volume_mm3")} for table in tables]
    found = []
    for i, j in combinations(range(len(tables)), 2):
        one, other = sides[i], sides[j]
        cells = one["count"][0].max(initial=0.0)
        for mirrored in (False, True):
            counts, volumes = (_same(one[name], other[name], mirrored) for name in ("count", "volume_mm3"))
            if counts and (cells >= FEWEST_CELLS or volumes):
                found.append(Alike(i, j, True, mirrored))
                break
            if volumes and not mirrored and one["volume_mm3"][0].any():
                found.append(Alike(i, j, False))
                break
    return found


def _by_side(table: pd.DataFrame, name: str) -> list[np.ndarray]:
    """Values by region for both sides, the left and the right."""
    ordered = table.sort_values("region_id", kind="stable")
    return [
        np.nan_to_num(ordered.loc[ordered["hemisphere"] == side, name].to_numpy(np.float64))
        for side in ("both", "left", "right")
    ]


def _same(one: Sequence[np.ndarray], other: Sequence[np.ndarray], mirrored: bool) -> bool:
    turned = (0, 2, 1) if mirrored else (0, 1, 2)
    return all(np.array_equal(a, other[side]) for a, side in zip(one, turned, strict=True))
