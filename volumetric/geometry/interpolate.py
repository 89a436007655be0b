"""Many points at once, compiled: moved by a smooth field, or looked up in an array of labels.

A field's three components lie together in memory, where a point far from the last one finds all of them at once.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from volumetric.geometry.space import Points, VoxelSpace


def displaced(
    points_um: Points, affine: npt.NDArray[np.float64], field_um: npt.NDArray[np.float32], grid: VoxelSpace
) -> Points:
    """`A p + t + u(p)` of (n, 3) points, u trilinear.

    Args:
        points_um: float64.
        affine: (3, 4), `[A | t]`.
        field_um: (Z, Y, X, 3) float32, u at the grid's points; beyond them that of the nearest.
        grid: where they lie.
    """
    out = np.empty((len(points_um), 3))
    _displaced(np.ascontiguousarray(points_um), affine, field_um, _as_rows(grid), out)
    return out


def nearest(labels: npt.NDArray[Any], points_um: Points, space: VoxelSpace) -> npt.NDArray[Any]:
    """The label of the voxel that each of (n, 3) points lies in; 0 outside the (Z, Y, X) array."""
    out = np.zeros(len(points_um), dtype=labels.dtype)
    _nearest(labels, np.ascontiguousarray(points_um), _as_rows(space), out)
    return out


def _as_rows(space: VoxelSpace) -> npt.NDArray[np.float64]:
    return np.array([space.origin_um, space.spacing_um])


@numba.njit(nogil=True, cache=True)
def _displaced(
    points: Points,
    affine: npt.NDArray[np.float64],
    field: npt.NDArray[np.float32],
    space: npt.NDArray[np.float64],
    out: Points,
) -> None:  # pragma: no cover - compiled
    last = np.array([field.shape[0] - 1, field.shape[1] - 1, field.shape[2] - 1])
    low, high, share = np.empty(3, np.int64), np.empty(3, np.int64), np.empty(3)
    for n in range(points.shape[0]):
        for axis in range(3):
            at = (points[n, axis] - space[0, axis]) / space[1, axis]
            at = at if at > 0 else 0.0  # NaN too
            at = min(at, float(last[axis]))
            low[axis] = int(at)
            high[axis] = min(low[axis] + 1, last[axis])
            share[axis] = at - low[axis]
        fz, fy, fx = share
        for c in range(3):
            near = (1 - fy) * (
                (1 - fx) * field[low[0], low[1], low[2], c] + fx * field[low[0], low[1], high[2], c]
            ) + fy * ((1 - fx) * field[low[0], high[1], low[2], c] + fx * field[low[0], high[1], high[2], c])
            far = (1 - fy) * (
                (1 - fx) * field[high[0], low[1], low[2], c] + fx * field[high[0], low[1], high[2], c]
            ) + fy * ((1 - fx) * field[high[0], high[1], low[2], c] + fx * field[high[0], high[1], high[2], c])
            moved = (1 - fz) * near + fz * far
            straight = affine[c, 3]
            for axis in range(3):
                straight += affine[c, axis] * points[n, axis]
            out[n, c] = straight + moved


@numba.njit(nogil=True, cache=True)
def _nearest(
    labels: npt.NDArray[Any],
    points: Points,
    space: npt.NDArray[np.float64],
    out: npt.NDArray[Any],
) -> None:  # pragma: no cover - compiled
    index = np.empty(3, np.int64)
    for n in range(points.shape[0]):
        inside = True
        for axis in range(3):
            at = (points[n, axis] - space[0, axis]) / space[1, axis] + 0.5
            inside = inside and at >= 0 and at < labels.shape[axis]
            index[axis] = int(at) if inside else 0
        if inside:
            out[n] = labels[index[0], index[1], index[2]]
