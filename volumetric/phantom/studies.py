"""Studies with known truth: counts of two groups of brains whose regions differ by known factors, or not at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LARGEST_MEAN = 1e4
EMPTY_SHARE = 0.08
"""Of the regions, those without labelled cells."""


@dataclass(frozen=True)
class Variation:
    """How brains of one group differ, as standard deviations of natural logarithms.

    Args:
        shared: of a brain's labelling efficiency, common to all its regions.
        regional: of each region of a brain, on average over regions.
        heterogeneity: of the regional variation itself: some regions vary more than others.
        volume: of a region's volume.
    """

    shared: float = 0.2
    regional: float = 0.25
    heterogeneity: float = 0.3
    volume: float = 0.06


@dataclass(frozen=True)
class Study:
    """Two groups of brains.

    Args:
        counts: (n_brains, n_regions) whole numbers as float64.
        volume_mm3: (n_brains, n_regions).
        group: (n_brains,) 0 for the reference, 1 for the other.
        change: (n_regions,) true factor between the groups' densities, 1 where nothing changes.
    """

    counts: Floats
    volume_mm3: Floats
    group: npt.NDArray[np.int64]
    change: Floats

    @property
    def density_per_mm3(self) -> Floats:
        """(n_brains, n_regions)."""
        return self.counts / self.volume_mm3


def region_means(rng: np.random.Generator, n_regions: int) -> Floats:
    """Expected counts of an atlas level: from none to 10,000, log-normal around 300, some regions empty."""
    means = np.minimum(rng.lognormal(np.log(300), 1.8, n_regions), LARGEST_MEAN)
    means[rng.random(n_regions) < EMPTY_SHARE] = 0.0
    return means


def simulate_study(
    rng: np.random.Generator,
    means: Floats,
    *,
    per_group: int = 6,
    variation: Variation | None = None,
    change: Floats | None = None,
) -> Study:
    """Counts that vary as brains do: a factor of the brain, one of each of its regions, and chance (Poisson).

    Args:
        rng: the only source of chance.
        means: (n_regions,) expected counts in the reference group.
        per_group: brains in each of the two groups.
        variation: between brains.
        change: (n_regions,) factor of the second group; none by default.
    """
    vary = variation or Variation()
    factor = np.ones_like(means) if change is None else change
    group = np.repeat([0, 1], per_group)
    size = (len(group), len(means))
    regional = vary.regional * _unit_mean(rng, vary.heterogeneity, (1, len(means)))
    efficiency = _unit_mean(rng, vary.shared, (len(group), 1)) * _unit_mean(rng, regional, size)
    volume = means.mean() / 1e3 * _unit_mean(rng, vary.volume, size)
    expected = means * np.where(group[:, None] == 1, factor, 1.0) * efficiency * volume / volume.mean(axis=0)
    return Study(rng.poisson(expected).astype(np.float64), volume, group, factor)


def _unit_mean(rng: np.random.Generator, sd: float | Floats, size: tuple[int, int]) -> Floats:
    """Log-normal factors whose expectation is one."""
    factors: Floats = np.exp(rng.normal(0.0, 1.0, size) * sd - np.square(sd) / 2)
    return factors
