"""A point process told from tiles with known cells.

Clusters and core: the distances of all pairs of a tile, up to a reach, are likely as g(r) says (composite likelihood of
Guan 2006, J. Am. Stat. Assoc. 101, 1502). Given the reach, nothing but how distances compare within it counts: neither
how many cells a tile has, nor a trend over the tile, which raises all short distances almost alike, looks like
clusters. The trend is told from where the cells lie in the tile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar

from volumetric.errors import InputError
from volumetric.synthesis.pair_correlation import Pattern, places_at
from volumetric.synthesis.point_process import PointProcess

Floats = npt.NDArray[np.float64]

LEAST_PAIRS = 20
"""Pairs within the reach below which nothing is told."""

STEEPNESS, EXCESS, SPREAD, APART = (4.0, 0.5), (1.0, 1.0), (1 / 6, 0.5), 9.0
"""Priors, for few pairs say little: medians and deviations of the logarithm of steepness, excess and spread (a share of
the reach); and that of the overlap, Beta(1, 1 + this)."""

CORE_DEVIATION = 0.3
"""Of the logarithm of the core around a cell's diameter, a prior too: two bodies cannot be at one place."""

WORTH = 2.0
"""Log likelihood that two more numbers must bring (Akaike)."""

CORE_START = (0.2, 4.0, 0.02)
STARTS = tuple((excess, spread) for excess in (0.3, 2.0) for spread in (0.1, 0.3))
"""Core (a share of the reach), steepness and overlap; excess, and spread as a share of the reach, fits start from."""

STEPS = 400
"""Bins of distances: so fine that the likelihood is that of the distances themselves."""

HIGHEST_TREND = 6.0
PLACES = 16
"""Places along an edge between which covariances are taken."""


def pairs_within(patterns: Sequence[Pattern], reach_px: float) -> int:
    """How many pairs of cells of one tile lie nearer than the reach."""
    return sum(len(_distances([one], reach_px)) for one in patterns)


def fit(
    patterns: Sequence[Pattern], reach_px: float, *, diameter_px: float | None = None, least_pairs: int = LEAST_PAIRS
) -> PointProcess:
    """The process that makes the distances of the cells of these tiles most likely.

    Args:
        patterns: tiles of any sizes, also with no cell or one.
        reach_px: largest distance used; a quarter of a tile's edge is usual.
        diameter_px: of a usual cell: what the core is about, as long as pairs do not say otherwise.
        least_pairs: within the reach, at least 1.

    Raises `InputError` for fewer pairs.
    """
    distances = _distances(patterns, reach_px)
    if len(distances) < least_pairs:
        raise InputError(
            f"{len(distances)} pairs of cells lie within {reach_px:g} px of each other: expected at least "
            f"{least_pairs} to tell how cells lie. Give more tiles, or fewer slices between planes"
        )
    grid = (np.arange(STEPS) + 0.5) * reach_px / STEPS
    seen, _ = np.histogram(distances, STEPS, (0, reach_px))
    weights = Counter(one.shape for one in patterns for _ in range(len(one.yx) * (len(one.yx) - 1) // 2))
    # Of tiles of several sizes the pairs of each have their own chance distribution; hardly any within the reach.
    chance = np.sum([n * places_at(shape, grid) / np.prod(shape) ** 2 for shape, n in weights.items()], axis=0)

    def loss(numbers: Floats) -> float:
        process = _process(numbers)
        pairs = process.pair_correlation(grid)
        likely = np.dot(seen, np.log(pairs)) - len(distances) * np.log(np.dot(pairs, chance))
        return float(-likely - _log_prior(process, reach_px, diameter_px))

    bounds = [(np.log(low), np.log(high)) for low, high in _bounds(reach_px)]
    starts = np.log([[*CORE_START, excess, share] for excess, share in STARTS])
    starts[:, [0, 4]] += np.log(reach_px)
    tried = [minimize(loss, start, bounds=bounds, method="L-BFGS-B") for start in starts]
    found = _process(min(tried, key=lambda one: float(one.fun)).x)
    return replace(found, trend=fit_trend(patterns, found))


def fit_trend(patterns: Sequence[Pattern], process: PointProcess) -> float:
    """Standard deviation of the trends of tiles: the rise of the log density from edge to edge, along y and along x.

    From the mean place of a tile's cells: it lies farther from the middle than chance and the clusters of a process
    have it. Maximum likelihood, the sum of places taken as normal. A trend below what one more number is worth is none.
    """
    held = [one for one in patterns if len(one.yx)]
    if not held:
        return 0.0
    sums = np.asarray([((one.yx + 0.5) / one.shape - 0.5).sum(axis=0) for one in held])
    counts = np.asarray([len(one.yx) for one in held], dtype=np.float64)[:, None]
    shared = {shape: _shared_place(process, shape) for shape in {one.shape for one in held}}
    clusters = np.asarray([shared[one.shape] for one in held])

    def loss(deviation: float) -> float:
        # A log density with slope b has its mean at b / 12 of the tile, a place's own variance is 1 / 12.
        variance = counts / 12 + counts * (counts - 1) * (clusters + (deviation / 12) ** 2)
        return float(np.sum(np.log(variance) + sums**2 / variance) / 2)

    best = minimize_scalar(loss, bounds=(0.0, HIGHEST_TREND), method="bounded")
    return float(best.x) if best.fun < loss(0.0) - WORTH / 2 else 0.0


def _shared_place(process: PointProcess, shape: tuple[int, int]) -> Floats:
    """Covariance of the places of two cells of one tile along y and x, in edges: above 0 for clusters."""
    share = (np.arange(PLACES) + 0.5) / PLACES - 0.5
    y, x = (grid.ravel() for grid in np.meshgrid(share, share, indexing="ij"))
    apart = np.hypot((y[:, None] - y) * shape[0], (x[:, None] - x) * shape[1])
    pairs = process.pair_correlation(apart)
    np.fill_diagonal(pairs, 0)
    shared: Floats = np.asarray([(along[:, None] * along * pairs).sum() for along in (y, x)]) / pairs.sum()
    return shared


def _process(numbers: Floats) -> PointProcess:
    core, steepness, overlap, excess, spread = np.exp(numbers).tolist()
    return PointProcess(excess, spread, core, steepness, overlap)


def _log_prior(process: PointProcess, reach_px: float, diameter_px: float | None) -> float:
    """Weak: worth a few pairs of cells."""
    normal: tuple[float, ...] = (
        np.log(process.steepness / STEEPNESS[0]) / STEEPNESS[1],
        np.log(process.excess / EXCESS[0]) / EXCESS[1],
        np.log(process.spread_px / (SPREAD[0] * reach_px)) / SPREAD[1],
    )
    if diameter_px:
        normal = (*normal, np.log(process.core_px / diameter_px) / CORE_DEVIATION)
    return float(APART * np.log1p(-process.overlap) - np.sum(np.square(normal)) / 2)


def _bounds(reach_px: float) -> list[tuple[float, float]]:
    """Of core, steepness, overlap, excess and spread."""
    return [(reach_px / 100, reach_px / 2), (1.0, 50.0), (1e-4, 0.99), (0.01, 50.0), (reach_px / 50, reach_px / 2)]


def _distances(patterns: Sequence[Pattern], reach_px: float) -> Floats:
    apart = [np.hypot(*one.steps.T) for one in patterns]
    distances: Floats = np.concatenate([*apart, np.zeros(0)])
    return distances[distances < reach_px]
