"""Do probabilities mean what they say? Reliability, expected calibration error, Brier score; calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from volumetric.errors import InputError

Floats = npt.NDArray[np.float64]

BINS = 10

SURE = 1e-4
"""No probability is nearer to 0 or 1."""

SLOPE_SPREAD, SHIFT_SPREAD = 0.3, 1.5
"""Standard deviations between brains: how bright a cell must be differs, less how sharply (measured: 0.1 and 1.3)."""


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
class Logistic:
    """Probabilities of scores: logit p = slope * logit(score) + shift (Platt 1999); the score itself by default."""

    slope: float = 1.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.slope) and self.slope > 0 and np.isfinite(self.shift)):
            raise InputError(f"a calibration needs a positive slope and a finite shift, got {self}")

    def __call__(self, score: npt.ArrayLike) -> Floats:
        """Probabilities of scores from 0 to 1."""
        return np.asarray(expit(self.slope * log_odds(score) + self.shift), dtype=np.float64)


def log_odds(score: npt.ArrayLike) -> Floats:
    """Logit of scores, none taken for nearer than `SURE` to 0 or 1."""
    return np.asarray(logit(np.clip(np.asarray(score, dtype=np.float64), SURE, 1 - SURE)), dtype=np.float64)


def fit_logistic(score: npt.ArrayLike, event: npt.ArrayLike, start: Logistic | None = None) -> Logistic:
    """The calibration of the highest posterior; convex, so that there is one.

    Args:
        score: (n,) from 0 to 1.
        event: (n,) 0 or 1.
        start: what is expected before any score is known, within `SLOPE_SPREAD` and `SHIFT_SPREAD`.

    Raises `InputError` for no scores, or others.
    """
    said, happened = _checked(score, event)
    if not len(said):
        raise InputError("a calibration needs scores with their events, got none")
    expected, x = start or Logistic(), log_odds(said)

    def cost(parameters: Floats) -> tuple[float, Floats]:
        slope, shift = parameters
        off = (slope - expected.slope) / SLOPE_SPREAD, (shift - expected.shift) / SHIFT_SPREAD
        line = slope * x + shift
        rest = expit(line) - happened
        value = np.sum(np.logaddexp(0, line) - happened * line) + (off[0] ** 2 + off[1] ** 2) / 2
        return float(value), np.asarray([rest @ x + off[0] / SLOPE_SPREAD, rest.sum() + off[1] / SHIFT_SPREAD])

    first = np.array([expected.slope, expected.shift])
    best = minimize(cost, first, jac=True, method="L-BFGS-B", bounds=[(0.05, None), (None, None)])
    return Logistic(float(best.x[0]), float(best.x[1]))


def _checked(probability: npt.ArrayLike, event: npt.ArrayLike) -> tuple[Floats, Floats]:
    said, happened = np.asarray(probability, dtype=np.float64), np.asarray(event, dtype=np.float64)
    if said.ndim != 1 or said.shape != happened.shape:
        raise InputError(f"each probability needs its event, got shapes {said.shape} and {happened.shape}")
    if not np.all((said >= 0) & (said <= 1)) or not np.all(np.isin(happened, (0.0, 1.0))):
        raise InputError("probabilities lie between 0 and 1, and events are 0 or 1")
    return said, happened
