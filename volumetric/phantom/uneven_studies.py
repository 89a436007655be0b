"""Studies without a difference between groups, of brains as they come: stained, cut and imaged unevenly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from volumetric.phantom.studies import region_means
from volumetric.statistics.dataset import HEMISPHERES
from volumetric.statistics.imaged import BOTH, LEFT, RIGHT

Floats = npt.NDArray[np.float64]

BEYOND = 0.03
"""Share of the other side that is seen where one was imaged."""

SMALLEST_SEEN = 1e-3
"""Coverage below it is none."""


@dataclass(frozen=True)
class Uneven:
    """How brains differ whatever their group; standard deviations are of natural logarithms.

    Args:
        staining: of a brain's labelling, common to all its regions.
        gradient: of the labelling of the last region against the first: the depth to which a stain reaches.
        regional: of each region of a brain.
        sides: of either side of a region, the same in all brains, and again as much in each.
        cut: share of the brains of which an end is missing, at most a quarter of the brain.
        torn: share of the regions of a brain of which a part is missing.
        within: between a part of a region and all of it, where nearly nothing is left of it.
        halves: share of the brains of which one side was imaged, by chance the left or the right.
    """

    staining: float = 0.2
    gradient: float = 0.0
    regional: float = 0.25
    sides: float = 0.05
    cut: float = 0.0
    torn: float = 0.0
    within: float = 0.3
    halves: float = 0.0


def uneven_study(
    rng: np.random.Generator, uneven: Uneven, *, n_regions: int = 200, per_group: int = 6
) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Two groups of brains that differ by chance alone.

    Args:
        rng: the only source of chance.
        uneven: how brains differ.
        n_regions: of one level, none of which holds another, in order from front to back.
        per_group: brains in each group; the first half of the brains is one.

    Returns:
        What `compare_groups` reads of a study dataset, and of each brain the side that was imaged.
    """
    brains = 2 * per_group
    imaged = tuple(str(rng.choice([LEFT, RIGHT])) if half else BOTH for half in rng.random(brains) < uneven.halves)
    seen = _coverage(rng, uneven, imaged, n_regions)
    place = np.linspace(-0.5, 0.5, n_regions)
    size = (brains, n_regions, 2)
    log_density = (
        rng.normal(0, uneven.staining, (brains, 1, 1))
        + rng.normal(0, uneven.gradient, (brains, 1, 1)) * place[None, :, None]
        + rng.normal(0, uneven.regional, (brains, n_regions, 1))
        + rng.normal(0, uneven.sides, (1, n_regions, 2))
        + rng.normal(0, uneven.sides, size)
        + rng.normal(0, 1, size) * uneven.within * (1 - seen)
    )
    means = region_means(rng, n_regions)[None, :, None] / 2
    volume = 0.1 * np.exp(rng.normal(0, 0.06, (brains, n_regions, 1))) * seen
    counts = rng.poisson(means * np.exp(log_density) * volume / 0.1)
    return _dataset(
        _with_both(counts.astype(np.float64)), _with_both(volume), _with_both(seen) / [1, 1, 2], imaged
    ), imaged


def _coverage(rng: np.random.Generator, uneven: Uneven, imaged: tuple[str, ...], n_regions: int) -> Floats:
    """(n_brains, n_regions, 2) of the left and the right side."""
    front = np.linspace(0, 1, n_regions)[None, :]
    length = rng.uniform(0.02, 0.1, (1, n_regions))
    ends = np.where(rng.random((len(imaged), 2)) < uneven.cut / 2, rng.uniform(0, 0.25, (len(imaged), 2)), 0.0)
    kept = np.minimum(front + length, 1 - ends[:, 1:] + length * (ends[:, 1:] == 0)) - np.maximum(front, ends[:, :1])
    seen = np.clip(kept / length, 0, 1)[:, :, None] * np.ones(2)
    torn = rng.random(seen.shape) < uneven.torn
    seen = np.where(torn, seen * rng.uniform(0.1, 1, seen.shape), seen)
    for brain, side in enumerate(imaged):
        if side != BOTH:
            seen[brain, :, int(side == LEFT)] *= BEYOND
    return np.where(seen < SMALLEST_SEEN, 0.0, seen)


def _with_both(values: Floats) -> Floats:
    """Left, right, and their sum."""
    return np.concatenate([values, values.sum(axis=2, keepdims=True)], axis=2)


def _dataset(counts: Floats, volume: Floats, seen: Floats, imaged: tuple[str, ...]) -> xr.Dataset:
    ids = np.arange(1, counts.shape[1] + 1)
    variables = {"count": counts, "volume_mm3": volume, "coverage": seen}
    return xr.Dataset(
        {name: (("brain", "region", "hemisphere"), values) for name, values in variables.items()},
        coords={
            "brain": [f"m{i}" for i in range(len(counts))],
            "region": ids,
            "hemisphere": list(HEMISPHERES),
            "imaged": ("brain", list(imaged)),
            "acronym": ("region", [f"r{i}" for i in ids]),
            "name": ("region", [f"region {i}" for i in ids]),
            "depth": ("region", np.ones(len(ids), dtype=np.int64)),
        },
    )
