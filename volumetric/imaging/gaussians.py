"""Sums and maxima of round Gaussians on a grid of pixels, each drawn only where it is not negligible."""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def gaussian_sum(shape: tuple[int, int], centres: Floats, height: Floats, sigma: float, cut: float = 4.0) -> Floats:
    """The sum of Gaussians (Y, X), float64, of their heights at the centre and 0 from `cut` sigmas on.

    Args:
        shape: of the grid (y, x).
        centres: (n, 2) y, x in pixels, anywhere; pixel centres are at whole numbers.
        height: (n,) may be negative.
        sigma: in pixels.
        cut: radius in sigmas, round.
    """
    grid = np.zeros(shape)
    _draw(grid, np.column_stack([centres, height]).astype(np.float64), sigma, cut * sigma, True)
    return grid


def gaussian_max(shape: tuple[int, int], centres: Floats, height: Floats, sigma: float, cut: float = 4.0) -> Floats:
    """The highest of Gaussians (Y, X), at least 0: near neighbours do not add up; arguments as above."""
    grid = np.zeros(shape)
    _draw(grid, np.column_stack([centres, height]).astype(np.float64), sigma, cut * sigma, False)
    return grid


@numba.njit(nogil=True, cache=True)
def _draw(grid: Floats, rows: Floats, sigma: float, reach: float, add: bool) -> None:
    """Join a Gaussian for each row of y, x and height to the grid: added to what is there, or where it is higher."""
    for y, x, height in rows:
        for row in range(max(math.ceil(y - reach), 0), min(math.floor(y + reach) + 1, grid.shape[0])):
            for column in range(max(math.ceil(x - reach), 0), min(math.floor(x + reach) + 1, grid.shape[1])):
                squared = (row - y) ** 2 + (column - x) ** 2
                if squared < reach**2:
                    value = height * math.exp(-squared / (2 * sigma**2))
                    grid[row, column] = grid[row, column] + value if add else max(grid[row, column], value)
