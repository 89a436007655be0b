"""Block means: how one pyramid level becomes the next."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.geometry.box import Index3

MOST_VOXELS = 2**15 - 1
"""Voxels of 16 bits whose sum fits 32 bits."""


def mean_pool(image: npt.NDArray[Any], factors: Index3) -> npt.NDArray[Any]:
    """Mean over blocks of `factors` voxels, (z, y, x) to (ceil(z/fz), ceil(y/fy), ceil(x/fx)), same dtype.

    Integers are rounded half up. A partial block at the far end counts its last voxel as often as needed.
    A result voxel depends on its own block alone, so any cut at multiples of `factors` gives the same values.
    """
    if factors == (1, 1, 1):
        return image.copy()
    if math.prod(factors) > MOST_VOXELS:
        raise InputError(f"blocks of {factors} voxels are too large to be summed: pool in several steps")
    shape = [-(-n // f) for n, f in zip(image.shape, factors, strict=True)]
    out = np.empty(shape, dtype=image.dtype)
    if np.issubdtype(image.dtype, np.integer) and image.itemsize > 2:
        means = np.empty(shape, np.float64)
        _float_means(np.ascontiguousarray(image), factors, means)
        out[...] = np.floor(means + 0.5)
    elif np.issubdtype(image.dtype, np.integer):
        _integer_means(np.ascontiguousarray(image), factors, out)
    else:
        _float_means(np.ascontiguousarray(image), factors, out)
    return out


def block_means(image: npt.NDArray[Any], factors: Index3) -> npt.NDArray[np.floating[Any]]:
    """Mean over blocks of `factors` voxels as `mean_pool`, but not rounded.

    float32 of images of up to 16 bits and of float32, else float64: a small difference of large values stays.
    """
    shape = [-(-n // f) for n, f in zip(image.shape, factors, strict=True)]
    short = image.itemsize <= 2 or image.dtype == np.float32
    out: npt.NDArray[np.floating[Any]] = np.empty(shape, dtype=np.float32 if short else np.float64)
    _float_means(np.ascontiguousarray(image), factors, out)
    return out


@numba.njit(nogil=True, cache=True)
def _integer_means(image: npt.NDArray[Any], factors: Index3, out: npt.NDArray[Any]) -> None:
    """Rows are summed at full width first, then along x: both loops run at the speed of memory."""
    fz, fy, fx = factors
    count = np.int32(fz * fy * fx)
    half = count // np.int32(2)
    columns, whole = image.shape[2], image.shape[2] // fx
    row = np.empty(out.shape[2] * fx, np.int32)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            row[:] = 0
            for dz in range(fz):
                for dy in range(fy):
                    line = image[min(z * fz + dz, image.shape[0] - 1), min(y * fy + dy, image.shape[1] - 1)]
                    for x in range(columns):
                        row[x] += np.int32(line[x])
            if whole < out.shape[2]:
                row[columns:] = row[columns - 1]
            if fx == 2 and count in (4, 8):
                shift = 2 if count == 4 else 3
                for x in range(out.shape[2]):
                    out[z, y, x] = (row[2 * x] + row[2 * x + 1] + half) >> shift
            else:
                for x in range(out.shape[2]):
                    total = half
                    for dx in range(fx):
                        total += row[x * fx + dx]
                    out[z, y, x] = total // count


@numba.njit(nogil=True, cache=True)
def _float_means(image: npt.NDArray[Any], factors: Index3, out: npt.NDArray[Any]) -> None:
    fz, fy, fx = factors
    last_z, last_y, last_x = image.shape[0] - 1, image.shape[1] - 1, image.shape[2] - 1
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                total = 0.0
                for dz in range(fz):
                    for dy in range(fy):
                        for dx in range(fx):
                            total += image[min(z * fz + dz, last_z), min(y * fy + dy, last_y), min(x * fx + dx, last_x)]
                out[z, y, x] = total / (fz * fy * fx)
