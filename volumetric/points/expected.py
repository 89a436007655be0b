"""How many cells there are, from the probabilities of those that were found.

The sum of the probabilities is what the detector believes. How the true number lies about it is learned from places
whose cells are known: a factor, for cells that are missed and probabilities that are off, and a spread, for what makes
places and brains differ from one another. The number in a place with sum E is then negative binomial, that is Poisson
about a mean that itself varies: mean m = f E, variance m + (s m)^2.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.stats import nbinom, poisson

from volumetric.errors import InputError

Floats = npt.NDArray[np.float64]

TAILS = (0.025, 0.975)

LEAST_SPREAD, LARGEST_SPREAD = 0.01, 3.0

HALF_A_CELL = 0.5
"""Expected at least where the model is fitted: a cell in a place where none was found must not be impossible."""


@dataclass(frozen=True)
class CountModel:
    """How true numbers of cells lie about sums of probabilities.

    Args:
        factor: true cells for each that is expected.
        spread: relative standard deviation from place to place, beyond what chance does to a small number.
    """

    factor: float = 1.0
    spread: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.factor) and self.factor > 0 and 0 <= self.spread <= LARGEST_SPREAD):
            raise InputError(f"a count needs a positive factor and a spread from 0 to {LARGEST_SPREAD}, got {self}")

    @classmethod
    def of_text(cls, text: str | None) -> CountModel:
        """The model of a text that `text` wrote; every cell as it is said without one."""
        return cls(**json.loads(text)) if text else cls()

    @property
    def text(self) -> str:
        """As JSON, for the metadata of a table."""
        return json.dumps(asdict(self))

    def mean(self, summed: npt.ArrayLike) -> Floats:
        """Cells expected for sums of probabilities of any shape."""
        mean: Floats = self.factor * np.asarray(summed, dtype=np.float64)
        return mean

    def interval(self, summed: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Ends of the central 95%, whole numbers of the shape of `summed`; where nothing was found, 0 and 0.

        They are widened where they do not hold the mean, as for a single cell of probability 0.01.
        """
        mean = self.mean(summed)
        some = np.maximum(mean, np.finfo(np.float64).tiny)
        low, high = (np.where(mean > 0, self._quantile(tail, some), 0.0) for tail in TAILS)
        return np.minimum(low, np.floor(mean)), np.maximum(high, np.ceil(mean))

    def _quantile(self, tail: float, mean: Floats) -> Floats:
        if self.spread < LEAST_SPREAD:
            return np.asarray(poisson.ppf(tail, mean), dtype=np.float64)
        return np.asarray(nbinom.ppf(tail, self.spread**-2, 1 / (1 + self.spread**2 * mean)), dtype=np.float64)


def fit_count_model(summed: npt.ArrayLike, true: npt.ArrayLike, weight: npt.ArrayLike) -> CountModel:
    """The model under which the true numbers are most likely.

    Args:
        summed: (n,) sums of probabilities of n places, by a detector that did not learn from them.
        true: (n,) cells that are there.
        weight: (n,) of the places, for example so that each brain counts alike.

    Raises `InputError` for fewer than two places, or none with a cell.
    """
    expected, cells, weights = (np.asarray(a, dtype=np.float64) for a in (summed, true, weight))
    if len(cells) < 2 or expected.shape != cells.shape or weights.shape != cells.shape or not cells.any():
        raise InputError(f"a model of counts needs two places or more, with cells, got {cells} for {expected}")

    def cost(parameters: Floats) -> float:
        factor, spread = np.exp(parameters)
        mean = np.maximum(factor * expected, HALF_A_CELL)
        return -float(np.sum(weights * nbinom.logpmf(cells, spread**-2, 1 / (1 + spread**2 * mean))))

    start = np.array([np.log(cells.sum() / max(expected.sum(), HALF_A_CELL)), np.log(0.3)])
    limits = [(start[0] - 5, start[0] + 5), (np.log(LEAST_SPREAD), np.log(LARGEST_SPREAD))]
    best = minimize(cost, start, method="Nelder-Mead", bounds=limits, options={"xatol": 1e-6, "fatol": 1e-9})
    factor, spread = np.exp(best.x)
    return CountModel(float(factor), float(min(spread, LARGEST_SPREAD)))
