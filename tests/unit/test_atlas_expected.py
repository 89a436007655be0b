from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from volumetric.atlas import tally as tally_module
from volumetric.atlas.counts import Extent, region_table
from volumetric.atlas.expected import expected_counts
from volumetric.atlas.ontology import Ontology, Region
from volumetric.atlas.tally import place
from volumetric.errors import InputError
from volumetric.points.expected import CountModel

TREE = Ontology(
    (
        Region(5, "leaf", "leaf", 9),
        Region(9, "middle", "middle", 2),
        Region(2, "top", "top", None),
        Region(8, "other", "other", None),
    )
)


def test_a_region_has_the_cells_of_its_descendants_on_each_side(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    region = rng.choice(np.array([0, 2, 5, 8, 9], np.uint32), 2000, p=[0.4, 0.3, 0.1, 0.05, 0.15])
    side = rng.integers(1, 3, 2000).astype(np.uint8)
    side[region == 0] = 0
    p = rng.random(2000)
    monkeypatch.setattr(tally_module, "CHUNK", 300)
    model = CountModel(1.2, 0.1)
    found = expected_counts(TREE, place(TREE, region, side), p, model)
    members = {5: [5], 9: [9, 5], 2: [2, 9, 5], 8: [8]}
    for row, number in enumerate(TREE.ids):
        for column, sides in enumerate(([1], [2], [1, 2])):
            summed = p[np.isin(region, members[number]) & np.isin(side, sides)].sum()
            assert found.mean[row, column] == pytest.approx(1.2 * summed)
            assert (found.low[row, column], found.high[row, column]) == model.interval(summed)


def table_of(probability: np.ndarray | None) -> pd.DataFrame:
    nothing = np.zeros((4, 2))
    extent = Extent(nothing, nothing.astype(np.int64), nothing.astype(np.int64))
    region, side = np.array([5, 8, 9, 0], np.uint32), np.array([1, 2, 2, 0], np.uint8)
    return region_table(TREE, region, side, extent, probability=probability)


def test_the_table_shows_them_beside_the_count() -> None:
    table = table_of(np.array([0.25, 1.0, 0.5, 0.125])).set_index(["acronym", "hemisphere"])
    shown = table[["count", "expected", "expected_low", "expected_high"]]
    assert shown.loc[("top", "both")].tolist() == [2, 0.75, 0, 3]
    assert shown.loc[("top", "right")].tolist() == [1, 0.5, 0, 2]
    assert shown.loc[("other", "right")].tolist() == [1, 1, 0, 3]
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
