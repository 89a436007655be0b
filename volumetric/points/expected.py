"""How many cells there are, from the probabilities of those that were found.

The sum of the probabilities is what the detector believes. How the true number lies about it is learned from places
whose cells are known: a factor, for cells that are missed and probabilities that are off, and a spread, for what makes
places and brains differ from one another. The number in a place with sum E is then negative binomial, that is Poisson
about a mean that itself varies: mean m = f E, variance m + (s m)^2. Places of one brain differ less than brains do:
where the factor was learned from the brain itself, only the spread within brains is left.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
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
        spread: relative standard deviation from place to place of any brain, beyond what chance does to a small number.
        within: the same of one brain, about its own factor.
    """

    factor: float = 1.0
    spread: float = 0.0
    within: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.factor) and self.factor > 0 and 0 <= self.within <= self.spread <= LARGEST_SPREAD):
            raise InputError(
                f"a count needs a positive factor and spreads from 0 to {LARGEST_SPREAD}, the one within brains the "
                f"smaller, got {self}"
            )

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


def fit_count_model(brains: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]]) -> CountModel:
    """The model under which the true numbers are most likely, each brain counting alike.

    Args:
        brains: of each, (n,) sums of probabilities of n places, by a detector that did not learn from them, and (n,)
            cells that are there.

    Raises `InputError` where no brain has two places and a cell.
    """
    known = [(np.asarray(e, dtype=np.float64), np.asarray(c, dtype=np.float64)) for e, c in brains]
    if any(e.shape != c.shape or e.ndim != 1 for e, c in known):
        raise InputError(f"each sum of probabilities needs its number of cells, got {known}")
    known = [(e, c) for e, c in known if len(c) > 1 and c.any()]
    if not known:
        raise InputError("a model of counts needs a brain with two places or more, and cells in them")
    factor, spread = _most_likely(known)
    own = [(_most_likely([one])[0] * one[0], one[1]) for one in known]
    within = _most_likely(own, factor=1.0)[1]
    return CountModel(factor, max(spread, within), within)


def _most_likely(brains: Sequence[tuple[Floats, Floats]], factor: float | None = None) -> tuple[float, float]:
    """Factor (or the given one) and spread of the highest likelihood, the mean over each brain's places."""

    def cost(parameters: Floats) -> float:
        spread, scale = np.exp(parameters[0]), np.exp(parameters[1]) if factor is None else factor
        shape, total = spread**-2, 0.0
        for expected, cells in brains:
            mean = np.maximum(scale * expected, HALF_A_CELL)
            total -= float(np.mean(nbinom.logpmf(cells, shape, 1 / (1 + spread**2 * mean))))
        return total

    cells, expected = (sum(float(one[k].sum()) for one in brains) for k in (1, 0))
    start = np.array([np.log(0.3), np.log(cells / max(expected, HALF_A_CELL))][: 2 if factor is None else 1])
    limits = [(np.log(LEAST_SPREAD), np.log(LARGEST_SPREAD)), (-7.0, 7.0)][: len(start)]
    best = minimize(cost, start, method="Nelder-Mead", bounds=limits, options={"xatol": 1e-6, "fatol": 1e-9})
    spread = min(float(np.exp(best.x[0])), LARGEST_SPREAD)
    return (float(np.exp(best.x[1])) if factor is None else factor), spread
