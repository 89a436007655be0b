"""Pair correlation: how much more, or less, often two cells lie at a distance than cells spread by chance would.

Tiles are pooled, each beside what its own number of cells would give by chance. Tiles with many cells beside empty ones
therefore do not look like clusters, whatever the reason; what is left is where cells lie in a tile. It is the ratio of
the usual g(r) to its mean over all pairs of places in a tile (Illian et al. 2008, section 4.3, with numbers given).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError

Floats = npt.NDArray[np.float64]

WIDTH_PX = 4.0
"""Of a bin of distances: about a cell. Narrower ones hold few pairs of a sparse tile, and tell less from chance."""


@dataclass(frozen=True)
class Pattern:
    """Where the cells of one tile lie.

    Args:
        yx: (n, 2) pixels; pixel centres are at whole numbers.
        shape: pixels (y, x) of the tile.
    """

    yx: Floats
    shape: tuple[int, int]

    @property
    def area_px(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def steps(self) -> Floats:
        """(n (n - 1) / 2, 2) how far two cells lie from each other along y and x, of each pair."""
        first, second = np.triu_indices(len(self.yx), 1)
        apart: Floats = np.abs(self.yx[first] - self.yx[second])
        return apart


def edges_of(patterns: Sequence[Pattern], width_px: float = WIDTH_PX) -> Floats:
    """Ends of the distances told apart: bins of one width up to a quarter of the smallest tile's edge.

    Raises `InputError` without tiles, and where tiles are too small for two bins.
    """
    if not patterns:
        raise InputError("there is no tile to tell distances of cells from")
    reach = min(min(one.shape) for one in patterns) / 4
    if reach < 2 * width_px:
        raise InputError(
            f"tiles have an edge of {4 * reach:g} px: too small to tell how cells lie to each other. Expected at least "
            f"{8 * width_px:g} px"
        )
    edges: Floats = np.arange(0, int(reach / width_px) + 1, dtype=np.float64) * width_px
    return edges


def pair_correlation(patterns: Sequence[Pattern], edges: Floats) -> Floats:
    """Of all tiles together, one number for each bin of distances; 1 where cells lie by chance.

    Pairs are weighted by translation (Ohser and Stoyan): one that fits into the tile at few places counts for more.
    Tiles count by their area, so that a tile cut in two weighs as before.

    Args:
        patterns: with two cells in some tile, or all is NaN.
        edges: (k + 1,) px, ascending.
    """
    found, chance = np.zeros(len(edges) - 1), 0.0
    for one in patterns:
        n = len(one.yx)
        if n > 1:
            steps = one.steps
            places = np.prod(np.asarray(one.shape) - steps, axis=1)
            found += np.histogram(np.hypot(*steps.T), edges, weights=2 * one.area_px / places)[0]
            chance += n * (n - 1) / one.area_px
    ring = np.pi * np.diff(edges**2)
    pooled: Floats = found / (ring * chance) if chance else np.full(len(ring), np.nan)
    return pooled


def places_at(shape: tuple[int, int], distance_px: Floats) -> Floats:
    """Density by chance of the distance of two places in a tile, not scaled to one; distances up to the shorter edge.

    2 pi r times the mean, over directions, of the area where both places are inside (Illian et al. 2008, appendix B).
    """
    y, x = shape
    covered = y * x - 2 * distance_px * (y + x) / np.pi + distance_px**2 / np.pi
    density: Floats = 2 * np.pi * distance_px * covered
    return density
