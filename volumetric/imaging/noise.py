"""The noise of an image, measured where it lies: no dark level and no gain of the camera need be known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_FLAT = 0.2
"""Least noise, as a share of the spread of grey values nearby: smoothed images must not divide by nothing."""


def usual_noise(samples: Sequence[npt.NDArray[Any]]) -> float:
    """Standard deviation of the noise, the median over samples; 0 where none can be measured.

    Args:
        samples: (y, x) grey values of single slices, some tens of pixels wide; those with NaN are left out.
    """
    whole = [sample for sample in samples if min(sample.shape) >= 3 and np.isfinite(sample).all()]
    if not whole:
        return 0.0
    noise, spread = np.median([_noise_and_spread(sample.astype(np.float64)) for sample in whole], axis=0)
    return float(max(noise, _FLAT * spread))


def _noise_and_spread(sample: Floats) -> tuple[float, float]:
    return noise_deviation(sample), deviation(np.abs(sample - np.median(sample)))


def noise_deviation(image: Floats) -> float:
    """Standard deviation of white noise in a 2-D image, blind to smooth structure and robust against edges.

    The Laplacian difference of Immerkaer 1996 (eq. 2: response 36 times the variance) with the median absolute
    deviation in place of the mean.
    """
    a = image[:-2] - 2 * image[1:-1] + image[2:]
    response = a[:, :-2] - 2 * a[:, 1:-1] + a[:, 2:]
    return deviation(np.abs(response)) / 6


def deviation(distances: npt.NDArray[np.floating[Any]]) -> float:
    """Standard deviation of normal values by their distances from the middle.

    The median tells it; where more than half of the distances are 0, as in images of few grey values, the mean.
    """
    middle = float(np.median(distances))
    return 1.4826 * middle if middle > 0 else math.sqrt(math.pi / 2) * float(np.mean(distances))
