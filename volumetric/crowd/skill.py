"""How skill is told from answers: which prior, whether cells differ in difficulty, from where EM starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from volumetric.crowd.difficulty import fit_difficulty
from volumetric.crowd.reliability import USUAL, Answers, Estimate, Prior, expect, fit_best


@dataclass(frozen=True)
class Skill:
    """A way to tell skill.

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

    def __call__(self, answers: Answers) -> tuple[Estimate, Sequence[float]]:
        """The estimate, and the objective that each start of EM reached."""
        estimate, starts = fit_best(answers, self.prior, restarts=self.restarts, seed=self.seed)
        return (fit_difficulty(answers, estimate, self.prior) if self.difficulty else estimate), starts


def with_items(estimate: Estimate, answers: Answers) -> Estimate:
    """Other items, judged with the skill of an estimate, such as that of quality-control tiles."""
    log_posterior, likelihood = expect(answers, estimate.classes, estimate.answers)
    return replace(estimate, log_posterior=log_posterior, log_likelihood=float(likelihood.sum()))
