"""Sums and maxima of round Gaussians on a grid of pixels, each drawn only where it is not negligible."""

from __future__ import annotations

from collections.abc import Callable

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
    return _drawn(np.zeros(shape), np.column_stack([centres, height]), sigma, cut * sigma, np.add)


def gaussian_max(shape: tuple[int, int], centres: Floats, height: Floats, sigma: float, cut: float = 4.0) -> Floats:
    """The highest of Gaussians (Y, X), at least 0: near neighbours do not add up; arguments as above."""
    return _drawn(np.zeros(shape), np.column_stack([centres, height]), sigma, cut * sigma, np.maximum)


def _drawn(grid: Floats, rows: Floats, sigma: float, reach: float, join: Callable[..., Floats]) -> Floats:
    """The grid with a Gaussian for each row of y, x and height joined to it."""
    low = np.maximum(np.ceil(rows[:, :2] - reach), 0).astype(np.int64)
    high = np.minimum(np.floor(rows[:, :2] + reach) + 1, grid.shape).astype(np.int64)
    for (y, x, height), (y0, x0), (y1, x1) in zip(rows, low, high, strict=True):
        if y1 <= y0 or x1 <= x0:
            continue
        squared = ((np.arange(y0, y1) - y) ** 2)[:, None] + (np.arange(x0, x1) - x) ** 2
        window = grid[y0:y1, x0:x1]
        join(window, np.where(squared < reach**2, height * np.exp(-squared / (2 * sigma**2)), 0.0), out=window)
    return grid
