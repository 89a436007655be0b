"""Where in the atlas the cells of a brain lie: a smooth map of cells per mm3 of atlas space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.errors import InputError
from volumetric.geometry.box import Index3, index3
from volumetric.geometry.space import Points, VoxelSpace

Map = npt.NDArray[np.float32]


@dataclass(frozen=True)
class MapGrid:
    """The atlas on the voxels of the maps.

    Args:
        space: where these voxels lie, atlas um.
        annotation: (Z, Y, X) region ids, 0 outside the brain.
        hemispheres: (Z, Y, X) uint8.
    """

    space: VoxelSpace
    annotation: npt.NDArray[np.unsignedinteger[Any]]
    hemispheres: npt.NDArray[np.uint8]

    @property
    def shape(self) -> Index3:
        return index3(self.annotation.shape)


def map_grid(
    annotation: npt.NDArray[np.unsignedinteger[Any]],
    hemispheres: npt.NDArray[np.uint8],
    space: VoxelSpace,
    voxel_um: float,
) -> MapGrid:
    """Whole blocks of atlas voxels as large as `voxel_um` allows, at least one; each takes the label of its middle."""
    steps = index3(max(1, int(voxel_um / s + 1e-9)) for s in space.spacing_um)
    middles = np.ix_(
        *(np.minimum(np.arange(-(-n // s)) * s + s // 2, n - 1) for n, s in zip(annotation.shape, steps, strict=True))
    )
    return MapGrid(space.coarser(steps), annotation[middles], hemispheres[middles])


def add_cells(counts: Map, points_um: Points, space: VoxelSpace) -> None:
    """Count (n, 3) atlas positions into the (Z, Y, X) voxels, in place; what lies outside is left out."""
    index = np.floor(space.to_vox(points_um) + 0.5)
    index = index[np.all((index >= 0) & (index < counts.shape), axis=1)].astype(np.int64)
    flat = np.ravel_multi_index(tuple(index.T), counts.shape)
    voxels, found = np.unique(flat, return_counts=True)
    counts.reshape(-1)[voxels] += found.astype(np.float32)


def imaged_tissue(
    grid: MapGrid, ids: npt.NDArray[np.int64], coverage: npt.NDArray[np.float64], min_coverage: float
) -> npt.NDArray[np.bool_]:
    """The voxels of regions that were imaged in a brain.

    Args:
        grid: the atlas.
        ids: (n_regions,) region ids.
        coverage: (n_regions, 2) imaged share on the left and the right; NaN for none.
        min_coverage: what counts as imaged.

    Raises `InputError` for an annotated id that is not among `ids`.
    """
    order = np.argsort(ids)
    labels, voxel_label = np.unique(grid.annotation.astype(np.int64), return_inverse=True)
    at = order[np.minimum(np.searchsorted(ids, labels, sorter=order), len(ids) - 1)]
    unknown = labels[(ids[at] != labels) & (labels > 0)]
    if len(unknown):
        raise InputError(f"the atlas' annotation has region ids that the tables lack, for example {unknown[:3]}")
    enough = (coverage >= min_coverage)[at] & (labels > 0)[:, None]
    side = np.clip(grid.hemispheres.astype(np.int64) - 1, 0, 1)
    tissue: npt.NDArray[np.bool_] = enough[voxel_label.reshape(grid.shape), side]
    return tissue


def density_map(counts: Map, tissue: npt.NDArray[np.bool_], space: VoxelSpace, smooth_um: float) -> Map:
    """Cells per mm3, NaN outside the tissue.

    Counts and volume of the tissue are smoothed by the same Gaussian (standard deviation `smooth_um`) before they are
    divided, so the map is right up to the surface.
    """
    sigma = [smooth_um / s for s in space.spacing_um]
    cells, volume = (
        ndimage.gaussian_filter(part.astype(np.float32), sigma, mode="constant", truncate=3.0)
        for part in (np.where(tissue, counts, 0), tissue)
    )
    density = np.full(counts.shape, np.nan, dtype=np.float32)
    np.divide(cells, volume * space.voxel_volume_mm3, out=density, where=tissue)
    return density
