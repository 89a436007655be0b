"""What is known of each worker, by hand and on simulated crowds whose cells are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tests.small_crowd import NONE, answers_from, drawn_answers, tile_of
from volumetric.crowd.candidates import Candidates, candidates
from volumetric.crowd.clicks import checked
from volumetric.crowd.density import DensityPeaks, scatter_of
from volumetric.crowd.reliability import USUAL, Answers, Estimate, answer_counts, fit
from volumetric.crowd.simulate import REVERSED, SPAMMER, Worker, simulate
from volumetric.crowd.skill import Skill
from volumetric.crowd.workers import CAP, answers_of, false_rate, intervals, weights_of
from volumetric.points.curves import curve, score_tile
from volumetric.points.matching import match_points


def test_weights_by_hand() -> None:
    weights = weights_of(np.array([0.9, 0.5, 0.2]), np.array([0.8, 0.5, 0.6]))
    assert weights.positive == pytest.approx([np.log(0.9 / 0.2), 0, np.log(0.2 / 0.4)])
    assert weights.negative == pytest.approx([np.log(0.1 / 0.8), 0, np.log(0.8 / 0.6)])
    assert not weights.capped.any()


def test_weights_of_the_infallible_are_capped() -> None:
    """Always right; always wrong; p alone beyond; q alone beyond; just within."""
    p, q = np.array([1.0, 0.0, 1.0, 0.5, 0.999]), np.array([1.0, 0.0, 0.5, 1.0, 0.0])
    weights = weights_of(p, q)
    assert weights.positive == pytest.approx([CAP, -CAP, np.log(2), CAP, np.log(0.999)])
    assert weights.negative == pytest.approx([-CAP, CAP, -CAP, np.log(0.5), CAP])
    assert weights.capped.tolist() == [True, True, True, True, True]
    assert weights_of(np.array([0.999]), np.array([0.001])).capped.tolist() == [False]


def test_who_never_or_always_clicks_says_nothing_by_it() -> None:
    """0 of 0: p = 0 and q = 1, or p = 1 and q = 0."""
    weights = weights_of(np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    assert weights.positive.tolist() == [0, 0]
    assert weights.negative.tolist() == [0, 0]
    assert not weights.capped.any()


def two_tiles() -> list[Candidates]:
    """Ann (0) and Bob (1) see the first one, a candidate of both and one of Bob's; Cem (3) half of the second."""
    first = tile_of([[10, 10], [10, 10], [80, 80]], [0, 1, 1], shape=(100, 100))
    views = [[-0.5, 99.5, -0.5, 99.5], [-0.5, 99.5, -0.5, 49.5], [-0.5, 99.5, -0.5, 49.5]]
    second = tile_of([[20, 20], [20, 90]], [3, 1], [1, 3, 3], views, (100, 100))
    return [candidates(tile, DensityPeaks()) for tile in (first, second)]


def test_answers_of_tiles() -> None:
    tiles = two_tiles()
    answers, tile = answers_of(tiles, 5)
    assert tile.tolist() == [0, 0, 1, 1]
    assert (answers.n_items, answers.n_workers) == (4, 5)
    said = {
        (int(i), int(j)): int(label) for i, j, label in zip(answers.item, answers.worker, answers.label, strict=True)
    }
    both, bobs = np.argsort(-tiles[0].clicked.sum(axis=1))
    cems, far = 2 + np.argsort(tiles[1].yx[:, 1])
    assert said == {
        (both, 0): 1,
        (both, 1): 1,
        (bobs, 0): 0,
        (bobs, 1): 1,
        (cems, 1): 0,
        (cems, 3): 1,
        (far, 1): 1,  # Cem was not shown it
    }


def test_answers_of_no_tiles_and_of_empty_ones() -> None:
    assert answers_of([], 3)[0].n_items == 0
    empty = candidates(tile_of([], [], [0, 1]), DensityPeaks())
    answers, tile = answers_of([empty, *two_tiles()[:1], empty], 2)
    assert (answers.n_items, tile.tolist()) == (2, [1, 1])


def test_false_clicks_by_hand() -> None:
    """A tile is a hundredth of a megapixel; Cem saw half of one, twice; workers 2 and 4 were shown nothing."""
    tiles = two_tiles()
    both = int(np.argmax(tiles[0].clicked.sum(axis=1)))
    cems = int(np.argmin(tiles[1].yx[:, 1]))
    posterior = np.empty(4)
    posterior[[both, 1 - both, 2 + cems, 3 - cems]] = 0.9, 0.2, 0.7, 0.4
    rate = false_rate(tiles, posterior, 5)
    assert rate == pytest.approx([0.1 / 0.01, (0.1 + 0.8 + 0.6) / 0.02, np.nan, 0.3 / 0.01, np.nan], nan_ok=True)
    assert np.isnan(false_rate([], np.empty(0), 2)).all()


