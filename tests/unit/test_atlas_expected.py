from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.atlas import tally as tally_module
from volumetric.atlas.counts import Extent, region_table
from volumetric.atlas.expected import EXACT_CELLS, expected_counts
from volumetric.atlas.ontology import Ontology, Region
from volumetric.atlas.tally import place
from volumetric.errors import InputError

ONE = Ontology((Region(7, "a", "a", None),))
TREE = Ontology(
    (
        Region(5, "leaf", "leaf", 9),
        Region(9, "middle", "middle", 2),
        Region(2, "top", "top", None),
        Region(8, "other", "other", None),
    )
)


def distribution(p: np.ndarray) -> np.ndarray:
    """P(N = k), k = 0..n, one cell after another."""
    pmf = np.ones(1)
    for each in p:
        pmf = np.append(pmf, 0) * (1 - each) + np.append(0, pmf) * each
    return pmf


def quantiles(pmf: np.ndarray, mean: float) -> tuple[int, int]:
    cumulative = np.cumsum(pmf)
    low, high = (int(np.argmax(cumulative >= tail - 1e-12)) for tail in (0.025, 0.975))
    return min(low, int(np.floor(mean))), max(high, int(np.ceil(mean)))


def one_region(p: np.ndarray) -> tuple[float, float, float]:
    found = expected_counts(ONE, place(ONE, np.full(len(p), 7, np.uint32), np.ones(len(p), np.uint8)), p)
    assert np.array_equal(found.mean[:, 0], found.mean[:, 2])
    assert found.mean[0, 1] == found.low[0, 1] == found.high[0, 1] == 0
    return found.mean[0, 0], found.low[0, 0], found.high[0, 0]


def kinds_of_probability(rng: np.random.Generator, n: int) -> list[np.ndarray]:
    return [
        rng.random(n),
        rng.beta(0.2, 0.2, n),
        1 - 0.01 * rng.random(n),
        0.01 * rng.random(n),
        np.where(rng.random(n) < 0.5, 1.0, 0.5),
        np.full(n, 0.5),
    ]


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1), max_size=9))
def test_few_cells_are_exact_by_every_outcome(values: list[float]) -> None:
    pmf = np.zeros(len(values) + 1)
    for outcome in itertools.product((0, 1), repeat=len(values)):
        pmf[sum(outcome)] += np.prod([v if real else 1 - v for v, real in zip(values, outcome, strict=True)])
    mean, low, high = one_region(np.array(values))
    assert mean == pytest.approx(sum(values))
    assert 0 <= low <= mean <= high <= len(values)
    # A tail of exactly 2.5% may fall to either side by rounding; the interval is then still one of 95%.
    assert pmf[int(low) : int(high) + 1].sum() >= 0.95 - 1e-9
    if np.abs(np.cumsum(pmf)[:, None] - [0.025, 0.975]).min() > 1e-9:
        assert (low, high) == quantiles(pmf, mean)


@pytest.mark.parametrize("n", [1, 50, EXACT_CELLS])
def test_as_many_as_are_exact(n: int) -> None:
    for p in kinds_of_probability(np.random.default_rng(n), n):
        mean, low, high = one_region(p)
        assert (low, high) == quantiles(distribution(p), mean)


@pytest.mark.parametrize("n", [EXACT_CELLS + 1, 400, 3000])
def test_many_cells_are_at_most_one_off(n: int) -> None:
    for p in kinds_of_probability(np.random.default_rng(n), n):
        mean, low, high = one_region(p)
        exact = quantiles(distribution(p), mean)
        assert abs(low - exact[0]) <= 1
        assert abs(high - exact[1]) <= 1
        assert 0 <= low <= mean <= high <= n


def test_certain_cells_have_no_interval() -> None:
    for n in (3, 1000):
        assert one_region(np.ones(n)) == (n, n, n)
        assert one_region(np.zeros(n)) == (0, 0, 0)


def test_95_percent_of_simulated_truths_lie_inside() -> None:
    """Rows of 3 to 4000 cells; the share inside is at least 95%, and near it where steps of one cell are small."""
    rng = np.random.default_rng(4)
    n = np.array([3, 60, 700, 4000])
    region = np.repeat(np.array(TREE.ids, np.uint32), n)
    side = rng.integers(1, 3, len(region)).astype(np.uint8)
    p = rng.beta(2, 1, len(region))
    found = expected_counts(TREE, place(TREE, region, side), p)
    rounds, inside = 2000, np.zeros(found.mean.shape)
    for _ in range(rounds):
        real = rng.random(len(p)) < p
        own = tally_module.tally(TREE, region[real], side[real]).astype(float)
        truth = TREE.roll_up(np.column_stack([own, own.sum(axis=1)]))
        inside += (truth >= found.low) & (truth <= found.high)
    share = inside / rounds
    assert share.min() > 0.935
    assert np.abs(share[2:] - 0.955).max() < 0.02


def test_a_region_has_the_cells_of_its_descendants_on_each_side(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    region = rng.choice(np.array([0, 2, 5, 8, 9], np.uint32), 2000, p=[0.4, 0.3, 0.1, 0.05, 0.15])
    side = rng.integers(1, 3, 2000).astype(np.uint8)
    side[region == 0] = 0
    p = rng.random(2000)
    monkeypatch.setattr(tally_module, "CHUNK", 300)
    found = expected_counts(TREE, place(TREE, region, side), p)
    members = {5: [5], 9: [9, 5], 2: [2, 9, 5], 8: [8]}
    for row, number in enumerate(TREE.ids):
        for column, sides in enumerate(([1], [2], [1, 2])):
            cells = p[np.isin(region, members[number]) & np.isin(side, sides)]
            assert found.mean[row, column] == pytest.approx(cells.sum())
            exact = quantiles(distribution(cells), cells.sum())
            apart = np.abs(np.array([found.low[row, column], found.high[row, column]]) - exact).max()
            assert apart <= (0 if len(cells) <= EXACT_CELLS else 1)


def table_of(probability: np.ndarray | None) -> pd.DataFrame:
    nothing = np.zeros((4, 2))
    extent = Extent(nothing, nothing.astype(np.int64), nothing.astype(np.int64))
    region, side = np.array([5, 8, 9, 0], np.uint32), np.array([1, 2, 2, 0], np.uint8)
    return region_table(TREE, region, side, extent, probability)


def test_the_table_shows_them_beside_the_count() -> None:
    table = table_of(np.array([0.25, 1.0, 0.5, 0.125])).set_index(["acronym", "hemisphere"])
    shown = table[["count", "expected", "expected_low", "expected_high"]]
    assert shown.loc[("top", "both")].tolist() == [2, 0.75, 0, 2]
    assert shown.loc[("top", "right")].tolist() == [1, 0.5, 0, 1]
    assert shown.loc[("other", "right")].tolist() == [1, 1, 1, 1]
    assert shown.loc[("leaf", "right")].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("probability", [None, np.array([0.5, np.nan, 0.5, 0.5])])
def test_without_calibration_nothing_is_expected(probability: np.ndarray | None) -> None:
    table = table_of(probability)
    assert table[["expected", "expected_low", "expected_high"]].isna().all(axis=None)
    assert table["count"].sum() > 0


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(InputError, match="outside 0 to 1"):
        table_of(np.array([0.5, 1.1, 0.5, 0.5]))
    with pytest.raises(InputError, match="one probability a cell"):
        table_of(np.array([0.5]))
