"""What a crowd says does not depend on the order in which it is written down."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small_crowd import answers_from, drawn_answers, tile_of
from volumetric.crowd.candidates import candidates
from volumetric.crowd.clicks import TileClicks
from volumetric.crowd.density import DensityPeaks
from volumetric.crowd.reliability import USUAL, Answers, Estimate, Prior, fit
from volumetric.crowd.workers import weights_of

seeds = st.integers(0, 2**32 - 1)


def some_answers(seed: int, items: int, workers: int) -> Answers:
    rng = np.random.default_rng(seed)
    p, q = rng.uniform(0.5, 0.95, workers), rng.uniform(0.7, 0.98, workers)
    return drawn_answers(seed, items, p.tolist(), q.tolist(), asked=0.8)[0]


def agree(one: Estimate, other: Estimate, item: np.ndarray, worker: np.ndarray) -> None:
    """Item and worker are the numbers that those of the first have in the other."""
    assert other.objective == pytest.approx(one.objective, rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(other.classes, one.classes, atol=1e-6)
    np.testing.assert_allclose(other.answers[worker], one.answers, atol=1e-6)
    np.testing.assert_allclose(other.posterior[item], one.posterior, atol=1e-6)


@given(seeds, st.integers(1, 40), st.integers(1, 8), st.booleans())
@settings(max_examples=40)
def test_numbers_of_items_and_workers_and_the_order_of_answers_do_not_matter(
    seed: int, items: int, workers: int, ml: bool
) -> None:
    answers = some_answers(seed, items, workers)
    rng = np.random.default_rng(seed)
    item, worker, row = rng.permutation(items), rng.permutation(workers), rng.permutation(len(answers.item))
    other = Answers(item[answers.item][row], worker[answers.worker][row], answers.label[row], items, workers)
    prior = Prior.none() if ml else USUAL
    agree(fit(answers, prior, steps=25), fit(other, prior, steps=25), item, worker)


@given(seeds, st.integers(1, 25), st.integers(1, 6))
@settings(max_examples=40)
def test_an_item_of_some_weight_is_that_item_repeated(seed: int, items: int, workers: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 2, (items, workers))
    weight = rng.integers(0, 4, items)
    repeated = answers_from(np.repeat(labels, weight, axis=0).reshape(-1, workers))
    one = fit(answers_from(labels), USUAL, weight=weight.astype(np.float64), steps=25)
    other = fit(repeated, USUAL, steps=25)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(other.classes, one.classes, atol=1e-6)
    np.testing.assert_allclose(other.answers, one.answers, atol=1e-6)
    np.testing.assert_allclose(other.posterior, np.repeat(one.posterior, weight, axis=0), atol=1e-6)
    start = rng.dirichlet([1, 1], items)
    one = fit(answers_from(labels), USUAL, start=start, weight=weight.astype(np.float64), steps=0)
    other = fit(repeated, USUAL, start=np.repeat(start, weight, axis=0), steps=0)
    np.testing.assert_allclose(other.answers, one.answers, atol=1e-12)
    np.testing.assert_allclose(other.classes, one.classes, atol=1e-12)


@given(seeds, st.integers(1, 30), st.integers(1, 6))
@settings(max_examples=40)
def test_log_odds_are_the_share_of_cells_and_everybodys_weights(seed: int, items: int, workers: int) -> None:
    """Equations 4, 6 and 7 say the same."""
    answers = some_answers(seed, items, workers)
    found = fit(answers, USUAL)
    weights = weights_of(found.sensitivity, found.specificity)
    if weights.capped.any():
        return
    evidence = np.where(answers.label == 1, weights.positive[answers.worker], weights.negative[answers.worker])
    expected = np.log(found.classes[1] / found.classes[0]) + np.bincount(answers.item, evidence, items)
    np.testing.assert_allclose(found.log_odds, expected, atol=1e-8)


def some_clicks(seed: int, cells: int, workers: int) -> TileClicks:
    rng = np.random.default_rng(seed)
    true = rng.uniform(0, 60, (cells, 2))
    parts = [np.concatenate([rng.normal(true, 1.5), rng.uniform(0, 60, (2, 2))]) for _ in range(workers)]
    everything = np.tile([-1e4, 1e4, -1e4, 1e4], (workers, 1))
    worker = np.repeat(np.arange(workers), cells + 2)
    return tile_of(np.concatenate(parts), worker, np.arange(workers), everything, (60, 60))


def moved(tile: TileClicks, order: np.ndarray, by: tuple[float, float] = (0.0, 0.0)) -> TileClicks:
    return TileClicks(tile.tile, tile.shape, tile.yx[order] + by, tile.worker[order], tile.views, tile.viewer)


@given(seeds, st.integers(0, 8), st.integers(1, 8))
@settings(max_examples=25)
def test_candidates_do_not_depend_on_the_order_of_clicks(seed: int, cells: int, workers: int) -> None:
    tile = some_clicks(seed, cells, workers)
    order = np.random.default_rng(seed).permutation(len(tile.yx))
    one, other = (candidates(each, DensityPeaks(1.5)) for each in (tile, moved(tile, order)))
    assert len(one.yx) == len(other.yx)
    pairs = np.unique(np.column_stack([one.member[order], other.member]), axis=0)
    np.testing.assert_array_equal(pairs[:, 0] < 0, pairs[:, 1] < 0)
    assert np.count_nonzero(pairs[:, 0] >= 0) == len(one.yx)  # numbers of one are numbers of the other


@given(seeds, st.integers(0, 8), st.integers(1, 8), st.floats(-500, 500), st.floats(-500, 500))
@settings(max_examples=25)
def test_candidates_move_with_the_clicks(seed: int, cells: int, workers: int, down: float, right: float) -> None:
    tile = some_clicks(seed, cells, workers)
    there = moved(tile, np.arange(len(tile.yx)), (down, right))
    one, other = (candidates(each, DensityPeaks(1.5)) for each in (tile, there))
    np.testing.assert_array_equal(other.member, one.member)
    np.testing.assert_allclose(other.yx, one.yx + np.array([down, right]), atol=1e-9)
    np.testing.assert_array_equal(other.clicked, one.clicked)


@given(seeds, st.floats(0, 6))
@settings(max_examples=25)
def test_taking_repeats_out_leaves_none_and_loses_no_place(seed: int, within: float) -> None:
    tile = some_clicks(seed, 6, 4)
    once = tile.without_repeats(within)
    assert len(once.without_repeats(within).yx) == len(once.yx)
    for worker in range(4):
        mine, kept = (each.yx[each.worker == worker] for each in (tile, once))
        apart = np.linalg.norm(kept[:, None] - kept[None], axis=2)[np.triu_indices(len(kept), 1)]
        assert np.all(apart > within) or within == 0
        assert np.all(np.linalg.norm(mine[:, None] - kept[None], axis=2).min(axis=1) <= within)
