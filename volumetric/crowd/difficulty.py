"""Some cells are harder to see than others: two classes of cells, which each worker finds with a chance of their own.

With one class, workers who miss the same faint cells look alike, and a faint cell that few clicked is taken for none
(conditional dependence; Dawid and Skene's model assumes there is none). Told apart by the same EM, with a third class.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from volumetric.crowd.reliability import Answers, Estimate, Prior, fit

SHARP = 8.0
"""How fast, over the share of viewers who clicked it, a cell is first taken for an easy one."""


def with_hard(prior: Prior) -> Prior:
    """The prior of none, hard and easy from that of none and cell: both classes of cells take that of the one."""
    rows = [0, 1, 1]
    return Prior(prior.answers[rows], prior.classes[rows])


def fit_difficulty(answers: Answers, estimate: Estimate, prior: Prior) -> Estimate:
    """The estimate with classes none, hard and easy, begun from one of two classes.

    Args:
        answers: of two kinds, clicked or not.
        estimate: of two classes, none and cell.
        prior: of these.
    """
    cell, clicked = estimate.posterior[:, 1], answers.votes[:, 1]
    middle = float(cell @ clicked / max(cell.sum(), 1e-12))
    easy = expit(SHARP * (clicked - middle))
    start = np.column_stack([1 - cell, cell * (1 - easy), cell * easy])
    return fit(answers, with_hard(prior), start=start)
