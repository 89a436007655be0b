"""Region ids at an image's own resolution, as a lazy array: computed where they are looked at, never stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from volumetric.atlas.ontology import RegionIds
from volumetric.atlas.registered import RegisteredBrain
from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3, index3
from volumetric.geometry.space import VoxelSpace
from volumetric.storage.omezarr import open_ome_zarr

CHUNK = (8, 256, 256)
"""Voxels (z, y, x) computed together: half a million points, a fraction of a second."""


def open_labels(brain: RegisteredBrain, volume: str | Path, level: int = 0) -> xr.DataArray:
    """The regions of one level of an OME-Zarr: the same voxels and coordinates as `volumetric.open_volume`."""
    levels = open_ome_zarr(Path(volume)).levels
    if not 0 <= level < len(levels):
        raise InputError(f"{volume} has the levels 0 to {len(levels) - 1}, not {level}")
    return label_view(brain, levels[level].shape, levels[level].space)


def label_view(brain: RegisteredBrain, shape: Index3, space: VoxelSpace) -> xr.DataArray:
    """The regions of an image, (z, y, x) ids as in the atlas, 0 outside the atlas and in excluded tissue.

    Backed by dask; coordinates are voxel centres in um. Each voxel is what `brain.assign` says of its centre,
    whatever the chunks.

    Args:
        brain: its registration.
        shape: of the image, at any level.
        space: where the voxels lie, sample um.
    """
    array = da.map_blocks(
        _block,
        chunks=da.core.normalize_chunks(CHUNK, shape=shape),
        dtype=brain.atlas.annotation.dtype,
        meta=np.empty((0, 0, 0), brain.atlas.annotation.dtype),
        brain=brain,
        space=space,
    )
    coordinates = {
        axis: origin + spacing * np.arange(n)
        for axis, n, spacing, origin in zip("zyx", shape, space.spacing_um, space.origin_um, strict=True)
    }
    view = xr.DataArray(array, dims=("z", "y", "x"), coords=coordinates, name="region_id")
    view.attrs |= {"unit": "um", "atlas": brain.atlas.name}
    return view


def labels_in(brain: RegisteredBrain, box: Box, space: VoxelSpace) -> RegionIds:
    """The regions of the voxels of a box, (z, y, x) ids as in the atlas."""
    voxels = np.indices(box.shape).reshape(3, -1).T + np.asarray(box.start)
    return brain.assign(space.to_um(voxels)).region_id.reshape(box.shape)


def _block(brain: RegisteredBrain, space: VoxelSpace, block_info: Any = None) -> RegionIds:  # noqa: ANN401
    location = block_info[None]["array-location"]
    return labels_in(brain, Box(index3(a for a, _ in location), index3(b for _, b in location)), space)
