"""From atlas labels to a sample: on a coarse grid, and at any point at full resolution.

A label volume at the sample's own resolution is never made: the smooth map carries each point to the atlas
and the nearest atlas voxel names its region.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.atlas.atlas import Atlas
from volumetric.atlas.ontology import RegionIds
from volumetric.geometry.field_of_view import Exclusion
from volumetric.geometry.space import Points
from volumetric.geometry.transform import SmoothMap

CHUNK = 1_000_000
"""Points mapped at once: some 150 MB of temporaries."""


@dataclass(frozen=True)
class Assignment:
    """Where points lie in the atlas; `region_id` is 0 outside the annotated brain.

    Args:
        region_id: (n,), of the type of the atlas' annotation.
        hemisphere: (n,) uint8, 1 left, 2 right, 0 outside the atlas' array.
        atlas_um: (n, 3) float64.
        left_out: (n,) bool, in the annotated brain but excluded.
    """

    region_id: RegionIds
    hemisphere: npt.NDArray[np.uint8]
    atlas_um: Points
    left_out: npt.NDArray[np.bool_]

    @property
    def in_atlas(self) -> npt.NDArray[np.bool_]:
        inside: npt.NDArray[np.bool_] = self.region_id > 0
        return inside


def assign(
    points_um: npt.ArrayLike, sample_to_atlas: SmoothMap, atlas: Atlas, exclusion: Exclusion | None = None
) -> Assignment:
    """Region, side and atlas position of (n, 3) sample points in um; nearest atlas voxel.

    Points in excluded tissue have region 0: what is left out of the volumes is left out of the counts.
    """
    points = np.asarray(points_um, dtype=np.float64).reshape(-1, 3)
    found = Assignment(
        np.zeros(len(points), atlas.annotation.dtype),
        np.zeros(len(points), np.uint8),
        np.empty((len(points), 3)),
        np.zeros(len(points), np.bool_),
    )
    for start in range(0, len(points), CHUNK):
        part = slice(start, start + CHUNK)
        found.atlas_um[part] = sample_to_atlas(points[part])
        found.region_id[part], found.hemisphere[part] = atlas.lookup(found.atlas_um[part])
        if exclusion is not None:
            found.left_out[part] = exclusion.at(points[part]) & (found.region_id[part] > 0)
            found.region_id[part][found.left_out[part]] = 0
    return found


def labels_on_grid(sample_to_atlas: SmoothMap, atlas: Atlas) -> tuple[RegionIds, npt.NDArray[np.uint8]]:
    """Region ids and hemispheres at the map's own grid points in the sample: two (Z, Y, X) arrays."""
    shape = sample_to_atlas.displacement_um.shape[1:]
    atlas_um = sample_to_atlas.on_grid()
    region, side = np.zeros(shape, atlas.annotation.dtype), np.zeros(shape, np.uint8)
    for z in range(shape[0]):
        ids, sides = atlas.lookup(atlas_um[:, z].reshape(3, -1).T.astype(np.float64))
        region[z], side[z] = ids.reshape(shape[1:]), sides.reshape(shape[1:])
    return region, side
