"""A detector adapted to a brain from a few of its tiles: the threshold and what the scores mean, not the network.

Between brains the ranking of candidates holds better than the score from which they are cells. So the probabilities
that held for other brains are moved along their logit, p' = 1 / (1 + exp(-(a logit p + b))) (Platt 1999), with a and b
expected to be near 1 and 0. The threshold moves towards the one with the highest expected F1 then, the farther the more
cells are known. Of a detector without probabilities the score stands for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from volumetric.detection.model import DetectorSettings
from volumetric.detection.operating_point import summed
from volumetric.errors import InputError
from volumetric.points.curves import ScoredTile
from volumetric.points.expected import CountModel
from volumetric.points.reliability import Isotonic

Floats = npt.NDArray[np.float64]

SLOPE_SPREAD, SHIFT_SPREAD = 0.3, 1.5
"""Standard deviations expected of a and b: brains differ in how bright a cell must be, less in how sharply."""

HALF_WAY_CELLS = 50.0
"""Known cells that move the threshold half of the way: fewer show one kind of tissue, and the next place is another."""

PRIOR_CELLS = 10.0
"""Whose number is as expected, before any is known."""

UNKNOWN_SPREAD = 0.3
"""Of counts, from a detector that was never tried on brains it had not seen."""

SURE = 1e-4
"""No probability is nearer to 0 or 1."""

UNCALIBRATED = Isotonic(*(tuple(np.linspace(0, 1, 101).tolist()),) * 2)
"""The score as it is."""


def adapted(settings: DetectorSettings, tiles: Sequence[ScoredTile]) -> DetectorSettings:
    """The settings for the brain of some tiles; raises `InputError` where none of their cells is a candidate.

    Args:
        settings: of the detector.
        tiles: all candidates of each tile, however unsure, scored against its cells.
    """
    start = settings.calibration or UNCALIBRATED
    score = np.concatenate([tile.score for tile in tiles] or [np.empty(0)])
    hit = np.concatenate([tile.hit for tile in tiles] or [np.empty(0, np.bool_)])
    if not hit.any():
        raise InputError("none of the known cells is near a candidate: are these tiles and cells of the same place?")
    slope, shift = _fitted(_logit(start(score)), hit)
    moved = expit(slope * _logit(np.asarray(start.probability)) + shift)
    calibration = Isotonic(start.score, tuple(moved.tolist()))
    known = sum(tile.n_truth for tile in tiles)
    best = best_threshold(score, calibration(score), known - int(hit.sum()))
    trust = known / (known + HALF_WAY_CELLS)
    threshold = float(expit(trust * _logit(np.array(best)) + (1 - trust) * _logit(np.array(settings.threshold))))
    moved_there = replace(settings, calibration=calibration, threshold=threshold)
    return replace(moved_there, counts=_counts(settings.counts, summed(moved_there, tiles), known))


def best_threshold(score: Floats, probability: Floats, missed: float) -> float:
    """The score from which candidates are cells, for the highest expected F1.

    Args:
        score: (n,) of all candidates.
        probability: (n,) of being a cell.
        missed: cells that are no candidate.
    """
    order = np.argsort(-score, kind="stable")
    hits, kept = np.cumsum(probability[order]), np.arange(1, len(score) + 1)
    f1 = 2 * hits / (kept + hits[-1] + missed)
    last = np.append(score[order][1:] < score[order][:-1], True)  # all candidates of one score, or none
    return float(score[order][last][int(np.argmax(f1[last]))])


def _counts(before: CountModel | None, expected: Floats, known: int) -> CountModel:
    """The factor of these tiles, held by a few cells near 1; how far places differ is not learned from so few."""
    factor = (known + PRIOR_CELLS) / (float(expected.sum()) + PRIOR_CELLS)
    spread = before.within if before else UNKNOWN_SPREAD
    return CountModel(factor, spread, spread)


def _fitted(x: Floats, hit: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and shift of the highest posterior; convex, so that there is one."""

    def cost(parameters: Floats) -> tuple[float, Floats]:
        slope, shift = parameters
        line = slope * x + shift
        value = np.sum(np.logaddexp(0, line) - hit * line)
        value += ((slope - 1) / SLOPE_SPREAD) ** 2 / 2 + (shift / SHIFT_SPREAD) ** 2 / 2
        rest = expit(line) - hit
        gradient = [rest @ x + (slope - 1) / SLOPE_SPREAD**2, rest.sum() + shift / SHIFT_SPREAD**2]
        return float(value), np.asarray(gradient)

    best = minimize(cost, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0.05, None), (None, None)])
    return float(best.x[0]), float(best.x[1])


def _logit(probability: Floats) -> Floats:
    moved: Floats = logit(np.clip(probability, SURE, 1 - SURE))
    return moved
