"""How many of the counted cells are real, from the detector's calibrated probabilities.

Each cell is real with its own probability, independently of the others, so the number of real cells in a region
follows a Poisson-binomial distribution: mean sum(p), variance sum(p (1 - p)). A region's cells are its own and those
of its descendants; whatever adds up over cells (mean, cumulants, logarithms of characteristic functions) is summed
up the hierarchy, and each row gets its own interval. Cells that were never detected are not in these numbers.

- Up to `EXACT_CELLS` cells: exact. The characteristic function at n + 1 frequencies is inverted by FFT (Hong 2013,
  Computational Statistics and Data Analysis 59).
- More: the refined normal approximation (Volkova 1996, Theory of Probability and its Applications 40), that is normal
  with a correction for skewness and for whole numbers. It is at most one cell off there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.atlas.ontology import Ontology
from volumetric.atlas.tally import pieces
from volumetric.errors import InputError

EXACT_CELLS = 256
"""Even, so that the number of frequencies is odd and no factor of the characteristic function can be 0."""

TAILS = (0.025, 0.975)
Z = 1.959963984540054
"""The normal quantile of the upper tail."""

ROUNDING = 1e-12
"""Of a cumulative probability: sums of `EXACT_CELLS` numbers are off by less."""


@dataclass(frozen=True)
class Expected:
    """Real cells of each region with its descendants: (n_regions, 3) float64 each, columns left, right, both.

    `low` and `high` are whole numbers from 0 to the count of cells. They are the central 95% interval, widened where
    that does not hold `mean` itself, as for one cell of probability 0.01.
    """

    mean: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]


def expected_counts(
    ontology: Ontology,
    placed: npt.NDArray[np.int32],
    probability: npt.NDArray[np.floating],
) -> Expected:
    """The expected number of real cells in every region, with its 95% interval.

    Args:
        ontology: the regions.
        placed: (n,) region and side of the cells as of `tally.place`; those outside the atlas are left out.
        probability: (n,) from 0 to 1, calibrated.

    Raises `InputError` for probabilities outside 0 to 1.
    """
    own = np.zeros((4, 2 * len(ontology.ids) + 1))
    for part in pieces(len(placed)):
        at, p = placed[part], probability[part].astype(np.float64)
        if not np.all((p >= 0) & (p <= 1)):
            raise InputError("a probability of a cell lies outside 0 to 1: the detector's calibration is broken")
        variance = p * (1 - p)
        sums = (None, p, variance, variance * (1 - 2 * p))
        own += [np.bincount(at, weights, minlength=own.shape[1]) for weights in sums]
    cells, mean, variance, third = (_rolled(ontology, total[:-1].reshape(-1, 2)) for total in own)
    bounds = [_refined_normal(mean, variance, third, z) for z in (-Z, Z)]
    small = cells <= EXACT_CELLS
    exact = _exact(_characteristic(ontology, placed, probability, own[0])[small])
    for bound, known in zip(bounds, exact, strict=True):
        bound[small] = known
    low, high = np.minimum(bounds[0], np.floor(mean)), np.maximum(bounds[1], np.ceil(mean))
    return Expected(mean, np.clip(low, 0, cells), np.clip(high, 0, cells))


def _rolled(ontology: Ontology, own: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n_regions, 2, ...) own sums to (n_regions, 3, ...) with descendants, the third column both sides."""
    return ontology.roll_up(np.concatenate([own, own.sum(axis=1, keepdims=True)], axis=1))


def _refined_normal(
    mean: npt.NDArray[np.float64], variance: npt.NDArray[np.float64], third: npt.NDArray[np.float64], z: float
) -> npt.NDArray[np.float64]:
    """The quantile at the normal quantile z, from the first three cumulants."""
    skew = np.divide(third, variance, out=np.zeros_like(mean), where=variance > 0)
    quantile: npt.NDArray[np.float64] = np.ceil(mean + np.sqrt(variance) * z + skew * (z * z - 1) / 6 - 0.5)
    return quantile


def _characteristic(
    ontology: Ontology,
    placed: npt.NDArray[np.int32],
    probability: npt.NDArray[np.floating],
    own_cells: npt.NDArray[np.float64],
) -> npt.NDArray[np.complex128]:
    """E[exp(-i w N)] of every region: (n_regions, 3, n_frequencies), true where it has at most `EXACT_CELLS` cells.

    Such a region has only such descendants; cells of larger ones are left out.
    """
    few = own_cells <= EXACT_CELLS
    few[-1] = False  # outside the atlas
    chosen = few[placed]
    at, p = placed[chosen], probability[chosen].astype(np.float64)
    frequencies = np.arange(EXACT_CELLS // 2 + 1) * (2 * np.pi / (EXACT_CELLS + 1))
    logarithm = np.empty((len(own_cells) - 1, 2, len(frequencies)))
    for k, w in enumerate(frequencies):
        factor = np.log(1 + p * (np.exp(-1j * w) - 1))
        for column, weights in enumerate((factor.real, factor.imag)):
            logarithm[:, column, k] = np.bincount(at, weights, minlength=len(own_cells))[:-1]
    real, imaginary = (_rolled(ontology, logarithm[:, column].reshape(-1, 2, len(frequencies))) for column in (0, 1))
    characteristic: npt.NDArray[np.complex128] = np.exp(real + 1j * imaginary)
    return characteristic


def _exact(characteristic: npt.NDArray[np.complex128]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Both quantiles of (m, n_frequencies) characteristic functions: (m,) each."""
    cumulative = np.cumsum(np.fft.irfft(characteristic, n=EXACT_CELLS + 1, axis=-1), axis=-1)
    low, high = ((cumulative < tail - ROUNDING).sum(axis=-1).astype(np.float64) for tail in TAILS)
    return low, high
