"""How far each worker can be relied on, and what is true, from who said what of which item: EM.

The model is of Dawid and Skene (1979): an item has one of K true classes, and what workers say of it depends on that
class alone. With two classes and two answers it is STAPLE (Warfield et al. 2004) and equations 2 to 5 of the method: a
worker's sensitivity p is the chance of a click where there is a cell, specificity q that of none where there is none.
Where items of a crowd are candidates for cells, class 0 is no cell, and answer 1 a click; there may be several classes
of cells, some easier to see than others.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import logsumexp

from volumetric.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

START = 0.7
"""Chance of a right answer with which the method begins, of every worker."""

STEPS, GAIN = 1000, 1e-9
"""EM stops after so many steps, or when one gains less, as a share of the log likelihood."""

SAME = 1e-6
"""Starts whose objectives differ by no more, as a share, have reached the same."""

SLACK = 1e-7
"""By which the objective may fall from rounding, as a share of it."""

LEAST = 1e-300
"""No chance is smaller: its logarithm stays finite."""


@dataclass(frozen=True)
class Answers:
    """Who said what of which item: one row an answer; what was not asked is not there.

    Args:
        item: (m,) int64, 0 to n_items - 1.
        worker: (m,) int64, 0 to n_workers - 1; one worker may answer several times.
        label: (m,) int64, 0 to n_labels - 1; of two, 1 is a click and 0 seen and not clicked.
        n_items: asked about; one without answers keeps the prior.
        n_workers: asked; one without answers keeps what the prior says, or where the search began.
        n_labels: kinds of answers.

    Raises `InputError` for columns that do not fit together.
    """

    item: Ints
    worker: Ints
    label: Ints
    n_items: int
    n_workers: int
    n_labels: int = 2

    def __post_init__(self) -> None:
        if not (self.item.shape == self.worker.shape == self.label.shape) or self.item.ndim != 1:
            raise InputError(
                f"an answer has an item, a worker and a label, got {self.item.shape}, {self.worker.shape} and "
                f"{self.label.shape}"
            )
        limits = (("item", self.n_items), ("worker", self.n_workers), ("label", self.n_labels))
        for name, limit in limits:
            values = getattr(self, name)
            if len(values) and (values.min() < 0 or values.max() >= limit):
                raise InputError(f"{name} must be 0 to {limit - 1}, got {values.min()} to {values.max()}")
        if self.n_labels < 2:
            raise InputError(f"there must be at least two kinds of answers, got {self.n_labels}")

    def of_items(self, chosen: npt.NDArray[np.bool_]) -> Answers:
        """What was said of some items, (n_items,) bool; they are numbered anew."""
        number = np.cumsum(chosen) - 1
        kept = chosen[self.item]
        item = number[self.item[kept]].astype(np.int64)
        return Answers(item, self.worker[kept], self.label[kept], int(chosen.sum()), self.n_workers, self.n_labels)

    @cached_property
    def table(self) -> sparse.csr_array:
        """(n_items, n_workers * n_labels) how often a worker gave an answer to an item."""
        shape = (self.n_items, self.n_workers * self.n_labels)
        column = self.worker * self.n_labels + self.label
        return sparse.csr_array((np.ones(len(self.item)), (self.item, column)), shape=shape)

    @cached_property
    def votes(self) -> Floats:
        """(n_items, n_labels) share of an item's answers; even where it has none. Dawid and Skene, equation 3.1."""
        flat = np.bincount(self.item * self.n_labels + self.label, minlength=self.n_items * self.n_labels)
        count = flat.reshape(self.n_items, self.n_labels).astype(np.float64)
        return _normalised(count, np.full_like(count, 1 / self.n_labels))


@dataclass(frozen=True)
class Prior:
    """What is expected before any answer, as answers that were counted: Dirichlet priors less one.

    Args:
        answers: (K, n_labels) of each worker, rows the truth, columns the answer; zeros are maximum likelihood.
        classes: (K,) of items.
    """

    answers: Floats
    classes: Floats

    @classmethod
    def none(cls, n_classes: int = 2) -> Prior:
        """Maximum likelihood, as the method has it."""
        return cls(np.zeros((n_classes, n_classes)), np.zeros(n_classes))

    @classmethod
    def beta(cls, sensitivity: tuple[float, float], specificity: tuple[float, float]) -> Prior:
        """Of two classes, from the Beta distributions of p and q; each parameter at least 1, so that a mode exists.

        The share of cells is Beta(2, 2).
        """
        if min(*sensitivity, *specificity) < 1:
            raise InputError(f"parameters of Beta priors must be at least 1, got {sensitivity} and {specificity}")
        (a, b), (c, d) = sensitivity, specificity
        return cls(np.array([[c - 1, d - 1], [b - 1, a - 1]]), np.ones(2))


