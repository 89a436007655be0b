"""Numbers of cells from sums of probabilities: intervals that hold, and a model that is found again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.points.expected import CountModel, fit_count_model


def drawn(rng: np.random.Generator, model: CountModel, summed: np.ndarray) -> np.ndarray:
    """True numbers as the model describes them: Poisson about means that vary."""
    shape = model.spread**-2
    return rng.poisson(model.mean(summed) * rng.gamma(shape, 1 / shape, len(summed)))


@pytest.mark.parametrize("mean", [0.7, 6, 80, 5000])
def test_95_percent_of_what_is_drawn_lies_inside(mean):
    rng, model = np.random.default_rng(1), CountModel(0.8, 0.25)
    summed = np.full(20_000, mean / 0.8)
    low, high = model.interval(summed)
    true = drawn(rng, model, summed)
    inside = np.mean((true >= low) & (true <= high))
    assert 0.945 < inside <= (0.96 if mean > 50 else 1)


def test_without_spread_it_is_poisson():
    low, high = CountModel().interval([100.0])
    assert (low[0], high[0]) == (81, 120)
    wide = CountModel(1.0, 0.3).interval([100.0])
    assert wide[0][0] < 60
    assert wide[1][0] > 150


@given(st.floats(0, 1e6), st.floats(0.1, 10), st.floats(0, 2))
def test_intervals_are_whole_numbers_about_the_mean(summed, factor, spread):
    model = CountModel(factor, spread)
    low, high = model.interval(summed)
    assert 0 <= low <= model.mean(summed) <= high
    assert low == np.floor(low)
    assert high == np.floor(high)


def test_nothing_found_is_nothing_expected():
    assert CountModel(2.0, 0.5).interval(0.0) == (0, 0)


@pytest.mark.parametrize("true", [CountModel(0.7, 0.3), CountModel(1.6, 0.1), CountModel(1.0, 0.8)])
def test_a_model_is_found_again(true):
    rng = np.random.default_rng(5)
    summed = rng.uniform(20, 300, 3000)
    found = fit_count_model([(summed, drawn(rng, true, summed))])
    assert found.factor == pytest.approx(true.factor, rel=0.05)
    assert found.spread == pytest.approx(true.spread, rel=0.1)
    assert found.within == pytest.approx(true.spread, rel=0.1)


def test_brains_differ_more_than_places_of_one_do():
    rng = np.random.default_rng(2)
    brains = []
    for factor in (0.5, 0.8, 1.0, 1.6, 2.0):
        summed = rng.uniform(20, 300, 200)
        brains.append((summed, drawn(rng, CountModel(factor, 0.1), summed)))
    found = fit_count_model(brains)
    assert found.within == pytest.approx(0.1, rel=0.15)
    assert 0.3 < found.spread < 0.7


def test_each_brain_counts_alike():
    many, few = (np.full(2000, 100.0), np.full(2000, 50)), (np.full(4, 100.0), np.full(4, 200))
    assert fit_count_model([many, few]).factor == pytest.approx(fit_count_model([few, many]).factor)
    assert 1.0 < fit_count_model([many, few]).factor < 1.5


def test_a_cell_where_none_was_found_is_possible():
    model = fit_count_model([([0.0, 50.0, 60.0], [1, 48, 65])])
    assert 0.7 < model.factor < 1.4


def test_survives_being_written():
    model = CountModel(0.9, 0.2)
    assert CountModel.of_text(model.text) == model
    assert CountModel.of_text(None) == CountModel()


def test_refuses_what_it_cannot_use():
    with pytest.raises(InputError, match="two places or more"):
        fit_count_model([([3.0], [2])])
    with pytest.raises(InputError, match="and cells in them"):
        fit_count_model([([3.0, 1.0], [0, 0])])
    with pytest.raises(InputError, match="needs its number"):
        fit_count_model([([3.0, 1.0], [2])])
    with pytest.raises(InputError, match="within brains the smaller"):
        CountModel(1.0, 0.1, 0.2)
    with pytest.raises(InputError, match="positive factor"):
        CountModel(-1.0, 0.1)
