"""A few figures of each plane: its light and its texture (section 3.4 of the method), in grey values 0 to 255."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float64]

WHITE = 255.0

FEATURES = ("mean", "contrast", "laplacian_variance", "gradient", "entropy")
"""Mean and standard deviation; variance of the Laplacian; mean length of the gradient, a pixel; bits of 256 greys."""


def texture(stack: npt.NDArray[np.float32]) -> Floats:
    """The FEATURES of each plane, (n, 5), of a stack (n, Y, X) 0 to 1.

    Laplacian: the four neighbours less four times the pixel. Gradient: half the difference of the neighbours on either
    side. Entropy: Shannon's, of the plane rounded to 8 bits.
    """
    return np.array([_of_plane(plane.astype(np.float64) * WHITE) for plane in stack]).reshape(-1, len(FEATURES))


def _of_plane(grey: Floats) -> tuple[float, ...]:
    down, across = np.gradient(grey)
    return (
        float(grey.mean()),
        float(grey.std()),
        float(ndimage.laplace(grey).var()),
        float(np.hypot(down, across).mean()),
        _entropy(grey),
    )


def _entropy(grey: Floats) -> float:
    counts = np.bincount(np.floor(np.clip(grey, 0, WHITE) + 0.5).astype(np.int64).ravel())
    share = counts[counts > 0] / grey.size
    return float(-(share * np.log2(share)).sum()) + 0.0
