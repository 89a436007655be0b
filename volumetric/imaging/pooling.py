"""Block means: how one pyramid level becomes the next."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from volumetric.geometry.box import Index3


def mean_pool(image: npt.NDArray[Any], factors: Index3) -> npt.NDArray[Any]:
    """Mean over blocks of `factors` voxels, (z, y, x) to (ceil(z/fz), ceil(y/fy), ceil(x/fx)), same dtype.

    Integers are rounded half up. A partial block at the far end counts its last voxel as often as needed.
    A result voxel depends on its own block alone, so any cut at multiples of `factors` gives the same values.
    """
    short = [(-n) % f for n, f in zip(image.shape, factors, strict=True)]
    if any(short):
        image = np.pad(image, [(0, s) for s in short], mode="edge")
    count = int(np.prod(factors))
    if count == 1:
        return image.copy()
    integer = np.issubdtype(image.dtype, np.integer)
    work = np.uint32 if integer and image.dtype.itemsize <= 2 and image.dtype.kind == "u" else np.float64
    total: npt.NDArray[Any] = np.zeros([n // f for n, f in zip(image.shape, factors, strict=True)], dtype=work)
    for z, y, x in np.ndindex(*factors):
        total += image[z :: factors[0], y :: factors[1], x :: factors[2]]
    if work is np.uint32:
        total = (total + np.uint32(count // 2)) // np.uint32(count)
    else:
        total = np.floor(total / count + 0.5) if integer else total / count
    return total.astype(image.dtype)
