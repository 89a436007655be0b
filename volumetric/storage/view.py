"""Volumes as labelled arrays for people: lazily read, coordinates in um."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import xarray as xr

from volumetric.errors import InputError
from volumetric.geometry.space import Um3
from volumetric.storage.omezarr import open_zarr


def open_volume(path: str | Path, level: int = 0, voxel_um: Um3 | None = None) -> xr.DataArray:
    """Open one level of an OME-Zarr as a dask-backed `xarray.DataArray`.

    Dimensions are (z, y, x), with c before them where there are several channels; coordinates are the voxel centres in
    um and the channels' names. `voxel_um` (z, y, x) is the size of a voxel of level 0 where the file does not state it.
    Raises `InputError` where `path` is no OME-Zarr, or the voxel size is not known.
    """
    volume = open_zarr(Path(path), voxel_um)
    if not 0 <= level < len(volume.levels):
        raise InputError(f"{path} has the levels 0 to {len(volume.levels) - 1}, not {level}")
    stored = volume.levels[level]
    array = da.from_zarr(volume.array(level))
    coordinates = {
        axis: origin + spacing * np.arange(n)
        for axis, n, spacing, origin in zip(
            "zyx", stored.shape, stored.space.spacing_um, stored.space.origin_um, strict=True
        )
    }
    image = xr.DataArray(array, dims=stored.axes, coords=coordinates, name=volume.path.name)
    image.attrs |= {"unit": "um", "orientation": volume.orientation}
    if "t" in image.dims:
        image = image.isel(t=0)
    image = image.transpose(..., "z", "y", "x")
    if "c" in image.dims:
        image = image.assign_coords(c=list(volume.channels))
        image = image.isel(c=0) if len(volume.channels) == 1 else image
    return image
