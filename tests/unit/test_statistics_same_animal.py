"""One animal given twice is told by what its tables hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from volumetric.statistics.same_animal import Alike, alike

REGIONS = 60


def table_of(seed: int, density: float = 40.0, *, vary: float = 0.0) -> pd.DataFrame:
    """Regions beside each other, none of which holds another; counts vary by chance, and by `vary`."""
    means = density * np.random.default_rng(99).lognormal(0, 1, (REGIONS, 2))
    rng = np.random.default_rng(seed)
    counts = rng.poisson(means * np.exp(rng.normal(0, vary, means.shape)))
    return table_from(counts, rng.uniform(0.9, 1.1, counts.shape))


def table_from(counts: np.ndarray, volume: np.ndarray) -> pd.DataFrame:
    sides = {"left": 0, "right": 1}
    rows = [
        (region, side, own.sum() if side == "both" else own[sides[side]], v.sum() if side == "both" else v[sides[side]])
        for region, (own, v) in enumerate(zip(counts, volume, strict=True))
        for side in ("left", "right", "both")
    ]
    table = pd.DataFrame(rows, columns=["region_id", "hemisphere", "count", "volume_mm3"])
    return table.assign(count_own=table["count"])


def mirrored(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(hemisphere=table["hemisphere"].replace({"left": "right", "right": "left"}))


@pytest.mark.parametrize("vary", [0.0, 0.05, 0.5])
def test_different_animals_are_never_alike_even_if_they_differ_by_chance_alone(vary: float) -> None:
    for density in (0.5, 3.0, 40.0, 400.0):
        assert alike([table_of(seed, density, vary=vary) for seed in range(12)]) == []


def test_a_copy_is_told_whatever_the_order_of_its_rows_and_whichever_side_is_left() -> None:
    first, other = table_of(0), table_of(1)
    copy = first.sample(frac=1, random_state=0)
    assert alike([first, other, copy]) == [Alike(0, 2, counts=True, volumes=True)]
    assert alike([first, mirrored(first)]) == [Alike(0, 1, counts=True, volumes=True, mirrored=True)]


@pytest.mark.parametrize("seed", range(5))
def test_a_copy_with_some_cells_changed_is_doubted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts, volume = rng.poisson(60, (REGIONS, 2)), rng.uniform(0.9, 1.1, (REGIONS, 2))
    changed = np.maximum(counts + rng.integers(-2, 3, counts.shape), 0)
    for moved in (volume, volume * 1.01):
        (found,) = alike([table_from(counts, volume), table_from(changed, moved)])
        assert not found.counts
        assert found.volumes == (moved is volume)
    (found,) = alike([table_from(counts, volume), mirrored(table_from(changed, volume))])
    assert found.mirrored


def test_brains_without_cells_are_different_animals() -> None:
    nothing = np.zeros((REGIONS, 2), dtype=int)
    tables = [table_from(nothing, np.random.default_rng(seed).uniform(1, 2, nothing.shape)) for seed in range(3)]
    assert alike(tables) == []
