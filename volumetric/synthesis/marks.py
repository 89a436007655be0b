"""How large and how bright the cells of real planes are, and how both go together.

Of each cell the medians on circles around its centre make a profile: neighbours, vessels and noise hardly move it. Its
lowest part is the cell's surroundings, light is how far the middle stands above, and the radius is where the
profile falls to half. All are from one plane: a cell cut off its middle is smaller and dimmer, as it is in a plane.
Limits: a centre annotated off the cell's middle makes it look wider; what is brighter than the scale's end
(`scale.HIGHEST`) is cut off there; the lowest of several medians is a little below the true surroundings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates
from scipy.stats import spearmanr

from volumetric.errors import InputError
from volumetric.synthesis.scale import levels

Floats = npt.NDArray[np.float64]

LARGEST_PX, STEP_PX, ANGLES = 16.0, 0.5, 32
"""Radius of the largest circle, between circles, and places on each."""

MIDDLE_PX, RING_PX = 1.0, 2.0
"""Radius of the middle, and width of the rings of which the lowest is the surroundings."""

LEAST_LIGHT = 1.0
"""Noise levels below which a cell has no radius."""

LEAST_CELLS = 10
ENDS = (0.005, 0.995)
"""Quantiles of measured cells beyond which none are made."""


@dataclass(frozen=True)
class Marks:
    """Radius and light of cells, jointly log-normal.

    Args:
        mean: of the logarithms of radius (px) and light (noise levels).
        deviation: of the same.
        correlation: of the same.
        radius_px: least and most.
        light: least and most.

    Raises `InputError` for numbers that make no distribution.
    """

    mean: tuple[float, float]
    deviation: tuple[float, float]
    correlation: float
    radius_px: tuple[float, float]
    light: tuple[float, float]

    def __post_init__(self) -> None:
        numbers = [*self.mean, *self.deviation, self.correlation, *self.radius_px, *self.light]
        fine = len(numbers) == 9 and bool(np.all(np.isfinite(np.asarray(numbers, dtype=np.float64))))
        if not (
            fine
            and min(self.deviation) >= 0
            and abs(self.correlation) <= 1
            and 0 < self.radius_px[0] <= self.radius_px[1]
            and 0 < self.light[0] <= self.light[1]
        ):
            raise InputError(f"sizes and lights of cells are finite, above 0, the least first; got {numbers}")

    @property
    def diameter_px(self) -> float:
        """Of a usual cell, at half height."""
        return float(2 * np.exp(self.mean[0]))

    def sample(self, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Radius px and light of cells, both (count,)."""
        one, two = rng.standard_normal((2, count))
        two = self.correlation * one + np.sqrt(1 - self.correlation**2) * two
        radius, light = (np.exp(m + d * z) for m, d, z in zip(self.mean, self.deviation, (one, two), strict=True))
        return np.clip(radius, *self.radius_px), np.clip(light, *self.light)


def measure(plane: npt.NDArray[np.float32], cells: Floats) -> Floats:
    """Radius px and light of the cells of a plane, (n, 2); NaN where a cell does not stand out.

    Args:
        plane: (Y, X) 0 to 1 on the scale `contrast`.
        cells: (n, 2) y, x.
    """
    if not len(cells):
        return np.zeros((0, 2))
    radii: Floats = np.arange(0, LARGEST_PX + STEP_PX / 2, STEP_PX, dtype=np.float64)
    angles = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    circle = radii[:, None, None] * np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    places = cells[:, None, None] + circle  # (n, radii, angles, 2)
    last = np.asarray(plane.shape) - 1
    above = map_coordinates(levels(plane), np.moveaxis(np.clip(places, 0, last), -1, 0), order=1)
    above = np.where(np.all((places >= 0) & (places <= last), axis=-1), above, np.nan)
    return np.asarray([_measured(radii, one) for one in above])


def _measured(radii: Floats, above: npt.NDArray[np.floating]) -> tuple[float, float]:
    """Of one cell: its light on circles, (radii, angles)."""
    seen = np.isfinite(above).any(axis=1)
    profile, radii = np.nanmedian(above[seen], axis=1), radii[seen]
    rings = [
        float(np.median(profile[(radii >= inner) & (radii < inner + RING_PX)]))
        for inner in np.arange(RING_PX, radii[-1] - RING_PX + 1e-6, RING_PX)
    ]
    if not rings:
        return np.nan, np.nan
    surroundings = min(rings)
    light = float(np.median(profile[radii <= MIDDLE_PX])) - surroundings
    below = np.flatnonzero((profile < surroundings + light / 2) & (radii > MIDDLE_PX))
    if light < LEAST_LIGHT or not len(below):
        return np.nan, np.nan
    k = int(below[0])
    inner, outer = profile[k - 1] - surroundings - light / 2, surroundings + light / 2 - profile[k]
    share = max(inner, 0.0) / (max(inner, 0.0) + outer)
    return float(radii[k - 1] + share * (radii[k] - radii[k - 1])), light


def fit_marks(measured: Floats) -> Marks:
    """From radius and light of cells, (n, 2); NaN is left out; raises `InputError` for fewer than `LEAST_CELLS`.

    Medians, median absolute deviations and rank correlation: neither a few wrong cells nor cut off lights count.
    """
    known = measured[np.all(np.isfinite(measured), axis=1)]
    if len(known) < LEAST_CELLS:
        raise InputError(
            f"{len(known)} of {len(measured)} cells stand out from their surroundings: expected at least {LEAST_CELLS} "
            "to tell how large and bright cells are. Are the cells those of these images?"
        )
    logs = np.log(known)
    mean = np.median(logs, axis=0)
    deviation = 1.4826 * np.median(np.abs(logs - mean), axis=0)
    ranks = float(spearmanr(logs[:, 0], logs[:, 1]).statistic) if np.all(np.ptp(logs, axis=0) > 0) else 0.0
    (r0, l0), (r1, l1) = np.quantile(known, ENDS, axis=0).tolist()
    return Marks(
        (float(mean[0]), float(mean[1])),
        (float(deviation[0]), float(deviation[1])),
        float(2 * np.sin(np.pi * ranks / 6)),  # of normal variables (Pearson 1907)
        (r0, r1),
        (l0, l1),
    )
