"""What a person adds to a registration: a mask of damaged tissue, and landmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from volumetric.errors import InputError
from volumetric.geometry.box import Box, index3
from volumetric.geometry.field_of_view import Exclusion
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.registration.landmarks import Landmarks
from volumetric.storage.sources import Source, open_source, read
from volumetric.storage.volume import Volume

LANDMARK_COLUMNS = ("z_um", "y_um", "x_um", "atlas_z_um", "atlas_y_um", "atlas_x_um")
LARGEST_MASK = 2**30
"""Voxels. A mask is read whole; a brain at 20 um has 130 million."""

ALIKE = 0.02
"""Relative difference of a mask's voxels, in multiples of the volume's, that rounding of a pyramid's sizes explains."""


def open_mask(path: Path, volume: Volume) -> Source:
    """The image of a mask that covers all of a volume at any resolution; raises `InputError` where it cannot."""
    mask = open_source(path)
    if len(mask.channels) != 1 or np.prod(mask.shape, dtype=float) > LARGEST_MASK:
        raise InputError(
            f"{path} is {' x '.join(map(str, mask.shape))} voxels of {len(mask.channels)} channels: an exclusion mask "
            "has one channel, and is drawn on a coarse level of the volume (some 20 to 50 um are fine enough)"
        )
    for axis, n, whole in zip("zyx", mask.shape, volume.shape, strict=True):
        if n > whole:
            raise InputError(
                f"{path} has {n} voxels along {axis}, more than the volume's {whole}: the mask must cover exactly the "
                "imaged volume, with voxels as large as the volume's or larger, its axes in the same order"
            )
    return mask


def read_exclusion(mask: Source, path: Path, volume: Volume) -> Exclusion:
    """The voxels of a mask that are not 0; raises `InputError` where none are, or all."""
    voxels = read(mask, Box.of_shape(mask.shape)) != 0
    if not voxels.any() or voxels.all():
        what = "is empty" if not voxels.any() else "excludes the whole volume"
        raise InputError(f"the exclusion mask {path} {what}: damaged tissue must be non-zero, all else 0")
    factors = [whole / n for whole, n in zip(volume.shape, mask.shape, strict=True)]
    rounded = [round(f) if abs(f - round(f)) <= ALIKE * f else f for f in factors]
    return Exclusion(voxels, volume.space.coarser(rounded))


def read_landmarks(path: Path) -> Landmarks:
    """Landmarks of a CSV file with a place in the sample and one in the atlas in each row, um."""
    if not path.is_file():
        raise InputError(f"there is no file of landmarks at {path}")
    try:
        table = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a CSV file: {error}") from error
    missing = [name for name in LANDMARK_COLUMNS if name not in table]
    if missing or table.empty:
        raise InputError(
            f"{path} lacks {', '.join(missing) if missing else 'rows'}: landmarks are a CSV with the columns "
            f"{', '.join(LANDMARK_COLUMNS)}, one row a place, in um from the first voxel of the image and of the atlas"
        )
    numbers = table[list(LANDMARK_COLUMNS)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
    if len(bad):
        raise InputError(f"{path}, line {bad[0] + 2}: a landmark needs six numbers, got {table.iloc[bad[0]].to_dict()}")
    return Landmarks(numbers[:, :3], numbers[:, 3:])


def mask_on(exclusion: Exclusion, grid: VoxelSpace, shape: tuple[int, int, int]) -> Exclusion:
    """An exclusion seen on another grid, voxel centre by voxel centre."""
    points = grid.to_um(np.indices(index3(shape)).reshape(3, -1).T)
    return Exclusion(exclusion.at(points).reshape(shape), VoxelSpace(um3(grid.spacing_um), um3(grid.origin_um)))
