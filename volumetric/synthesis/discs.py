"""Discs at random places: the masks that the method's generator learns from (section 2.5.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from volumetric.errors import InputError
from volumetric.synthesis.layout import Layout, circle


@dataclass(frozen=True)
class Discs:
    """A number of discs, uniform within a range for a megapixel, anywhere.

    Args:
        per_mpx: least and largest number in a megapixel.
        radius_px: least and largest radius, uniform between; the method's.
        light: least and largest light, noise levels; its logarithm is uniform between.
    """

    per_mpx: tuple[float, float] = (100.0, 600.0)
    radius_px: tuple[float, float] = (1.0, 8.0)
    light: tuple[float, float] = (5.0, 40.0)

    def __post_init__(self) -> None:
        for name, (low, high) in vars(self).items():
            if not 0 <= low <= high or (name != "per_mpx" and low == 0):
                raise InputError(f"{name} of discs must be a range from low to high above 0, got {low} and {high}")

    def sample(self, shape: tuple[int, int], rng: np.random.Generator) -> Layout:
        """Discs in a tile (y, x)."""
        count = rng.poisson(rng.uniform(*self.per_mpx) * np.prod(shape) / 1e6)
        yx = rng.uniform(-0.5, np.asarray(shape) - 0.5, (count, 2))
        radius = rng.uniform(*self.radius_px, count)
        light = np.exp(rng.uniform(math.log(self.light[0]), math.log(self.light[1]), count))
        outlines = tuple(circle(place, r) for place, r in zip(yx, radius.tolist(), strict=True))
        return Layout(yx, radius, light, outlines)
