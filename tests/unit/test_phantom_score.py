"""The score of known mistakes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from volumetric.errors import InputError
from volumetric.phantom.score import region_errors, score_brain, score_cells


@pytest.fixture
def truth():
    rng = np.random.default_rng(0)
    place = rng.permutation(1000)[:, None] * 50.0 + rng.uniform(0, 5, (1000, 3))
    return pd.DataFrame(place, columns=["z_um", "y_um", "x_um"]).assign(
        region_id=np.repeat([1, 2, 3, 4], [500, 300, 150, 50]), hemisphere=np.tile(["left", "right"], 500)
    )


def test_the_truth_scores_one(truth):
    score = score_brain(truth, truth.sample(frac=1, random_state=1))
    assert (score["recall"], score["precision"], score["f1"]) == (1, 1, 1)
    assert (score["count_error"], score["median_region_error"]) == (0, 0)
    assert (score["region_agreement"], score["hemisphere_agreement"]) == (1, 1)
    assert score["tolerance_um"] == 10


def test_missed_and_false_cells_count(truth):
    false = truth.iloc[:100].assign(z_um=-1e6)
    found = pd.concat([truth.iloc[200:], false])
    score = score_cells(truth, found)
    assert score["recall"] == pytest.approx(0.8)
    assert score["precision"] == pytest.approx(800 / 900)
    assert score["count_error"] == pytest.approx(0.1)


def test_a_cell_found_twice_is_a_mistake(truth):
    score = score_cells(truth, pd.concat([truth, truth.iloc[:100].assign(x_um=truth["x_um"][:100] + 0.1)]))
    assert score["recall"] == 1
    assert score["precision"] == pytest.approx(1000 / 1100)


def test_regions_of_few_cells_do_not_count(truth):
    found = truth.assign(region_id=truth["region_id"].replace({4: 0}))
    found = found.drop(found.index[found["region_id"] == 3][:30])
    errors = region_errors(truth, found)
    assert errors.to_dict() == {1: 0.0, 2: 0.0, 3: 0.2}
    assert score_brain(truth, found)["median_region_error"] == 0


def test_mirrored_hemispheres_show(truth):
    found = truth.assign(hemisphere=truth["hemisphere"].replace({"left": "right", "right": "left"}))
    score = score_brain(truth, found.sample(frac=1, random_state=2))
    assert score["hemisphere_agreement"] == 0
    assert score["region_agreement"] == 1


def test_nothing_found_and_nothing_true(truth):
    assert score_cells(truth, truth.iloc[:0])["precision"] == 0
    assert score_brain(truth.iloc[:10], truth)["median_region_error"] is None
    with pytest.raises(InputError, match="no true cells"):
        score_cells(truth.iloc[:0], truth)
    with pytest.raises(InputError, match="region_id"):
        score_brain(truth, truth.drop(columns="region_id"))
