"""Layouts as the method has them: a few clusters, some of them lines, at random places (its section 2.5.3 (1)).

It says neither how many cells a tile has nor how bright they are; defaults are for tiles of 500 px in which cells have
a radius of some 5 px. On other tiles the number of clusters stays: their extent grows with the tile's edge, and the
number of cells with its area. Cells stay as large as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import truncnorm

from volumetric.errors import InputError
from volumetric.synthesis.layout import Layout, outline, without_contained

Floats = npt.NDArray[np.float64]

USUAL_PX = 500
"""Edge of the tiles that settings are for."""

LINE_SPREADS = 2.0
"""Half the length of a line, in spreads of a cluster: lines and clouds are about as long."""


@dataclass(frozen=True)
class MethodLayout:
    """The method's sampler of layouts.

    Args:
        clusters: fewest and most of them in a tile.
        cells: mean, standard deviation, least and most of the cells of a tile of 500 px, before any is rejected.
        spread_px: standard deviation of cells around their cluster's centre, along each axis, in a tile of 500 px.
        lines: chance that a cluster is a line.
        across_px: standard deviation of cells across their line, in a tile of 500 px.
        radius_px: mean, standard deviation, least and most.
        light: least and most, in noise levels; the logarithm is uniform between.

    Raises `InputError` for settings that cannot be.
    """

    clusters: tuple[int, int] = (3, 6)
    cells: tuple[float, float, float, float] = (60.0, 25.0, 5.0, 150.0)
    spread_px: float = 40.0
    lines: float = 0.3
    across_px: float = 4.0
    radius_px: tuple[float, float, float, float] = (5.0, 1.5, 2.0, 9.0)
    light: tuple[float, float] = (3.0, 30.0)

    def __post_init__(self) -> None:
        for name in ("cells", "radius_px"):
            _, deviation, least, most = getattr(self, name)
            if not (deviation > 0 and 0 <= least < most):
                raise InputError(
                    f"{name} is a mean, a standard deviation above 0, a least and a most that is greater; "
                    f"got {getattr(self, name)}"
                )
        if not (1 <= self.clusters[0] <= self.clusters[1] and 0 < self.light[0] <= self.light[1]):
            raise InputError(
                "clusters are from one on, light is above 0, and the least comes first; "
                f"got {self.clusters} and {self.light}"
            )
        if not (0 <= self.lines <= 1 and min(self.spread_px, self.across_px) >= 0 and self.radius_px[2] > 0):
            raise InputError(
                "a share of lines is 0 to 1, spreads are not below 0 and radii above 0; "
                f"got {self.lines}, {self.spread_px}, {self.across_px} and {self.radius_px}"
            )

    def sample(self, shape: tuple[int, int], rng: np.random.Generator) -> Layout:
        """A layout for a tile (y, x)."""
        mean, deviation, least, most = self.cells
        drawn = np.clip(rng.normal(mean, deviation), least, most)
        return self.of_cells(round(drawn * shape[0] * shape[1] / USUAL_PX**2), shape, rng)

    def of_cells(self, count: int, shape: tuple[int, int], rng: np.random.Generator) -> Layout:
        """A layout of so many cells, less those that lie wholly within others."""
        places = self.places(count, shape, rng)
        radius = _truncated(self.radius_px, count, rng)
        least, most = np.log(self.light)
        light = np.exp(rng.uniform(least, most, count))
        size = np.asarray(shape, dtype=np.float64)
        # A tile too small for a cell's margins has it in the middle.
        margin = np.minimum(radius[:, None], size / 2)
        places = np.clip(places, margin - 0.5, size - 0.5 - margin)
        outlines = tuple(outline(yx, float(r), rng) for yx, r in zip(places, radius, strict=True))
        return without_contained(Layout(places, radius, light, outlines), shape)

    def places(self, count: int, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
        """(count, 2) y, x, before the margins."""
        scale = np.sqrt(shape[0] * shape[1]) / USUAL_PX
        clusters = int(rng.integers(self.clusters[0], self.clusters[1] + 1))
        centres = rng.uniform(-0.5, np.asarray(shape) - 0.5, (clusters, 2))
        counts = rng.multinomial(count, np.full(clusters, 1 / clusters))
        lines = rng.random(clusters) < self.lines
        spread, across = self.spread_px * scale, self.across_px * scale
        found = [
            centre + (_line(n, LINE_SPREADS * spread, across, rng) if line else rng.normal(0, spread, (n, 2)))
            for centre, n, line in zip(centres, counts.tolist(), lines, strict=True)
        ]
        return np.concatenate(found)


def _line(count: int, half_px: float, across_px: float, rng: np.random.Generator) -> Floats:
    """(count, 2) at equal steps along a random direction, scattered across it, around 0."""
    angle = rng.uniform(0, np.pi)
    along = np.asarray([np.sin(angle), np.cos(angle)])
    normal = np.asarray([along[1], -along[0]])
    step = np.linspace(-half_px, half_px, count) if count > 1 else np.zeros(count)
    places: Floats = step[:, None] * along + rng.normal(0, across_px, (count, 1)) * normal
    return places


def _truncated(given: tuple[float, float, float, float], count: int, rng: np.random.Generator) -> Floats:
    mean, deviation, least, most = given
    low, high = (least - mean) / deviation, (most - mean) / deviation
    drawn: Floats = truncnorm.rvs(low, high, mean, deviation, size=count, random_state=rng)
    return drawn
