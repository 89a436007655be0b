"""A small built-in brain atlas, drawn in code, so that nothing need be downloaded."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.atlas.atlas import Atlas
from volumetric.atlas.ontology import Ontology, Region
from volumetric.atlas.sides import LEFT, RIGHT
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.phantom.anatomy import (
    CEREBRUM,
    CORTEX_AREAS,
    CORTEX_DEPTH,
    HIERARCHY,
    PARTS,
    WHITE_DEPTH,
    Ellipsoid,
)
from volumetric.phantom.fields import texture

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.uint32]

SHAPE = (132, 80, 114)
SPACING_UM = 100.0
ORIENTATION = "asr"

_BLUR = 0.8
"""Voxels of the template's smoothing: borders are soft as in an averaged brain."""

_UNEVEN = 0.12
"""Standard deviation of the brightness within a region: real regions are not flat, and it guides registration."""


@cache
def procedural_atlas() -> Atlas:
    """The built-in atlas: 132 x 80 x 114 voxels of 100 um, orientation asr, 63 drawn regions; always the same."""
    ontology, brightness = _hierarchy()
    ids = {region.acronym: region.region_id for region in ontology.regions}
    a, d, m = _coordinates()
    annotation = np.zeros(SHAPE, dtype=np.uint32)
    _draw_cerebrum(annotation, a, d, m, ids)
    for part in PARTS:
        annotation[_radius(part, a, d, m) < 1] = ids[part.acronym]
    # The fissure between the hemispheres and between the olfactory bulbs.
    annotation[(m < 0.14) & (d < 2.1) & (a < 8.4)] = 0
    annotation[np.broadcast_to((m < 0.12) & (a < 2.4), SHAPE)] = 0
    hemispheres = np.full(SHAPE, RIGHT, dtype=np.uint8)
    hemispheres[:, :, SHAPE[2] // 2 :] = LEFT
    return Atlas(
        name="procedural",
        space=VoxelSpace((SPACING_UM,) * 3),
        orientation=ORIENTATION,
        template=_template(annotation, brightness),
        annotation=annotation,
        hemispheres=hemispheres,
        ontology=ontology,
    )


def coarse_atlas(step: int) -> Atlas:
    """The built-in atlas with every `step`-th voxel along each axis: registered to in less time."""
    atlas, every = procedural_atlas(), (slice(None, None, step),) * 3
    return replace(
        atlas,
        name=f"procedural, every {step}",
        space=VoxelSpace(um3(step * s for s in atlas.space.spacing_um)),
        template=atlas.template[every],
        annotation=atlas.annotation[every],
        hemispheres=atlas.hemispheres[every],
    )


def _hierarchy() -> tuple[Ontology, dict[int, float]]:
    """The regions, ids counted from 1 in listed order, and the brightness of the leaves."""
    regions, brightness, parents = [], {}, dict[int, int]()
    for region_id, line in enumerate(HIERARCHY.strip("\n").splitlines(), start=1):
        depth = (len(line) - len(line.lstrip())) // 2
        acronym, name, *light = (part.strip() for part in line.split("|"))
        hue = np.random.default_rng(region_id).integers(60, 240, 3)
        rgb = (int(hue[0]), int(hue[1]), int(hue[2]))
        regions.append(Region(region_id, acronym, name, parents.get(depth - 1), rgb))
        parents[depth] = region_id
        if light:
            brightness[region_id] = float(light[0])
    return Ontology(tuple(regions)), brightness


def _coordinates() -> tuple[Floats, Floats, Floats]:
    """mm from the front, from the top and from the midline, as broadcastable arrays."""
    a, d, x = ((np.arange(n) + 0.5) * SPACING_UM / 1000 for n in SHAPE)
    m = np.abs(x - SHAPE[2] * SPACING_UM / 2000)
    return a[:, None, None], d[None, :, None], m[None, None, :]


def _radius(part: Ellipsoid, a: Floats, d: Floats, m: Floats) -> Floats:
    """Normalised radius from the middle of an ellipsoid: 1 at its surface."""
    (ca, cd, cm), (ra, rd, rm) = part.centre, part.radii
    radius: Floats = np.sqrt(((a - ca) / ra) ** 2 + ((d - cd) / rd) ** 2 + ((m - cm) / rm) ** 2)
    return radius


def _draw_cerebrum(annotation: Labels, a: Floats, d: Floats, m: Floats, ids: dict[str, int]) -> None:
    """Cortical areas in two layers, white matter under them, caudoputamen as the filling."""
    # The hemispheres narrow to the front and are flatter below than above.
    narrow = m * (1 + 0.16 * np.maximum(4.8 - a, 0))
    flat = np.where(d > CEREBRUM.centre[1], CEREBRUM.centre[1] + 1.15 * (d - CEREBRUM.centre[1]), d)
    radius = _radius(CEREBRUM, a, flat, narrow)
    inside = radius < 1
    lower, upper = CORTEX_DEPTH
    angle = np.degrees(np.arctan2(narrow - CEREBRUM.centre[2], CEREBRUM.centre[1] - flat))
    annotation[inside & (radius < WHITE_DEPTH)] = ids["CP"]
    dorsal = np.abs(angle) < 110
    annotation[inside & (radius >= WHITE_DEPTH)] = ids["cc"]
    annotation[inside & (radius < lower) & ~dorsal] = ids["CP"]
    for area, front, back, start, stop in CORTEX_AREAS:
        here = inside & (a >= front) & (a < back) & (angle >= start) & (angle < stop)
        deep, shallow = (ids.get(area + layer, ids[area]) for layer in "51")
        annotation[here & (radius >= lower)] = deep
        annotation[here & (radius >= upper)] = shallow


def _template(annotation: Labels, brightness: dict[int, float]) -> npt.NDArray[np.uint16]:
    """Regions in their own brightness, uneven inside, softly bordered; symmetric."""
    table = np.zeros(int(annotation.max()) + 1)
    for region_id, light in brightness.items():
        if region_id < len(table):
            table[region_id] = light
    uneven = texture(np.random.default_rng(0), (144, 96, 128), [(5, 5, 5), (2, 2, 2)])
    half = uneven[: SHAPE[0], : SHAPE[1], : SHAPE[2] // 2]
    uneven = np.concatenate([half, half[:, :, ::-1]], axis=2)
    bright = ndimage.gaussian_filter(table[annotation] * (1 + _UNEVEN * uneven), _BLUR)
    return np.asarray(np.rint(np.clip(bright, 0, None) * 400), dtype=np.uint16)
