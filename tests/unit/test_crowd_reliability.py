"""EM against the numbers of Dawid and Skene (1979), against truths by hand and by a generic optimiser."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from tests.small_crowd import NONE, answers_from, drawn_answers
from volumetric.crowd import reliability
from volumetric.crowd.difficulty import fit_difficulty, with_hard
from volumetric.crowd.reliability import USUAL, Answers, Estimate, Prior, expect, fit, fit_best
from volumetric.crowd.skill import Skill, with_items
from volumetric.errors import InputError

PATIENTS = """
111 1 1 1 1|333 4 3 3 4|112 2 1 2 2|222 3 1 2 1|222 3 2 2 2|222 3 3 2 2|122 2 1 1 1|333 3 4 3 3|222 2 2 2 3
232 2 2 2 3|444 4 4 4 4|222 3 3 4 3|111 1 1 1 1|222 3 2 1 2|121 1 1 1 1|111 2 1 1 1|111 1 1 1 1|111 1 1 1 1
222 2 2 2 1|222 1 3 2 2|222 2 2 2 2|222 2 2 2 1|222 3 2 2 2|221 2 2 2 2|111 1 1 1 1|111 1 1 1 1|232 2 2 2 2
111 1 1 1 1|111 1 1 1 1|112 1 1 2 1|111 1 1 1 1|333 3 2 3 3|111 1 1 1 1|222 2 2 2 2|222 3 2 3 2|433 4 3 4 3
221 2 2 3 2|232 3 2 3 3|333 3 4 3 2|111 1 1 1 1|111 1 1 1 1|121 2 1 1 1|232 2 2 2 2|121 1 1 1 1|222 2 2 2 2
"""
"""Dawid and Skene 1979, table 1: what five observers said of each patient, the first of them three times."""


@pytest.fixture(scope="module")
def patients() -> Answers:
    rows = [row.split() for row in PATIENTS.replace("\n", "|").strip("|").split("|")]
    said = [(i, j, int(one) - 1) for i, row in enumerate(rows) for j, own in enumerate(row) for one in own]
    item, worker, label = np.array(said).T
    return Answers(item, worker, label, len(rows), 5, 4)


def test_dawid_and_skene(patients: Answers) -> None:
    assert patients.n_items == 45
    found = fit(patients, start=patients.votes)
    assert found.converged
    assert found.classes == pytest.approx([0.3996, 0.4220, 0.1118, 0.0667], abs=1e-4)
    assert found.log_likelihood == found.objective == pytest.approx(-192.891, abs=1e-3)
    first = [[0.8895, 0.1105, 0, 0], [0.0706, 0.8764, 0.0530, 0], [0, 0.3388, 0.6612, 0], [0, 0, 0.5556, 0.4444]]
    third = [[1, 0, 0, 0], [0.1064, 0.7883, 0.1053, 0], [0, 0.4037, 0.1988, 0.3976], [0, 0, 0.6667, 0.3333]]
    fifth = [[1, 0, 0, 0], [0.1590, 0.7345, 0.1064, 0], [0, 0.2091, 0.7909, 0], [0, 0, 0.3333, 0.6667]]
    np.testing.assert_allclose(found.answers[[0, 2, 4]], [first, third, fifth], atol=2e-4)
    unsure = np.flatnonzero(found.posterior.max(axis=1) < 0.999)
    assert unsure.tolist() == [6, 34, 37]
    assert found.posterior[unsure].max(axis=1) == pytest.approx([0.981, 0.948, 0.979], abs=1e-3)


def test_restarts_find_a_better_optimum_than_the_published_one(patients: Answers) -> None:
    best, reached = fit_best(patients, restarts=20, seed=0)
    assert len(reached) == 22
    assert best.log_likelihood == pytest.approx(-191.569, abs=1e-3)
    assert max(reached) == pytest.approx(best.objective, abs=1e-3)
    assert len(set(np.round(reached, 2))) > 5  # many optima: what one start finds says little
    again, same = fit_best(patients, restarts=20, seed=0)
    assert list(reached) == list(same)
    np.testing.assert_array_equal(best.log_posterior, again.log_posterior)


@pytest.mark.parametrize("prior", [None, Prior(np.full((4, 4), 0.5), np.full(4, 2.0))])
def test_the_objective_never_falls(patients: Answers, prior: Prior | None) -> None:
    rng = np.random.default_rng(4)
    for _ in range(3):
        start = rng.dirichlet(np.ones(4), 45)
        objective = [fit(patients, prior, start=start, steps=n).objective for n in range(20)]
        assert np.all(np.diff(objective) >= -1e-9)
        assert objective[-1] > objective[0] + 1


def test_a_fall_of_the_objective_is_an_error(patients: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    worse = iter([(np.full(4, 0.25), np.full((5, 4, 4), 0.25)), (np.array([1.0, 0, 0, 0]), np.full((5, 4, 4), 0.25))])
    monkeypatch.setattr(reliability, "_maximise", lambda *_: next(worse))
    with pytest.raises(ArithmeticError, match="EM fell"):
        fit(patients)


def likelihood_by_hand(labels: np.ndarray, share: float, p: np.ndarray, q: np.ndarray) -> tuple[float, np.ndarray]:
    """Log likelihood and posteriors, item by item."""
    total, posterior = 0.0, []
    for row in labels:
        cell, none = share, 1 - share
        for j, said in enumerate(row):
            if said >= 0:
                cell *= p[j] if said else 1 - p[j]
                none *= 1 - q[j] if said else q[j]
        total += np.log(cell + none)
        posterior.append(cell / (cell + none))
    return total, np.array(posterior)


LABELS = np.array([[1, 1, 0], [1, 0, -1], [0, 0, 0], [1, 1, 1], [0, -1, 1], [0, 0, 0], [1, 1, -1], [0, 1, 0]])


def test_the_expectation_is_bayes_rule() -> None:
    p, q = np.array([0.9, 0.7, 0.4]), np.array([0.8, 0.95, 0.6])
    chances = np.stack([np.column_stack([q, 1 - q]), np.column_stack([1 - p, p])], axis=1)
    log_posterior, each = expect(answers_from(LABELS), np.array([0.7, 0.3]), chances)
    total, posterior = likelihood_by_hand(LABELS, 0.3, p, q)
    assert each.sum() == pytest.approx(total)
    np.testing.assert_allclose(np.exp(log_posterior[:, 1]), posterior)


def test_one_step_by_hand() -> None:
    """Equations 4 and 5 from p = q = .7: two workers, one item that both clicked, one of neither, one of the first."""
    answers = answers_from([[1, 1], [0, 0], [1, 0]])
    found = fit(answers, steps=1)
    w = np.array([0.49 / 0.58, 0.09 / 0.58, 0.5])  # half of the votes are clicks
    assert found.sensitivity == pytest.approx([(w[0] + w[2]) / w.sum(), w[0] / w.sum()])
    assert found.specificity == pytest.approx([(1 - w[1]) / (3 - w.sum()), (2 - w[1] - w[2]) / (3 - w.sum())])
    assert found.classes[1] == pytest.approx(w.mean())
    assert found.steps == 1
    assert not found.converged


@pytest.mark.parametrize("seed", range(3))
def test_map_is_the_mode_that_a_generic_optimiser_finds(seed: int) -> None:
    answers, _ = drawn_answers(seed, 40, [0.9, 0.8, 0.6, 0.7], [0.8, 0.9, 0.7, 0.6], asked=0.8)
    labels = np.full((40, 4), -1)
    labels[answers.item, answers.worker] = answers.label
    prior = Prior.beta((3.0, 2.0), (4.0, 1.5))
    found = fit(answers, prior)

    def objective(logits: np.ndarray) -> float:
        share, p, q = expit(logits[0]), expit(logits[1:5]), expit(logits[5:])
        log_prior = 2 * np.log(p) + np.log(1 - p) + 3 * np.log(q) + 0.5 * np.log(1 - q)
        return likelihood_by_hand(labels, share, p, q)[0] + log_prior.sum() + np.log(share * (1 - share))

    start = np.concatenate([[0.0], np.full(8, 1.0)])
    mode = minimize(lambda logits: -objective(logits), start, method="BFGS", options={"gtol": 1e-6})
    assert found.objective == pytest.approx(-mode.fun, abs=1e-5)
    assert found.classes[1] == pytest.approx(expit(mode.x[0]), abs=2e-3)
    assert found.sensitivity == pytest.approx(expit(mode.x[1:5]), abs=2e-3)
    assert found.specificity == pytest.approx(expit(mode.x[5:]), abs=2e-3)


def test_workers_who_all_agree_are_never_wrong() -> None:
    found = fit(answers_from([[1, 1, 1]] * 3 + [[0, 0, 0]] * 5))
    assert found.posterior[:, 1] == pytest.approx([1] * 3 + [0] * 5, abs=1e-6)
    assert found.classes == pytest.approx([5 / 8, 3 / 8])
    assert found.sensitivity == pytest.approx([1, 1, 1])
    assert found.specificity == pytest.approx([1, 1, 1])
    assert found.log_likelihood == pytest.approx(3 * np.log(3 / 8) + 5 * np.log(5 / 8))


def test_rates_are_recovered_where_the_truth_is_known() -> None:
    p, q = np.linspace(0.6, 0.95, 12), np.linspace(0.98, 0.8, 12)
    answers, truth = drawn_answers(1, 2000, p.tolist(), q.tolist(), asked=0.7)
    found = fit(answers, USUAL)
    assert found.sensitivity == pytest.approx(p, abs=0.05)
    assert found.specificity == pytest.approx(q, abs=0.05)
    assert np.mean((found.log_odds > 0) == truth) > 0.98


def test_a_prior_keeps_rates_from_0_and_1() -> None:
    """One worker, always right: (n + 1) / (n + 2), the mode of Beta(n + 2, 2)."""
    found = fit(answers_from([[1, 1, 1]] * 6 + [[0, 0, 0]] * 10), USUAL)
    assert found.posterior[:, 1] == pytest.approx([1] * 6 + [0] * 10, abs=0.01)
    assert found.sensitivity == pytest.approx([7 / 8] * 3, abs=0.01)
    assert found.specificity == pytest.approx([11 / 12] * 3, abs=0.01)
    for wrong in ((0.5, 2.0), (2.0, 0.9)):
        with pytest.raises(InputError, match="at least 1"):
            Prior.beta(wrong, (2.0, 2.0))


def test_a_switched_estimate_is_told_and_loses() -> None:
    answers, truth = drawn_answers(2, 60, [0.8] * 6, [0.8] * 6)
    wrong = np.column_stack([truth, ~truth]).astype(float)
    switched, right = fit(answers, start=wrong), fit(answers)
    assert switched.switched
    assert not right.switched
    assert switched.objective == pytest.approx(right.objective, abs=1e-4)  # the likelihood does not tell
    best, _ = fit_best(answers, restarts=8)
    assert not best.switched
    assert np.mean((best.log_odds > 0) == truth) > 0.9


def test_of_starts_that_reach_the_same_the_first_counts() -> None:
    answers = Answers(NONE, NONE, NONE, 4, 3)
    best, _ = fit_best(answers, restarts=4)
    np.testing.assert_array_equal(best.classes, fit(answers).classes)


def test_a_worker_without_answers_keeps_what_is_known_beforehand() -> None:
    alone = Answers(*np.array([[0, 0, 0], [1, 0, 1], [2, 0, 1], [3, 0, 0]]).T, 4, 2)
    assert fit(alone).answers[1] == pytest.approx(np.array([[0.7, 0.3], [0.3, 0.7]]))
    found = fit(alone, Prior.beta((6.0, 3.0), (9.0, 2.0)))
    assert found.sensitivity[1] == pytest.approx(5 / 7)
    assert found.specificity[1] == pytest.approx(8 / 9)


def test_an_item_without_answers_keeps_the_share_of_its_class() -> None:
    labels = np.array([[1, 1, 1]] * 3 + [[0, 0, 0]] * 6 + [[-1, -1, -1]])
    found = fit(answers_from(labels), USUAL)
    assert found.posterior[-1] == pytest.approx(found.classes, abs=1e-6)


@pytest.mark.parametrize(("items", "workers"), [(0, 3), (3, 0), (0, 0), (4, 3)])
@pytest.mark.parametrize("prior", [None, USUAL])
def test_a_crowd_that_said_nothing_has_an_estimate(items: int, workers: int, prior: Prior | None) -> None:
    answers = Answers(NONE, NONE, NONE, items, workers)
    for difficulty in (False, True):
        best, starts = Skill(prior or Prior.none(), difficulty=difficulty)(answers)
        assert best.answers.shape == (workers, 3 if difficulty else 2, 2)
        assert best.posterior.shape == (items, 3 if difficulty else 2)
        assert best.posterior.sum(axis=1) == pytest.approx(1)
        assert best.log_likelihood == pytest.approx(0)
        assert not best.switched
        assert len(starts) == 5
        assert best.converged


def test_500_workers_do_not_underflow() -> None:
    answers, truth = drawn_answers(3, 80, [0.9] * 500, [0.95] * 500)
    found = fit(answers, USUAL)
    assert np.all(np.isfinite(found.log_posterior))
    assert np.all(np.isfinite(found.log_odds))
    np.testing.assert_array_equal(found.log_odds > 0, truth)
    assert np.abs(found.log_odds).min() > 100
    assert len(np.unique(found.posterior[truth, 1])) == 1  # all round to 1, and are ranked all the same
    assert len(np.unique(found.log_odds[truth])) > 10
    certain = fit(answers_from(np.repeat(truth[:, None], 500, axis=1)))  # every rate 0 or 1
    assert np.all(np.isfinite(certain.log_odds))
    np.testing.assert_array_equal(certain.log_odds > 0, truth)


def test_a_start_that_is_missing_or_does_not_fit_is_refused() -> None:
    answers = answers_from(LABELS)
    with pytest.raises(InputError, match="3 classes of items with 2 kinds"):
        fit(answers, with_hard(USUAL))
    with pytest.raises(InputError, match="8 items and 2 classes"):
        fit(answers, start=np.ones((7, 2)) / 2)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0], [0, 1], [1, 1]), "an item, a worker and a label"),
        (([5], [0], [1]), "item must be 0 to 2"),
        (([0], [-1], [1]), "worker must be 0 to 1"),
        (([0], [0], [2]), "label must be 0 to 1"),
    ],
)
def test_answers_that_do_not_fit_together_are_refused(columns: tuple[list[int], ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Answers(*(np.array(column) for column in columns), 3, 2)


def test_one_kind_of_answer_is_none() -> None:
    with pytest.raises(InputError, match="two kinds"):
        Answers(NONE, NONE, NONE, 1, 1, 1)


def test_answers_of_chosen_items() -> None:
    answers = answers_from(LABELS)
    chosen = np.arange(8) % 2 == 1
    part, expected = answers.of_items(chosen), answers_from(LABELS[chosen])
    assert (part.n_items, part.n_workers) == (4, 3)
    np.testing.assert_array_equal(part.table.toarray(), expected.table.toarray())


def test_votes_are_shares_of_answers() -> None:
    answers = answers_from([[1, 1, 0], [0, -1, -1], [-1, -1, -1]])
    np.testing.assert_allclose(answers.votes, [[1 / 3, 2 / 3], [1, 0], [0.5, 0.5]])


def test_skill_told_from_some_items_judges_the_others() -> None:
    answers, truth = drawn_answers(5, 400, [0.9, 0.8, 0.7, 0.6], [0.9, 0.9, 0.8, 0.7])
    among = np.arange(400) < 300
    own, _ = Skill()(answers.of_items(among))
    found = with_items(own, answers)
    np.testing.assert_array_equal(found.answers, own.answers)
    np.testing.assert_allclose(found.log_posterior[among], own.log_posterior)
    assert found.posterior.shape == (400, 2)
    assert np.mean((found.log_odds > 0)[~among] == truth[~among]) > 0.85


def test_both_kinds_of_cells_take_the_prior_of_cells() -> None:
    prior = with_hard(Prior.beta((4.0, 3.0), (6.0, 2.0)))
    assert prior.answers.tolist() == [[5, 1], [2, 3], [2, 3]]
    assert prior.classes.tolist() == [1, 1, 1]


def cells_of_two_kinds() -> tuple[Answers, np.ndarray]:
    """(0, 1, 2) none, hard and easy: half of the workers see hard cells, the others hardly do."""
    rng = np.random.default_rng(8)
    kind = rng.choice(3, 1500, p=[0.6, 0.2, 0.2])
    eyes = np.where(np.arange(16) < 8, 0.75, 0.1)
    chance = np.choose(kind[:, None], [np.full(16, 0.02), eyes, np.full(16, 0.95)])
    return answers_from((rng.random(chance.shape) < chance).astype(int)), kind


def test_hard_cells_are_told_from_easy_ones() -> None:
    answers, kind = cells_of_two_kinds()
    one = fit(answers, USUAL)
    found = fit_difficulty(answers, one, USUAL)
    assert found.classes == pytest.approx([0.6, 0.2, 0.2], abs=0.05)
    assert np.mean(found.posterior.argmax(axis=1) == kind) > 0.97
    assert found.answers[:8, 1, 1] == pytest.approx(np.full(8, 0.75), abs=0.1)
    assert found.answers[8:, 1, 1] == pytest.approx(np.full(8, 0.1), abs=0.1)
    assert found.log_likelihood > one.log_likelihood + 100
    share = found.classes[1:] / found.classes[1:].sum()
    assert found.sensitivity == pytest.approx(found.answers[:, 1:, 1] @ share)
    assert isinstance(Skill(difficulty=True)(answers)[0], Estimate)
