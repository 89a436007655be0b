"""How many cells a tile has: a mixture of densities, as many and as different as the tiles that it was told from.

Tiles differ far more than chance has it, and many are empty: no gamma distribution of densities holds both. The mixture
that makes the counts most likely, of whatever form, has a few densities (Laird 1978, J. Am. Stat. Assoc. 73, 805).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import poisson

from volumetric.errors import InputError

DENSITIES, STEPS, LEAST_WEIGHT = 60, 2000, 1e-4
"""Densities tried, steps of EM, and the weight below which one is left out."""

MPX = 1e6


@dataclass(frozen=True)
class TileCounts:
    """Densities of cells and how many tiles have each.

    Args:
        per_mpx: (k,) cells in a megapixel.
        weights: (k,) that sum to one.

    Raises `InputError` for numbers that make no mixture.
    """

    per_mpx: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        values = np.asarray([self.per_mpx, self.weights]) if len(self.per_mpx) == len(self.weights) else np.zeros(0)
        if not (values.size and np.all(np.isfinite(values)) and values.min() >= 0 and abs(values[1].sum() - 1) < 1e-6):
            raise InputError(
                "densities of tiles are numbers not below 0, each with a weight, weights sum to one; "
                f"got {self.per_mpx} and {self.weights}"
            )

    @property
    def mean_per_mpx(self) -> float:
        return float(np.dot(self.per_mpx, self.weights))

    def sample(self, area_px: int, rng: np.random.Generator) -> int:
        """Cells of a tile."""
        density = self.per_mpx[int(rng.choice(len(self.weights), p=np.asarray(self.weights) / sum(self.weights)))]
        return int(rng.poisson(density * area_px / MPX))


def fit_counts(counts: npt.NDArray[np.int64], areas_px: Sequence[int]) -> TileCounts:
    """The mixture that makes the (n,) counts of tiles most likely; raises `InputError` where no tile has a cell."""
    areas = np.asarray(areas_px, dtype=np.float64)
    if not np.any(counts):
        raise InputError("no tile has a cell: there is nothing to tell layouts from")
    highest = float(np.max(counts / areas))
    tried = np.concatenate([[0.0], np.geomspace(0.2 / areas.max(), 1.2 * highest, DENSITIES)])
    likely = poisson.pmf(np.asarray(counts)[:, None], tried * areas[:, None])
    weights = np.full(len(tried), 1 / len(tried))
    for _ in range(STEPS):
        share = likely * weights
        weights = np.mean(share / share.sum(axis=1, keepdims=True), axis=0)
    kept = weights >= LEAST_WEIGHT
    final = weights[kept] / weights[kept].sum()
    # Between the densities tried the mean is not met exactly.
    scale = np.sum(counts) / np.dot(areas, np.full(len(areas), np.dot(tried[kept], final)))
    return TileCounts(tuple((tried[kept] * scale * MPX).tolist()), tuple(final.tolist()))
