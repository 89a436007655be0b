"""Where the cells of a tile lie, given how many there are: clusters, a trend over the tile, a core around each cell.

A Thomas process (cells scattered around unseen centres), lit unevenly by a trend, with a soft core between each two
cells: its density for n cells is

    prod_i exp(b . x_i) sum_c N(x_i; c, spread^2)  *  prod_{i<j} core(|x_i - x_j|),

averaged over the centres c (Poisson; weighed by how well they explain n) and the trend b (normal). The core stands for
two bodies that cannot be at one place, and for touching cells that are annotated as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, xlogy

from volumetric.errors import InputError

Floats = npt.NDArray[np.float64]

SWEEPS = 20
"""Times that each cell is offered another place."""

DENSEST = 0.5
"""Centres a pixel from which on clusters have hardly two cells and are none."""

REACH = 4.0
"""Spreads from the tile within which centres may have cells in it."""


@dataclass(frozen=True)
class PointProcess:
    """How the cells of tiles lie to each other.

    Args:
        excess: of pairs at distance 0, were there no core: 1 is twice as many as by chance; 0 for no clusters.
        spread_px: standard deviation of cells around their centre, along each axis.
        core_px: distance at which a share 1 - 1/e of the pairs that the core keeps apart is left; 0 for no core.
        steepness: of the core; 4 is soft, 30 all but a wall.
        overlap: share of pairs that no core keeps apart, such as cells above one another in depth.
        trend: standard deviation, between tiles, of how far the log density rises from one edge to the other.

    Raises `InputError` for numbers that make no process.
    """

    excess: float = 0.0
    spread_px: float = 5.0
    core_px: float = 0.0
    steepness: float = 4.0
    overlap: float = 0.0
    trend: float = 0.0

    def __post_init__(self) -> None:
        numbers = (self.excess, self.spread_px, self.core_px, self.steepness, self.overlap, self.trend)
        if not (
            np.all(np.isfinite(numbers))
            and min(numbers) >= 0
            and min(self.spread_px, self.steepness) > 0
            and self.overlap <= 1
        ):
            raise InputError(
                "a point process has an excess, a spread, a core, a steepness, an overlap and a trend, all finite, "
                f"none below 0, spread and steepness above 0, overlap at most 1; got {numbers}"
            )

    @property
    def centres_per_px(self) -> float:
        """Density of the clusters' centres; 0 where there are no clusters to speak of."""
        cells = 4 * np.pi * self.excess * self.spread_px**2
        return 1 / cells if cells * DENSEST > 1 else 0.0

    def log_core(self, distance_px: Floats) -> Floats:
        """Log of the share of pairs that the core leaves, any shape."""
        if not self.core_px:
            return np.zeros_like(distance_px)
        with np.errstate(divide="ignore", over="ignore"):
            apart = -np.expm1(-((distance_px / self.core_px) ** self.steepness))
            left: Floats = np.log(self.overlap + (1 - self.overlap) * apart)
        return np.maximum(left, -1e9)  # two cells at one place are all but impossible, and may still be parted

    def pair_correlation(self, distance_px: Floats) -> Floats:
        """g(r) without the trend, up to a factor; exact for clusters, to first order in the density for the core."""
        clusters = 1 + self.excess * np.exp(-(distance_px**2) / (4 * self.spread_px**2))
        value: Floats = np.exp(self.log_core(distance_px)) * clusters
        return value

    def simulate(self, n: int, shape: tuple[int, int], rng: np.random.Generator, times: int = 1) -> Floats:
        """Places of n cells in a tile (y, x), (times, n, 2) px, each time anew.

        Metropolis and Hastings: cell after cell is offered a place drawn from the clusters, `SWEEPS` times.
        """
        size = np.asarray(shape, dtype=np.float64)
        offered = np.stack([self._places(n * (SWEEPS + 1), n, size, rng) for _ in range(times)])
        slope = self.trend * rng.standard_normal((times, 2)) / size
        places = offered[:, :n].copy()
        chance = np.log(1 - rng.random((times, n * SWEEPS)))
        for turn in range(n * SWEEPS):
            cell, new = turn % n, offered[:, n + turn]
            old = places[:, cell].copy()
            rise = np.sum(slope * (new - old), axis=1)
            if self.core_px:
                rise = rise + self._crowding(new, places, cell) - self._crowding(old, places, cell)
            accepted = chance[:, turn] < rise
            places[accepted, cell] = new[accepted]
        return places

    def _crowding(self, place: Floats, places: Floats, cell: int) -> Floats:
        """What the cores of all other cells say of a place, log, (times,)."""
        apart = np.hypot(places[..., 0] - place[:, None, 0], places[..., 1] - place[:, None, 1])
        apart[:, cell] = np.inf
        total: Floats = self.log_core(apart).sum(axis=1)
        return total

    def _places(self, count: int, n: int, size: Floats, rng: np.random.Generator) -> Floats:
        """Places around centres that are drawn anew, given that n cells lie in the tile, without core and trend."""
        if not self.centres_per_px:
            return rng.uniform(-0.5, size - 0.5, (count, 2))
        centres, low, high = self._centres(n, size, rng)
        inside = np.prod(high - low, axis=1)
        of = rng.choice(len(centres), count, p=inside / inside.sum())
        share = rng.uniform(low[of], high[of])
        # A centre far outside has its cells at the edge: rounding must not put them beyond.
        places: Floats = np.clip(centres[of] + self.spread_px * ndtri(share), -0.5, size - 0.5)
        return places

    def _centres(self, n: int, size: Floats, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
        """Centres (k, 2), and the share of their cells below both edges of the tile along each axis.

        Drawn until a chance accepts them that is how likely n cells are beside the most likely number: the centres of
        a Thomas process of this density that has n cells in the tile.
        """
        margin = REACH * self.spread_px
        expected = self.centres_per_px * np.prod(size + 2 * margin)
        usual = self.centres_per_px * np.prod(size)
        while True:
            centres = rng.uniform(-0.5 - margin, size - 0.5 + margin, (rng.poisson(expected), 2))
            low, high = (ndtr((edge - centres) / self.spread_px) for edge in (-0.5, size - 0.5))
            mass = np.prod(high - low, axis=1).sum() / usual
            if mass > 0 and np.log(1 - rng.random()) < xlogy(n, mass) - n * (mass - 1):
                return centres, low, high