@dataclass(frozen=True)
class Judged:
    """A simulated crowd, and what was made of its clicks."""

    cells: dict[str, np.ndarray]
    found: list[Candidates]
    answers: Answers
    tile: np.ndarray
    estimate: Estimate

    @property
    def truth(self) -> np.ndarray:
        """(n_items,) whether a candidate is a planted cell."""
        hits = [match_points(self.cells[one.tile.tile], one.yx, 5.0)[:, 1] for one in self.found]
        return np.concatenate([np.isin(np.arange(len(one.yx)), hit) for one, hit in zip(self.found, hits, strict=True)])

    @property
    def best_f1(self) -> float:
        odds = np.split(self.estimate.log_odds, np.cumsum([len(one.yx) for one in self.found])[:-1])
        pairs = zip(self.found, odds, strict=True)
        return float(curve([score_tile(self.cells[a.tile.tile], a.yx, b, 5.0) for a, b in pairs]).f1.max())


def judged(seed: int, *extra: Worker) -> Judged:
    """Twelve workers, eight tiles of 25 cells."""
    rng = np.random.default_rng(seed)
    cells = {f"t{i}": rng.uniform(5, 195, (25, 2)) for i in range(8)}
    skill = [(float(rng.beta(6, 2.5)), float(rng.gamma(2, 60))) for _ in range(12)]
    workers = [Worker(sensitivity=p, false_per_mpx=rate, scatter_px=1.0) for p, rate in skill]
    shapes = {tile: (200, 200) for tile in cells}
    crowd, _ = checked(*simulate(cells, shapes, [*workers, *extra], coverage=0.8, seed=seed), shapes)
    tiles = [tile.without_repeats(3) for tile in crowd]
    found = [candidates(tile, DensityPeaks(scatter_of(tiles))) for tile in tiles]
    answers, tile = answers_of(found, len(crowd.workers))
    return Judged(cells, found, answers, tile, fit(answers, USUAL))


def test_intervals_hold_what_workers_did() -> None:
    """Of a few crowds; the share over many is a benchmark's."""
    held = []
    for seed in range(3):
        crowd = judged(seed)
        truth = crowd.truth
        counts = answer_counts(crowd.answers, np.column_stack([~truth, truth]).astype(np.float64))
        found = intervals(crowd.answers, crowd.tile, crowd.estimate, resamples=40)
        for ends, right, asked in (
            (found.sensitivity, counts[:, 1, 1], counts[:, 1].sum(axis=1)),
            (found.specificity, counts[:, 0, 0], counts[:, 0].sum(axis=1)),
        ):
            assert np.all((ends[:, 0] > 0) & (ends[:, 0] < ends[:, 1]) & (ends[:, 1] < 1))
            assert np.median(ends[:, 1] - ends[:, 0]) < 0.25
            held.append((ends[:, 0] <= right / asked) & (right / asked <= ends[:, 1]))
    assert np.mean(held[::2]) >= 0.9
    assert np.mean(held[1::2]) >= 0.9


@pytest.mark.parametrize("bad", [SPAMMER, REVERSED], ids=["spammer", "reversed"])
@pytest.mark.parametrize("seed", [0, 1])
def test_one_bad_worker_does_no_harm(bad: Worker, seed: int) -> None:
    with_bad = judged(seed, bad)
    assert with_bad.best_f1 >= judged(seed).best_f1 - 0.01
    assert with_bad.best_f1 > 0.9
    found = with_bad.estimate
    assert found.sensitivity[-1] < 0.2
    assert found.sensitivity[-1] < found.sensitivity[:-1].min()
    assert found.specificity[-1] < found.specificity[:-1].min()


def test_intervals_are_wider_for_who_said_little() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(200) < 0.5
    labels = np.where(rng.random((200, 6)) < 0.85, truth[:, None], ~truth[:, None]).astype(int)
    labels[10:, 0] = -1
    labels[:, 5] = -1
    answers, tile = answers_from(labels), np.repeat(np.arange(10), 20)
    estimate = fit(answers, USUAL)
    found = intervals(answers, tile, estimate, resamples=60)
    again = intervals(answers, tile, estimate, resamples=60)
    for ends, same in ((found.sensitivity, again.sensitivity), (found.specificity, again.specificity)):
        width = ends[:, 1] - ends[:, 0]
        assert width[0] > 2 * width[1:5].max()
        assert width[5] > 0.7  # hardly anything is known of who said nothing
        np.testing.assert_array_equal(ends, same)


@pytest.mark.parametrize(("items", "workers"), [(0, 3), (0, 0), (2, 0)])
def test_intervals_of_a_crowd_that_said_nothing(items: int, workers: int) -> None:
    answers = Answers(NONE, NONE, NONE, items, workers)
    found = intervals(answers, np.zeros(items, dtype=np.int64), fit(answers, USUAL), resamples=60)
    assert found.sensitivity.shape == found.specificity.shape == (workers, 2)
    assert np.all(found.sensitivity[:, 1] - found.sensitivity[:, 0] > 0.7)


def test_intervals_where_some_cells_are_hard_to_see() -> None:
    answers, _ = drawn_answers(0, 100, [0.9, 0.8, 0.6], [0.9, 0.9, 0.8])
    skill = Skill(difficulty=True)
    estimate, _ = skill(answers)
    tile = np.repeat(np.arange(5), 20)
    found = intervals(answers, tile, estimate, resamples=20)
    assert np.all(found.sensitivity[:, 0] < estimate.sensitivity)
    assert np.all(estimate.sensitivity < found.sensitivity[:, 1])
