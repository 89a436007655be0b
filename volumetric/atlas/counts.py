"""Cells and volumes of every region of the atlas, on each side of the brain.

Arrays of shape (n_regions, 2) are in the order of `ontology.regions`; column 0 is left, column 1 right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from volumetric.atlas.atlas import Atlas
from volumetric.atlas.expected import expected_counts
from volumetric.atlas.ontology import Ontology
from volumetric.atlas.sides import LEFT, RIGHT
from volumetric.atlas.tally import place, tally_placed
from volumetric.errors import InputError
from volumetric.geometry.field_of_view import FieldOfView
from volumetric.geometry.orientation import Side
from volumetric.geometry.transform import SmoothMap
from volumetric.points.expected import CountModel

EXPECTED = ("expected", "expected_low", "expected_high")

AS_SAID = CountModel()

COLUMNS = (
    "region_id",
    "acronym",
    "name",
    "parent_id",
    "depth",
    "hemisphere",
    "count_own",
    "count",
    *EXPECTED,
    "volume_own_mm3",
    "volume_mm3",
    "coverage",
    "density_per_mm3",
)


@dataclass(frozen=True)
class Extent:
    """How much of each region was imaged; own voxels only, without descendants.

    Args:
        volume_mm3: (n_regions, 2) float64, measured in the sample.
        imaged_vox: (n_regions, 2) int64, the atlas voxels whose place in the sample was imaged.
        atlas_vox: (n_regions, 2) int64, all of the region's atlas voxels.
    """

    volume_mm3: npt.NDArray[np.float64]
    imaged_vox: npt.NDArray[np.int64]
    atlas_vox: npt.NDArray[np.int64]


def measure_extent(
    atlas: Atlas,
    atlas_to_sample: SmoothMap,
    field_of_view: FieldOfView,
    seen: npt.NDArray[np.bool_] | None = None,
    side: Side = "both",
) -> Extent:
    """Volumes in the sample and the imaged share of the atlas.

    A voxel of the atlas counts where its centre lies in the field of view, with its volume in the sample: its own times
    the map's Jacobian determinant. Its centre may lie just outside while a cell in it lies inside; a region of which
    no other voxel was imaged has the voxels in which cells were seen.

    Laws: a map that enlarges by s gives s^3 of the atlas' volumes; no region (and side) with a cell is empty.

    Args:
        atlas: the atlas; `atlas_to_sample` must be on its grid.
        atlas_to_sample: um to um.
        field_of_view: what was imaged and is not excluded, sample um.
        seen: (Z, Y, X), the atlas voxels in which cells were found.
        side: the side that is counted, where the other was not imaged.

    Raises `InputError` where the map's grid is not the atlas' own.
    """
    if atlas_to_sample.displacement_um.shape[1:] != atlas.shape or atlas_to_sample.grid != atlas.space:
        raise InputError(
            f"the atlas-to-sample map must lie on the grid of atlas {atlas.name!r}, {atlas.shape} voxels of "
            f"{atlas.space.spacing_um} um; it has {atlas_to_sample.displacement_um.shape[1:]} of "
            f"{atlas_to_sample.grid.spacing_um} um"
        )
    inside = np.flatnonzero(atlas.annotation)
    placed = place(atlas.ontology, atlas.annotation.flat[inside], atlas.hemispheres.flat[inside])
    imaged = _imaged(atlas_to_sample.on_grid(), field_of_view).flat[inside]
    if seen is not None:
        empty = tally_placed(atlas.ontology, placed[imaged]).ravel() == 0
        imaged |= seen.flat[inside] & empty[placed]
    if side != "both":
        imaged &= atlas.hemispheres.flat[inside] == (LEFT if side == "left" else RIGHT)
    volumes = np.abs(atlas_to_sample.jacobian_on_grid().flat[inside[imaged]]) * atlas.space.voxel_volume_mm3
    own = np.zeros(2 * len(atlas.ontology.ids))
    own += np.bincount(placed[imaged], weights=volumes, minlength=len(own))
    return Extent(
        own.reshape(-1, 2), tally_placed(atlas.ontology, placed[imaged]), tally_placed(atlas.ontology, placed)
    )


def _imaged(at_um: npt.NDArray[np.float32], field_of_view: FieldOfView) -> npt.NDArray[np.bool_]:
    planes = [field_of_view.contains(at_um[:, z].reshape(3, -1).T) for z in range(at_um.shape[1])]
    return np.stack(planes).reshape(at_um.shape[1:])


def region_table(
    ontology: Ontology,
    region_id: npt.NDArray[np.integer[Any]],
    hemisphere: npt.NDArray[np.uint8],
    extent: Extent,
    *,
    probability: npt.NDArray[np.floating] | None = None,
    counts: CountModel = AS_SAID,
) -> pd.DataFrame:
    """The table of regions: three rows (left, right, both) a region, depth first.

    `count` and `volume_mm3` include descendants; `coverage` is the imaged share of a region with its
    descendants, and density that of the imaged share. Null where there is nothing to divide by.
    `expected` is how many cells there are by the probabilities of those that were found, `expected_low` and
    `expected_high` its 95% interval (`volumetric.points.expected`); null where the detector is not calibrated.

    Args:
        ontology: the regions.
        region_id: (n,) of the cells, 0 for cells outside the atlas.
        hemisphere: (n,) of the cells, 1 left, 2 right.
        extent: volumes and coverage.
        probability: (n,) of the cells, 0 to 1; None, or a null among them, where the detector is not calibrated.
        counts: how the detector's probabilities and true numbers belong together.

    Law: own counts of `both` plus the cells outside are all cells. Raises `InputError` where the arrays do
    not belong together or that law cannot hold.
    """
    if region_id.shape != hemisphere.shape or extent.volume_mm3.shape != (len(ontology.ids), 2):
        raise InputError(
            f"region ids {region_id.shape} and hemispheres {hemisphere.shape} must match, and the volumes be "
            f"of {len(ontology.ids)} regions by 2 sides, got {extent.volume_mm3.shape}"
        )
    if probability is not None and probability.shape != region_id.shape:
        raise InputError(f"there must be one probability a cell: got {probability.shape} for {region_id.shape} cells")
    placed = place(ontology, region_id, hemisphere)
    own = _with_both(tally_placed(ontology, placed))
    volume_own = _with_both(extent.volume_mm3)
    count = _rolled(ontology, own)
    volume = _rolled(ontology, volume_own)
    imaged = _rolled(ontology, _with_both(extent.imaged_vox))
    total = _rolled(ontology, _with_both(extent.atlas_vox))
    expected = dict.fromkeys(EXPECTED, np.full(own.shape, np.nan))
    if probability is not None and not np.isnan(probability).any():
        real = expected_counts(ontology, placed, probability, counts)
        expected = dict(zip(EXPECTED, (real.mean, real.low, real.high), strict=True))
    row = {region: i for i, region in enumerate(ontology.ids)}
    order = np.array([row[region.region_id] for region in ontology.in_order()], dtype=np.int64)
    regions = [ontology.regions[i] for i in np.repeat(order, 3)]
    table = pd.DataFrame(
        {
            "region_id": np.array([r.region_id for r in regions], dtype=np.int64),
            "acronym": [r.acronym for r in regions],
            "name": [r.name for r in regions],
            "parent_id": pd.array([r.parent_id for r in regions], dtype="Int64"),
            "depth": np.array([ontology.depth[r.region_id] for r in regions], dtype=np.int64),
            "hemisphere": ["left", "right", "both"] * len(order),
            "count_own": own[order].ravel(),
            "count": np.rint(count[order]).astype(np.int64).ravel(),
            **{name: values[order].ravel() for name, values in expected.items()},
            "volume_own_mm3": volume_own[order].ravel(),
            "volume_mm3": volume[order].ravel(),
            "coverage": _ratio(imaged, total)[order].ravel(),
            "density_per_mm3": _ratio(count, volume)[order].ravel(),
        }
    )
    return table[list(COLUMNS)]


def _with_both(sides: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Columns left, right and their sum."""
    joined: npt.NDArray[np.generic] = np.column_stack([sides, sides.sum(axis=1)])
    return joined


def _rolled(ontology: Ontology, own: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    return ontology.roll_up(own.astype(np.float64))


def _ratio(part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Element by element, NaN where the whole is 0."""
    out = np.full(part.shape, np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out
