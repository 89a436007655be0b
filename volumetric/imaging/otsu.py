"""Otsu's threshold: where a histogram falls into two classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 256


def otsu_threshold(values: npt.NDArray[Any]) -> float:
    """The value that splits a histogram of 256 bins into the two best separated classes (Otsu 1979).

    Args:
        values: real numbers of any shape, finite, at least one.

    Returns:
        An edge of the histogram: the upper class is what is not below it. Where all values are equal, that value.
    """
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low
    counts, edges = np.histogram(values.astype(np.float64, copy=False), bins=BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = values.size - below
    light = np.cumsum(counts * centres)
    mean_below = light[:-1] / np.maximum(below, 1)
    mean_above = (light[-1] - light[:-1]) / np.maximum(above, 1)
    between = below.astype(np.float64) * above * (mean_below - mean_above) ** 2
    return float(edges[1 + int(between.argmax())])
