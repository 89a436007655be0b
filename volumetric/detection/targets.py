"""Training targets of one slice: heatmap, offsets, sizes, and the pixels that must not teach.

Conventions: a pixel's centre lies at its integer index; cell (v, u) of the output grid of stride d holds the
centres with floor(y / d) = v and floor(x / d) = u, and its offset is what the floor took away, in [0, 1).
Equations 16, 17, 19 and 28 of the method; Zhou et al. 2019, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.imaging.maxima import local_maxima

DEPTH_SIGMA = 0.8
"""Slices: how fast a cell fades in slices that do not hold its centre."""

LEAST_PEAK, LEAST_SHARE = 0.05, 0.3
"""Of a peak of a heatmap that is taken for a cell: its height, and that as a share of the tile's highest (eq. 28)."""

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Targets:
    """What the network should say about one slice; v, u is the output grid.

    Args:
        heatmap: (V, U) float32, 1 exactly at the cell of each centre that lies in this slice, a Gaussian around it.
        weight: (V, U) float32, 0 where nothing is taught, a cell's confidence around it, otherwise 1.
        cells: (n, 2) int64, the cells of the centres in this slice.
        offset: (n, 2) float32, in cells.
        size: (n, 2) float32, height and width in pixels.
    """

    heatmap: Floats
    weight: Floats
    cells: npt.NDArray[np.int64]
    offset: Floats
    size: Floats


def make_targets(
    shape: tuple[int, int],
    centres_px: npt.ArrayLike,
    radius_px: npt.ArrayLike,
    stride: int,
    *,
    depth: npt.ArrayLike | None = None,
    height: npt.ArrayLike | None = None,
    confidence: npt.ArrayLike | None = None,
    ignored_px: npt.ArrayLike = (),
    ignored_radius_px: npt.ArrayLike = (),
) -> Targets:
    """Targets of a slice of `shape` pixels from its cells.

    Args:
        shape: pixels of the slice (y, x); multiples of the stride.
        centres_px: (n, 2) centres (y, x); those outside the slice only cast their Gaussian into it.
        radius_px: (n,) radii r; the Gaussian has sigma = (2 r~ + 1) / 6 cells, r~ = max(1, round(r / d)).
        stride: pixels along an edge of an output cell.
        depth: (n,) slices from this one to the centres, 0 without it; those within half a slice lie in it.
        height: (n,) 0 to 1, of the heatmap at each centre; 1 without it.
        confidence: (n,) 0 to 1, how much is taught where a cell's Gaussian is the highest; 1 without it.
        ignored_px: (m, 2) places that teach nothing: neither cell nor background.
        ignored_radius_px: (m,) how far each reaches.
    """
    centres = np.asarray(centres_px, dtype=np.float64).reshape(-1, 2)
    radii = np.asarray(radius_px, dtype=np.float64).reshape(-1)
    grid = (shape[0] // stride, shape[1] // stride)
    cells = np.floor(centres / stride).astype(np.int64)
    beyond = np.zeros(len(radii)) if depth is None else np.maximum(np.abs(np.asarray(depth, dtype=np.float64)) - 0.5, 0)
    full = np.ones(len(radii)) if height is None else np.asarray(height, dtype=np.float64)
    heights = full * np.exp(-(beyond**2) / (2 * DEPTH_SIGMA**2))
    heatmap, sure = np.zeros(grid, dtype=np.float32), np.ones(grid, dtype=np.float32)
    known = np.ones(len(radii)) if confidence is None else np.asarray(confidence, dtype=np.float64)
    for cell, radius, peak, one in zip(cells, radii, heights, known, strict=True):
        _splat(heatmap, sure, cell, max(1, round(float(radius) / stride)), height=float(peak), confidence=float(one))
    weight = np.ones(grid, dtype=np.float32)
    ignored = np.asarray(ignored_px, dtype=np.float64).reshape(-1, 2)
    for place, reach in zip(ignored, np.asarray(ignored_radius_px, dtype=np.float64).reshape(-1), strict=True):
        _blank(weight, place / stride, reach / stride)
    weight[heatmap > 0.3] = 1.0
    weight *= sure
    inside = np.all((cells >= 0) & (cells < grid), axis=1) & (beyond == 0)
    offset = (centres / stride - cells)[inside].astype(np.float32)
    size = np.repeat(2 * radii[inside, None], 2, axis=1).astype(np.float32)
    return Targets(heatmap, weight, cells[inside], offset, size)


def decode(cells: npt.ArrayLike, offset: npt.ArrayLike, stride: int) -> Points:
    """Centres in pixels (y, x) of output cells and their offsets: the inverse of `make_targets`; (n, 2) float64."""
    whole = np.asarray(cells, dtype=np.float64).reshape(-1, 2)
    points: Points = (whole + np.asarray(offset, dtype=np.float64).reshape(-1, 2)) * stride
    return points


def soft_target(heatmap: Floats, stride: int) -> Floats:
    """A heatmap (Y, X) on the output grid (eq. 17): the highest value in each cell, so that peaks keep theirs."""
    height, width = (n // stride * stride for n in heatmap.shape)
    cells = heatmap[:height, :width].reshape(height // stride, stride, width // stride, stride)
    grid: Floats = cells.max(axis=(1, 3))
    return grid


def heatmap_peaks(heatmap: Floats) -> tuple[Points, npt.NDArray[np.float64]]:
    """Cells (n, 2) and their heights (n,) in a heatmap (Y, X): maxima of 3 x 3 that reach both thresholds (eq. 28).

    Of equal neighbours the first in row order counts.
    """
    highest = float(heatmap.max(initial=0.0))
    at = local_maxima(heatmap, max(LEAST_PEAK, LEAST_SHARE * highest))
    return at.astype(np.float64), heatmap[tuple(at.T)].astype(np.float64)


def _splat(
    heatmap: Floats, sure: Floats, cell: npt.NDArray[np.int64], radius: int, *, height: float, confidence: float
) -> None:
    """Take the maximum with a Gaussian of 2 radius + 1 cells around a cell, and its confidence where it is higher."""
    low, high = np.maximum(cell - radius, 0), np.minimum(cell + radius + 1, heatmap.shape)
    if np.any(high <= low):
        return
    sigma = (2 * radius + 1) / 6
    v, u = (np.arange(a, b) - c for a, b, c in zip(low, high, cell, strict=True))
    gaussian = (height * np.exp(-(v[:, None] ** 2 + u[None, :] ** 2) / (2 * sigma**2))).astype(np.float32)
    place = np.s_[low[0] : high[0], low[1] : high[1]]
    higher = gaussian > heatmap[place]
    heatmap[place][higher] = gaussian[higher]
    sure[place][higher] = confidence


def _blank(weight: Floats, place: Points, reach: float) -> None:
    """Set the weight within `reach` cells of a place to 0."""
    low = np.maximum(np.floor(place - reach), 0).astype(np.int64)
    high = np.minimum(np.ceil(place + reach) + 1, weight.shape).astype(np.int64)
    if np.any(high <= low):
        return
    # A cell's middle lies half a cell after its corner, less half a pixel that no target needs.
    v, u = (np.arange(a, b) + 0.5 - p for a, b, p in zip(low, high, place, strict=True))
    window = weight[low[0] : high[0], low[1] : high[1]]
    window[v[:, None] ** 2 + u[None, :] ** 2 <= reach**2] = 0.0
