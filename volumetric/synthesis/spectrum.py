"""Radially averaged power spectra: how much of a plane's light varies at which scale."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.signal.windows import hann

Floats = npt.NDArray[np.float64]

GRAIN = 1 / (12 * 255**2)
"""Power of the rounding to 8 bits, values 0 to 1: planes are not told apart below it."""

BANDS = 8
"""Of the frequencies, for the classifier."""


def radial_power(stack: npt.NDArray[np.float32]) -> Floats:
    """Power of each plane at 1, 2, ... half its edge cycles a plane, (n, edge // 2).

    Planes (n, edge, edge) are brought to a mean of 0 and faded out to their rims (Hann), since the two sides of a tile
    do not meet. Power is so scaled that white noise has its variance at every frequency. The mean over rings one
    frequency wide; corners beyond half the edge are left out. The slowest loses about a quarter with the mean.
    """
    edge = stack.shape[-1]
    fade = np.outer(hann(edge, sym=False), hann(edge, sym=False))
    cycles = np.fft.fftfreq(edge, 1 / edge)
    ring = np.rint(np.hypot.outer(cycles, cycles)).astype(np.int64)
    inside = (ring >= 1) & (ring <= edge // 2)
    size = np.bincount(ring[inside], minlength=edge // 2 + 1)[1:]
    power = np.zeros((len(stack), edge // 2))
    for number, plane in enumerate(stack.astype(np.float64)):
        level = np.average(plane, weights=fade)
        waves = np.abs(np.fft.fft2((plane - level) * fade)) ** 2 / (fade**2).sum()
        power[number] = np.bincount(ring[inside], waves[inside], edge // 2 + 1)[1:] / size
    return power


def log_power(power: Floats) -> Floats:
    """log10, not below the grain of 8-bit images; any shape."""
    logarithm: Floats = np.log10(np.maximum(power, GRAIN))
    return logarithm


def log_power_mae(one: Floats, other: Floats) -> float:
    """Mean over frequencies of how far log10 of the mean power lies apart; (n, k) and (m, k) of `radial_power`."""
    return float(np.mean(np.abs(log_power(one.mean(axis=0)) - log_power(other.mean(axis=0)))))


def bands(power: Floats) -> Floats:
    """Mean log10 power of at most BANDS bands of frequencies, each as wide as the next in octaves, (n, bands)."""
    count = power.shape[1]
    edges = np.unique(np.rint(np.geomspace(1, count + 1, BANDS + 1)).astype(np.int64)) - 1
    logarithm = log_power(power)
    return np.column_stack([logarithm[:, a:b].mean(axis=1) for a, b in pairwise(edges)])
