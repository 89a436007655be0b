"""A detector adapted to a brain from a few of its tiles: the threshold and what the scores mean, not the network.

Between brains the ranking of candidates holds better than the score from which they are cells. So the two numbers that
make probabilities of scores are fitted to the tiles, with those of the detector expected; the threshold moves towards
the one with the highest expected F1 then, the farther the more cells are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from volumetric.detection.model import DetectorSettings
from volumetric.detection.operating_point import summed
from volumetric.errors import InputError
from volumetric.points.curves import ScoredTile
from volumetric.points.expected import CountModel
from volumetric.points.reliability import fit_logistic, log_odds

Floats = npt.NDArray[np.float64]

HALF_WAY_CELLS = 50.0
"""Known cells that move the threshold half of the way: fewer show one kind of tissue, and the next place is another."""

PRIOR_CELLS = 10.0
"""Whose number is as expected, before any is known."""

UNKNOWN_SPREAD = 0.3
"""Of counts, from a detector that was never tried on brains it had not seen."""


def adapted(settings: DetectorSettings, tiles: Sequence[ScoredTile]) -> DetectorSettings:
    """The settings for the brain of some tiles; raises `InputError` where none of their cells is a candidate.

    Args:
        settings: of the detector.
        tiles: all candidates of each tile, however unsure, scored against its cells.
    """
    score = np.concatenate([tile.score for tile in tiles] or [np.empty(0)])
    hit = np.concatenate([tile.hit for tile in tiles] or [np.empty(0, np.bool_)])
    if not hit.any():
        raise InputError("none of the known cells is near a candidate: are these tiles and cells of the same place?")
    calibration = fit_logistic(score, hit, settings.calibration)
    known = sum(tile.n_truth for tile in tiles)
    best = best_threshold(score, calibration(score), known - int(hit.sum()))
    trust = known / (known + HALF_WAY_CELLS)
    threshold = float(expit(log_odds([best, settings.threshold]) @ [trust, 1 - trust]))
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
