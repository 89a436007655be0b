"""Candidates as peaks of the density of clicks: the usual maker.

Clicks of all workers are smoothed by how far clicks on one cell scatter. Each peak is a candidate, and every worker's
clicks are given to peaks one to one: of two cells that nearly touch, a worker who clicked both is a witness.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.spatial import KDTree
from scipy.special import expit

from volumetric.crowd.candidates import assign, centres
from volumetric.crowd.clicks import TileClicks
from volumetric.errors import InputError
from volumetric.imaging.gaussians import gaussian_sum
from volumetric.imaging.maxima import local_maxima

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

USUAL_SCATTER_PX = 2.0
"""Where too little was clicked to tell: the width that the method gives a click."""

LEAST_SCATTER_PX, MOST_SCATTER_PX = 0.5, 8.0

MOST_LOGIT = 20.0
"""Of the share of pairs of one cell: neither all are, nor none."""

FEWEST_PAIRS = 500
"""Pairs of clicks from which their scatter is told."""

FAR = 8.0
"""Times the usual scatter within which pairs are looked at."""

STEPS = 4
"""Of the grid of the density, in one width."""

REACH = 2.5
"""Widths within which a click belongs to a peak."""

MANY_VIEWERS = 30
"""Of a tile, whose clicks are smoothed by their scatter alone; fewer clicks need a wider Gaussian."""

ROUNDS = 2
"""Times that peaks are moved to the middle of the clicks that were given to them."""


@dataclass(frozen=True)
class DensityPeaks:
    """Maker of candidates from the density of clicks.

    Args:
        scatter_px: standard deviation of clicks on one cell, along each axis.
    """

    scatter_px: float = USUAL_SCATTER_PX

    def __post_init__(self) -> None:
        if not self.scatter_px > 0:
            raise InputError(f"the scatter of clicks must be positive, got {self.scatter_px} px")

    def width_px(self, viewers: int) -> float:
        """Of the Gaussian: it falls with the sixth root of the sample, as in two dimensions it should (Scott 1992)."""
        return float(self.scatter_px * max(MANY_VIEWERS / max(viewers, 1), 1.0) ** (1 / 6))

    def __call__(self, tile: TileClicks) -> Ints:
        """Groups of clicks; see `candidates.Maker`."""
        if not len(tile.yx):
            return np.empty(0, dtype=np.int64)
        width = self.width_px(len(tile.viewers))
        places, reach = _peaks(tile.yx, width), REACH * width
        for _ in range(ROUNDS):
            member = assign(tile, places, reach)
            moved = centres(tile.yx, member, len(places))
            places = moved[np.isfinite(moved[:, 0])]
        member = assign(tile, places, reach)
        alone = member < 0
        member[alone] = len(places) + np.arange(np.count_nonzero(alone))
        return np.unique(member, return_inverse=True)[1].astype(np.int64)


def _peaks(yx: Floats, width_px: float) -> Floats:
    """Maxima of the density, of equal neighbours the first."""
    step = width_px / STEPS
    corner = yx.min(axis=0) - 2 * width_px
    places = (yx - corner) / step
    shape = np.ceil(places.max(axis=0) + 2 * STEPS).astype(np.int64) + 1
    unique, count = np.unique(places, axis=0, return_counts=True)
    density = gaussian_sum((int(shape[0]), int(shape[1])), unique, count.astype(np.float64), STEPS)
    peaks: Floats = local_maxima(density, 0.5) * step + corner
    return peaks


def scatter_of(tiles: Iterable[TileClicks]) -> float:
    """How far clicks on one cell scatter, px, told from the distances between clicks of different workers.

    Near pairs are of one cell, their difference normal with twice the variance along each axis; far ones are of
    different cells, as many as there is area (maximum likelihood of the mixture, within `FAR` usual scatters). Of
    fewer than `FEWEST_PAIRS` pairs nothing is told: `USUAL_SCATTER_PX`.
    """
    reach = FAR * USUAL_SCATTER_PX
    found = [np.empty(0), *(_distances(tile, reach) for tile in tiles)]
    distance = np.concatenate(found)
    if len(distance) < FEWEST_PAIRS:
        return USUAL_SCATTER_PX
    squared = distance**2

    def surprise(parameters: Floats) -> float:
        scatter, share = np.exp(parameters[0]), expit(parameters[1])
        double = 4 * scatter**2
        # Densities of the squared distance: an exponential that ends at the reach, and an even one.
        same = np.exp(-squared / double) / double / -np.expm1(-(reach**2) / double)
        return -float(np.mean(np.log(share * same + (1 - share) / reach**2)))

    # Without bounds clicks that all lie on each other's pixels would have no scatter, and no maximum.
    limits = [(np.log(LEAST_SCATTER_PX), np.log(MOST_SCATTER_PX)), (-MOST_LOGIT, MOST_LOGIT)]
    best = minimize(surprise, np.array([np.log(USUAL_SCATTER_PX), 0.0]), method="Nelder-Mead", bounds=limits)
    return float(np.exp(best.x[0]))


def _distances(tile: TileClicks, reach: float) -> Floats:
    """Between clicks of different workers, nearer than the reach."""
    if len(tile.yx) < 2:
        return np.empty(0)
    pairs = KDTree(tile.yx).query_pairs(reach, output_type="ndarray")
    pairs = pairs[tile.worker[pairs[:, 0]] != tile.worker[pairs[:, 1]]]
    distances: Floats = np.linalg.norm(tile.yx[pairs[:, 0]] - tile.yx[pairs[:, 1]], axis=1)
    return distances
