"""Where a detector's scores become cells: one threshold, and probabilities, from tiles whose cells are known.

The scores must be of networks that never saw the tile, and, where there are several brains, its brain: thresholds do
not carry over from one to another by themselves, and only what held between brains can be trusted on the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from volumetric.detection.model import DetectorSettings
from volumetric.errors import InputError
from volumetric.points.curves import Curve, ScoredTile, curve
from volumetric.points.expected import fit_count_model
from volumetric.points.reliability import Logistic, fit_logistic, log_odds

FEWEST_CELLS = 20
"""True cells, and as many candidates, from which a threshold can be told."""


def operating_point(
    settings: DetectorSettings, brains: Mapping[str, Sequence[ScoredTile]], *, calibrated: bool = True
) -> DetectorSettings:
    """The settings with the threshold of the best F1, each brain counting alike, calibrated probabilities and counts.

    Probabilities of synthetic cells mean nothing for real ones: with `calibrated` False there are none.

    Args:
        settings: of the detector that found the candidates.
        brains: the scored tiles of each brain.
        calibrated: whether these are real brains.

    Raises `InputError` for fewer than `FEWEST_CELLS` true cells, or candidates.
    """
    tiles = [tile for each in brains.values() for tile in each]
    known, scores = sum(tile.n_truth for tile in tiles), np.concatenate([tile.score for tile in tiles] or [np.empty(0)])
    if known < FEWEST_CELLS or len(scores) < FEWEST_CELLS:
        raise InputError(
            f"a threshold needs at least {FEWEST_CELLS} known cells, and as many places that may be one, got {known} "
            f"and {len(scores)}: add tiles"
        )
    curves = [curve(each) for each in brains.values() if any(tile.n_truth for tile in each)]
    candidates = np.unique(scores)
    macro = np.mean([_f1_at(one, candidates) for one in curves], axis=0)
    best = int(np.flatnonzero(macro == macro.max())[-1])
    # Half-way to the next candidate below: where cells and the rest lie far apart, neither is at the edge.
    threshold = float(expit(np.mean(log_odds(candidates[[best, max(best - 1, 0)]]))))
    chosen = replace(settings, threshold=threshold, calibration=None, counts=None)
    if not calibrated:
        return chosen
    chosen = replace(chosen, calibration=_calibration(list(brains.values())))
    # Single tiles of several parts cannot say how far places of one differ: together they can.
    groups = list(brains.values()) if any(len(each) > 1 for each in brains.values()) else [tiles]
    counts = fit_count_model([(summed(chosen, each), [tile.n_truth for tile in each]) for each in groups])
    return replace(chosen, counts=counts)


def summed(settings: DetectorSettings, tiles: Sequence[ScoredTile]) -> npt.NDArray[np.float64]:
    """Sum of the probabilities of the cells in each tile, (n,); raises `InputError` from an uncalibrated detector."""
    if settings.calibration is None:
        raise InputError("a detector that is not calibrated has no probabilities to sum")
    kept = [tile.score[tile.score >= settings.threshold] for tile in tiles]
    return np.array([settings.calibration(score).sum() for score in kept])


def _calibration(brains: Sequence[Sequence[ScoredTile]]) -> Logistic:
    """The mean of the brains': what each says of itself is far from the others, and the next may be on either side."""
    each = [
        fit_logistic(np.concatenate([tile.score for tile in tiles]), np.concatenate([tile.hit for tile in tiles]))
        for tiles in brains
        if sum(len(tile.score) for tile in tiles)
    ]
    return Logistic(float(np.mean([one.slope for one in each])), float(np.mean([one.shift for one in each])))


def _f1_at(one: Curve, thresholds: np.ndarray) -> np.ndarray:
    """F1 at each threshold; a curve goes down from its highest threshold."""
    kept = len(one.threshold) - np.searchsorted(one.threshold[::-1], thresholds, side="left")
    return np.concatenate([[0.0], one.f1])[kept]
