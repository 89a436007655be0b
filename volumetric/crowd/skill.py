"""From candidates to skill and posteriors: what the crowd as a whole says, with settings for the ways that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.crowd.difficulty import fit_difficulty, with_hard
from volumetric.crowd.reliability import USUAL, Answers, Estimate, Prior, expect, fit_best

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Skill:
    """How skill is told.

    Args:
        prior: of sensitivities and specificities.
        difficulty: whether some cells are harder to see than others.
        restarts: random starts beside the usual two.
        seed: of these.
    """

    prior: Prior = USUAL
    difficulty: bool = False
    restarts: int = 3
    seed: int = 0

    @property
    def prior_of_estimate(self) -> Prior:
        """Of the classes that the estimate has, as `workers.intervals` needs it."""
        return with_hard(self.prior) if self.difficulty else self.prior


def told(answers: Answers, skill: Skill, among: Bools | None = None) -> tuple[Estimate, Sequence[float]]:
    """The estimate for all items, and the objective that each start of EM reached.

    Args:
        answers: of the crowd.
        skill: how it is told.
        among: (n_items,) items from which skill is told, such as those of quality-control tiles; all others are then
            judged with it.
    """
    asked = answers if among is None else answers.of_items(among)
    estimate, starts = fit_best(asked, skill.prior, restarts=skill.restarts, seed=skill.seed)
    if skill.difficulty:
        estimate = fit_difficulty(asked, estimate, skill.prior)
    if among is None:
        return estimate, starts
    return with_items(estimate, answers), starts


def with_items(estimate: Estimate, answers: Answers) -> Estimate:
    """The skill of an estimate, and what follows from it for other items; the objective stays that of its own."""
    log_posterior, likelihood = expect(answers, estimate.classes, estimate.answers)
    return Estimate(
        estimate.classes,
        estimate.answers,
        log_posterior,
        float(likelihood.sum()),
        estimate.objective,
        estimate.steps,
        estimate.converged,
    )