USUAL = Prior.beta((2.0, 2.0), (2.0, 2.0))
"""Sensitivity and specificity near neither 0 nor 1 until answers say so: no worker alone outvotes all others."""


@dataclass(frozen=True)
class Estimate:
    """Where EM came to rest.

    Args:
        classes: (K,) share of the items.
        answers: (n_workers, K, n_labels) chance of an answer given the truth.
        log_posterior: (n_items, K).
        log_likelihood: of the answers.
        objective: the same with the logarithm of the prior, but for its constant: what EM raises.
        steps: taken.
        converged: whether it came to rest before `STEPS`.
        prior: with which.
    """

    classes: Floats
    answers: Floats
    log_posterior: Floats
    log_likelihood: float
    objective: float
    steps: int
    converged: bool
    prior: Prior

    @property
    def posterior(self) -> Floats:
        """(n_items, K)."""
        return np.asarray(np.exp(self.log_posterior))

    @property
    def sensitivity(self) -> Floats:
        """(n_workers,) chance of a click on a cell, p; of several classes of cells their mean."""
        return over_classes(self.classes[1:], self.answers[:, 1:, 1])

    @property
    def specificity(self) -> Floats:
        """(n_workers,) chance of none where there is no cell, q."""
        return self.answers[:, 0, 0]

    @property
    def cell(self) -> Floats:
        """(n_items,) posterior that there is a cell, of whatever class; small ones are not rounded away."""
        return np.asarray(np.minimum(np.exp(logsumexp(self.log_posterior[:, 1:], axis=1)), 1.0))

    @property
    def log_odds(self) -> Floats:
        """(n_items,) that there is a cell: ranks items also where posteriors round to 1."""
        return np.asarray(logsumexp(self.log_posterior[:, 1:], axis=1) - self.log_posterior[:, 0])

    @property
    def switched(self) -> bool:
        """Whether cells and their absence have taken each other's place: most workers are right by the opposite."""
        return bool(np.sum(self.sensitivity + self.specificity - 1) < 0)


def over_classes(share: Floats, values: Floats) -> Floats:
    """(n,) mean of (n, K) values of classes of which there are (K,) shares; all alike where there are none."""
    total = float(share.sum())
    mean: Floats = values @ (share / total) if total > 0 else values.mean(axis=1)
    return mean


def fit(
    answers: Answers,
    prior: Prior | None = None,
    *,
    start: Floats | None = None,
    weight: Floats | None = None,
    steps: int = STEPS,
    gain: float | None = None,
) -> Estimate:
    """The estimate that EM reaches from one start.

    Args:
        answers: who said what.
        prior: maximum likelihood by default.
        start: (n_items, K) posterior with which it begins, for example `answers.votes`; by default what follows from
            classes as frequent as votes and every worker right with chance `START`. Where classes are not as many as
            kinds of answers it must be given.
        weight: (n_items,) how often an item counts, once by default.
        steps: at most.
        gain: of the objective, at which it rests; by default a share `GAIN` of it.

    Raises:
        InputError: a start is needed, or is of other items or classes.
        ArithmeticError: the objective fell, which EM cannot do: a mistake in this file.
    """
    expected = prior or Prior.none(answers.n_labels)
    k = len(expected.classes)
    counted = np.ones(answers.n_items) if weight is None else weight
    if start is not None and start.shape != (answers.n_items, k):
        raise InputError(f"a start of {answers.n_items} items and {k} classes is needed, got {start.shape}")
    if start is None:
        if k != answers.n_labels:
            raise InputError(f"{k} classes of items with {answers.n_labels} kinds of answers need a start")
        right = np.full((k, k), (1 - START) / (k - 1)) + np.eye(k) * (START - (1 - START) / (k - 1))
        chances = np.tile(right, (answers.n_workers, 1, 1))
        classes = _normalised(counted @ answers.votes + expected.classes, np.full(k, 1 / k))
    else:
        even = np.full((answers.n_workers, k, answers.n_labels), 1 / answers.n_labels)
        classes, chances = _maximise(answers, start * counted[:, None], expected, np.full(k, 1 / k), even)
    before = -np.inf
    for step in range(steps + 1):
        log_posterior, each = expect(answers, classes, chances)
        likelihood = float(counted @ each)
        objective = likelihood + _log_prior(expected, classes, chances)
        if objective < before - SLACK * max(1.0, abs(before)):
            raise ArithmeticError(f"EM fell from {before} to {objective} in step {step}")
        rests = objective - before <= (GAIN * max(1.0, abs(objective)) if gain is None else gain)
        if rests or step == steps:
            break
        before = objective
        classes, chances = _maximise(answers, np.exp(log_posterior) * counted[:, None], expected, classes, chances)
    return Estimate(classes, chances, log_posterior, likelihood, objective, step, bool(rests), expected)


