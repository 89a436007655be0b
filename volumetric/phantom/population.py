"""The cells of a phantom brain: how dense every region is, where its cells lie, how large they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.atlas.atlas import Atlas
from volumetric.atlas.ontology import Ontology
from volumetric.atlas.sides import LEFT, RIGHT
from volumetric.errors import InputError
from volumetric.geometry.space import Points, Um3
from volumetric.geometry.transform import SmoothMap
from volumetric.phantom.placement import keep_apart, neighbours_of

Array = npt.NDArray[np.float64]

RADIUS_UM = (5.0, 10.0)
"""Lateral radii: 2.5 to 5 px of 2 um."""

HALF_UM = (5.0, 10.0)
"""Half heights: 2 to 4 slices of 5 um."""

_CLUSTERED = 0.12
"""Share of the cells that are placed beside another one."""

_DENSEST = 2.5
"""Largest density relative to the mean: more would not fit."""


@dataclass(frozen=True)
class Placed:
    """Places and sizes of n cells, in um of the sample."""

    centres_um: Points
    radius_um: Array
    half_um: Array


def region_densities(rng: np.random.Generator, ontology: Ontology) -> dict[int, tuple[float, float]]:
    """Relative density (left, right) of every region: log-normal, some nearly empty, a third of them one-sided.

    Fibre tracts are sparse and ventricles empty; they are known by the names atlases give them.
    """
    density = {}
    for region in ontology.regions:
        base = float(np.clip(rng.lognormal(-0.3, 0.8), 0.05, _DENSEST))
        base *= 0.03 if rng.random() < 0.08 else 1.0
        lean = float(np.exp(rng.uniform(-0.5, 0.5))) if rng.random() < 0.35 else 1.0
        above = [region, *(ontology[i] for i in ontology.ancestors(region.region_id))]
        names = {text.lower() for r in above for text in (r.acronym, r.name)}
        if names & {"fiber tracts", "fibre tracts"}:
            base = 0.06
        if names & {"vs", "ventricular systems", "ventricles"}:
            base = 0.0
        density[region.region_id] = (base * lean, base / lean)
    return density


def place_cells(
    rng: np.random.Generator, atlas: Atlas, smooth: SmoothMap, extent_um: Um3, cells_per_mm3: float
) -> Placed:
    """Cells of a sample volume by the densities of the atlas' regions.

    Args:
        rng: the only source of chance.
        atlas: at the sample's scale.
        smooth: um of the sample to um of the atlas.
        extent_um: of the sample volume.
        cells_per_mm3: mean density over the annotated brain, in the sample, before overlapping cells are left out.

    Raises:
        InputError: no cell at all fell into the brain.
    """
    densities = region_densities(rng, atlas.ontology)
    ids, row = np.unique(atlas.annotation, return_inverse=True)
    table = np.zeros((len(ids), 3))
    for i, region_id in enumerate(ids.tolist()):
        if region_id:
            table[i, [LEFT, RIGHT]] = densities[region_id]
    weights = table[row.reshape(-1), atlas.hemispheres.reshape(-1)]
    inside = weights[atlas.annotation.reshape(-1) > 0]
    table /= inside.mean()

    def wanted(points: Points) -> Array:
        region, side = atlas.lookup(smooth(points))
        return np.where(region > 0, table[np.searchsorted(ids, region), side], 0.0)

    densest = float(table.max())
    trials = rng.poisson(cells_per_mm3 * densest * float(np.prod(extent_um)) * 1e-9)
    points = rng.random((trials, 3)) * extent_um
    points = points[rng.random(trials) * densest < (1 - _CLUSTERED) * wanted(points)]
    n = len(points)
    daughters = np.flatnonzero(rng.random(n) < _CLUSTERED / (1 - _CLUSTERED))
    radius = rng.uniform(*RADIUS_UM, n + len(daughters))
    half = rng.uniform(*HALF_UM, n + len(daughters))
    near = neighbours_of(rng, points[daughters], radius[daughters], half[daughters])
    centres = np.concatenate([points, near])
    kept = keep_apart(centres, radius, half) & (wanted(centres) > 0)
    if not kept.any():
        raise InputError(
            f"no cell falls into this phantom brain of {cells_per_mm3:g} cells per mm^3; raise the density or the scale"
        )
    return Placed(centres[kept], radius[kept], half[kept])
