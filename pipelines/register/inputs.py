"""What a person adds to a registration: a mask of damaged tissue, and landmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.csv_file import read_csv
from volumetric.atlas.atlas import Atlas
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.geometry.field_of_view import Exclusion, FieldOfView
from volumetric.registration.landmarks import Landmarks
from volumetric.storage.sources import open_source, read
from volumetric.storage.volume import Volume

LANDMARK_COLUMNS = ("z_um", "y_um", "x_um", "atlas_z_um", "atlas_y_um", "atlas_x_um")
LARGEST_MASK = 2**30
"""Voxels. A mask is read whole; a brain at 20 um has 130 million."""

ALIKE = 0.1
"""Relative difference of edges that are taken for equal: sizes of coarse levels are rounded."""


def read_exclusion(path: Path, volume: Volume) -> tuple[Exclusion, str]:
    """The voxels of a mask that are not 0, and the mask's identity.

    Raises `InputError` where the mask is no level of the volume, nor alike in its proportions, is empty or
    excludes everything.
    """
    mask = open_source(path)
    if len(mask.channels) != 1 or np.prod(mask.shape, dtype=float) > LARGEST_MASK:
        raise InputError(
            f"{path} is {' x '.join(map(str, mask.shape))} voxels of {len(mask.channels)} channels: an exclusion mask "
            "has one channel, and is drawn on a coarse level of the volume (some 20 to 50 um are fine enough)"
        )
    factors = [whole / n for whole, n in zip(volume.shape, mask.shape, strict=True)]
    edges = [f * s for f, s in zip(factors, volume.space.spacing_um, strict=True)]
    level = next((level for level in volume.levels if level.shape == mask.shape), None)
    even = any(max(sizes) <= (1 + ALIKE) * min(sizes) for sizes in (edges, factors))
    if level is None and (not even or min(factors) < 1 - ALIKE):
        listed = ", ".join(" x ".join(map(str, level.shape)) for level in volume.levels)
        raise InputError(
            f"{path} has {' x '.join(map(str, mask.shape))} voxels, which would be "
            f"{' x '.join(f'{edge:.3g}' for edge in edges)} um on this volume: the mask must cover exactly the imaged "
            f"volume, its axes in the same order, as many voxels as one of its levels ({listed}) or cubic ones"
        )
    voxels = read(mask, Box.of_shape(mask.shape)) != 0
    if not voxels.any() or voxels.all():
        what = "is empty" if not voxels.any() else "excludes the whole volume"
        raise InputError(f"the exclusion mask {path} {what}: damaged tissue must be non-zero, all else 0")
    return Exclusion(voxels, level.space if level else volume.space.coarser(factors)), mask.identity


def read_landmarks(path: Path, volume: Volume, atlas: Atlas) -> Landmarks:
    """Landmarks of a CSV file with a place in the sample and one in the atlas in each row, um.

    Raises `InputError` that names the line that is at fault: no numbers, or a place outside the image or the atlas.
    """
    table = read_csv(path, "file of landmarks", LANDMARK_COLUMNS)
    numbers = table[list(LANDMARK_COLUMNS)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
    if len(bad):
        raise InputError(
            f"{path}, line {bad[0] + 2}: a landmark is six numbers, um from the first voxel of the image "
            f"and of the atlas, with a decimal point; got {table.iloc[bad[0]].to_dict()}"
        )
    whole = FieldOfView.of_image(volume.shape, volume.space), FieldOfView.of_image(atlas.shape, atlas.space)
    for view, places, name in zip(whole, (numbers[:, :3], numbers[:, 3:]), ("image", "atlas"), strict=True):
        outside = np.flatnonzero(~view.contains(places))
        if len(outside):
            raise InputError(
                f"{path}, line {outside[0] + 2}: {places[outside[0]].tolist()} lies outside the {name}, which "
                f"reaches to {[round(edge) for edge in view.high_um]} um (z, y, x)"
            )
    return Landmarks(numbers[:, :3], numbers[:, 3:])