def expect(answers: Answers, classes: Floats, chances: Floats) -> tuple[Floats, Floats]:
    """E step (equation 4): log posterior (n_items, K), and log likelihood (n_items,) of each item's answers.

    Args:
        answers: who said what.
        classes: (K,) share of each.
        chances: (n_workers, K, n_labels) of an answer given the truth.
    """
    # Rows of the table are (worker, answer); the truth is what is asked for.
    logs = np.log(np.maximum(chances, LEAST)).transpose(0, 2, 1).reshape(-1, len(classes))
    # Class by class, each in one piece of memory: an axis of two is slow to go along.
    joint = np.stack([answers.table @ each for each in logs.T]).T + np.log(np.maximum(classes, LEAST))
    highest = functools.reduce(np.maximum, joint.T)
    total = highest + np.log(functools.reduce(np.add, np.exp(joint.T - highest)))
    return joint - total[:, None], total


def _maximise(
    answers: Answers, posterior: Floats, prior: Prior, classes: Floats, chances: Floats
) -> tuple[Floats, Floats]:
    """M step (equation 5); who said nothing of a class keeps what was thought before."""
    counts = answer_counts(answers, posterior) + prior.answers
    return _normalised(posterior.sum(axis=0) + prior.classes, classes), _normalised(counts, chances)


def answer_counts(answers: Answers, posterior: Floats) -> Floats:
    """(n_workers, K, n_labels) how often each worker is thought to have given an answer to items of a class."""
    shape = (posterior.shape[1], answers.n_workers, answers.n_labels)
    counts = np.stack([answers.table.T @ each for each in posterior.T]).reshape(shape)
    return np.asarray(counts.transpose(1, 0, 2))


def _normalised(counts: Floats, instead: Floats) -> Floats:
    total = counts.sum(axis=-1, keepdims=True)
    share: Floats = np.divide(counts, total, out=np.array(instead, dtype=np.float64), where=total > 0)
    return share


def _log_prior(prior: Prior, classes: Floats, chances: Floats) -> float:
    logs = np.log(np.maximum(chances, LEAST))
    return float(np.sum(prior.answers * logs) + prior.classes @ np.log(np.maximum(classes, LEAST)))


def fit_best(
    answers: Answers, prior: Prior | None = None, *, restarts: int = 0, seed: int = 0
) -> tuple[Estimate, Sequence[float]]:
    """The best of the usual start, that of votes, and some by chance; and the objective that each of them reached.

    Random starts are posteriors drawn evenly (Dirichlet of ones). Of two kinds of answers, an estimate in which cells
    and their absence have taken each other's place loses to any in which they have not. Of starts that reach the same
    the first counts: rounding chooses nothing.

    Args:
        answers: who said what.
        prior: maximum likelihood by default.
        restarts: random starts.
        seed: of these.
    """
    rng = np.random.default_rng(seed)
    drawn = (rng.dirichlet(np.ones(answers.n_labels), answers.n_items) for _ in range(restarts))
    found = [fit(answers, prior, start=start) for start in (None, answers.votes, *drawn)]
    standing = [one for one in found if not (answers.n_labels == 2 and one.switched)] or found
    highest = max(one.objective for one in standing)
    best = next(one for one in standing if one.objective >= highest - SAME * max(1.0, abs(highest)))
    return best, [one.objective for one in found]
