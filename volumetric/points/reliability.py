"""Do probabilities mean what they say? Reliability, expected calibration error, Brier score; isotonic calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from volumetric.errors import InputError

Floats = npt.NDArray[np.float64]

BINS = 10


@dataclass(frozen=True)
class Reliability:
    """What was said and what happened, in bins of equal width from 0 to 1 that hold something; all (k,).

    Args:
        said: mean probability.
        happened: share of events.
        count: how many.
    """

    said: Floats
    happened: Floats
    count: npt.NDArray[np.int64]

    @property
    def expected_error(self) -> float:
        """Mean distance of what was said from what happened (ECE; Naeini et al. 2015); 0 where nothing was said."""
        if not len(self.count):
            return 0.0
        return float(np.average(np.abs(self.said - self.happened), weights=self.count))


def reliability(probability: npt.ArrayLike, event: npt.ArrayLike, bins: int = BINS) -> Reliability:
    """Bin (n,) probabilities with the (n,) events, 0 or 1, that they are of; raises `InputError` for others."""
    said, happened = _checked(probability, event)
    number = np.minimum((said * bins).astype(np.int64), bins - 1)
    count = np.bincount(number, minlength=bins)
    full = count > 0
    sums = [np.bincount(number, weights=values, minlength=bins)[full] for values in (said, happened)]
    return Reliability(sums[0] / count[full], sums[1] / count[full], count[full])


def brier_score(probability: npt.ArrayLike, event: npt.ArrayLike) -> float:
    """Mean squared distance of (n,) probabilities from (n,) events (Brier 1950); NaN for none."""
    said, happened = _checked(probability, event)
    return float(np.mean((said - happened) ** 2)) if len(said) else float("nan")


def brier_skill(probability: npt.ArrayLike, event: npt.ArrayLike) -> float:
    """1 for a prophet, 0 for saying the share of events each time; NaN where all events are alike."""
    _, happened = _checked(probability, event)
    always = float(np.var(happened)) if len(happened) else 0.0
    return 1 - brier_score(probability, event) / always if always > 0 else float("nan")


@dataclass(frozen=True)
class Isotonic:
    """A map of scores to probabilities that never falls; straight between its knots, level beyond them.

    Args:
        score: (k,) knots, rising strictly.
        probability: (k,) rising, 0 to 1.
    """

    score: tuple[float, ...]
    probability: tuple[float, ...]

    def __post_init__(self) -> None:
        score, probability = np.asarray(self.score), np.asarray(self.probability)
        if len(score) == 0 or score.shape != probability.shape or not np.all(np.isfinite([score, probability])):
            raise InputError(f"a calibration needs as many finite scores as probabilities, got {self}")
        rising = np.all(np.diff(score) > 0) and np.all(np.diff(probability) >= 0)
        if not rising or probability[0] < 0 or probability[-1] > 1:
            raise InputError(f"a calibration must rise, from 0 to 1 at most, got {self}")

    def __call__(self, score: npt.ArrayLike) -> Floats:
        """Probabilities of scores."""
        return np.interp(np.asarray(score, dtype=np.float64), self.score, self.probability)


def fit_isotonic(score: npt.ArrayLike, event: npt.ArrayLike) -> Isotonic:
    """The rising map with the least squared error (pool adjacent violators; Ayer et al. 1955).

    Half an event and half a miss are added to every level (Jeffreys' prior), so that a few lucky scores at an end do
    not become certainty. Knots are the mean scores of the levels. Raises `InputError` for no scores.
    """
    scores, happened = np.asarray(score, dtype=np.float64), np.asarray(event, dtype=np.float64)
    if not len(scores) or scores.shape != happened.shape or not np.all(np.isfinite(scores)):
        raise InputError(f"a calibration needs scores with their events, got {scores.shape} and {happened.shape}")
    distinct, number, count = np.unique(scores, return_inverse=True, return_counts=True)
    events = np.bincount(number, weights=happened)
    starts = isotonic_regression(events / count, weights=count).blocks[:-1]
    sums, hits, counts = (np.add.reduceat(values, starts) for values in (distinct * count, events, count))
    probability = np.maximum.accumulate((hits + 0.5) / (counts + 1))
    return Isotonic(tuple((sums / counts).tolist()), tuple(probability.tolist()))


def _checked(probability: npt.ArrayLike, event: npt.ArrayLike) -> tuple[Floats, Floats]:
    said, happened = np.asarray(probability, dtype=np.float64), np.asarray(event, dtype=np.float64)
    if said.ndim != 1 or said.shape != happened.shape:
        raise InputError(f"each probability needs its event, got shapes {said.shape} and {happened.shape}")
    if not np.all((said >= 0) & (said <= 1)) or not np.all(np.isin(happened, (0.0, 1.0))):
        raise InputError("probabilities lie between 0 and 1, and events are 0 or 1")
    return said, happened
