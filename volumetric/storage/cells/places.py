"""Places as other tools write them, and how they become rows of the cells table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from volumetric.errors import InputError
from volumetric.geometry.space import Points, VoxelSpace, um3
from volumetric.points.table import cells_table
from volumetric.storage.volume_record import KEY, VolumeRecord

Unit = Literal["voxel", "um"]

MOST_OUTSIDE = 0.01
"""Share of places outside the image from which the unit or the order of the axes is taken for wrong."""

UNKNOWN = {
    "score": np.nan,
    "probability": np.nan,
    "n_slices": 0,
    "radius_px": np.nan,
    "intensity": np.nan,
    "background": np.nan,
}
"""What another tool's file does not say of a cell; a number of slices of 0 is not known either."""


@dataclass(frozen=True)
class Places:
    """What a file holds.

    Args:
        zyx: (n, 3) float64.
        unit: in which they are, where the format or the columns' names say it. A voxel's centre is at its index.
        notes: how the file was read, for a person.
    """

    zyx: Points
    unit: Unit | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlacedCells:
    """Cells of another tool at places of a volume."""

    name: str
    identity: str
    vox: Points = field(repr=False)
    volume: VolumeRecord
    notes: tuple[str, ...]

    @property
    def metadata(self) -> Mapping[str, str]:
        """The volume that the places were taken to be of."""
        return {KEY: self.volume.text}

    def pieces(self, rows: int) -> Iterator[pa.Table]:
        """Rows with the place alone; all else is null."""
        for start in range(0, max(len(self.vox), 1), rows):
            part = pd.DataFrame(self.vox[start : start + rows], columns=["z_vox", "y_vox", "x_vox"]).assign(**UNKNOWN)
            yield pa.Table.from_pandas(cells_table(part, self.volume.space, start), preserve_index=False)


def placed(
    name: str,
    identity: str,
    found: Places,
    volume: VolumeRecord,
    *,
    unit: Unit | None = None,
    voxel_um: tuple[float, float, float] | None = None,
) -> PlacedCells:
    """Places of a file as cells of a volume.

    Args:
        name: of the file, for messages.
        identity: of its content.
        found: its places.
        volume: that the atlas was fitted to.
        unit: of the places, where the file does not say it.
        voxel_um: of the image whose voxels are counted, where it is not the volume's; both cover the same space.

    Raises `InputError` where the unit is missing or contradicts the file, a place is no number, or many lie outside the
    volume.
    """
    stated = unit or found.unit
    if stated is None:
        raise InputError(
            f"{name} does not say whether its numbers are voxels or um: give --unit voxel (with --voxel-um Z Y X where "
            "they are voxels of another image than the registered one) or --unit um"
        )
    if found.unit is not None and stated != found.unit:
        raise InputError(f"{name} says that its numbers are {found.unit}, but --unit says {unit}: leave the flag out")
    if voxel_um is not None and stated == "um":
        raise InputError(f"the places in {name} are um, so --voxel-um means nothing: leave it out")
    bad = np.flatnonzero(~np.isfinite(found.zyx).all(axis=1))
    if len(bad):
        raise InputError(f"{name}: cell {bad[0] + 1} of {len(found.zyx)} has a place that is no number")
    counted = volume.space if voxel_um is None else _space_of(voxel_um, volume)
    um = counted.to_um(found.zyx) if stated == "voxel" else found.zyx
    outside = int(np.count_nonzero(~volume.view.contains(um)))
    meant = "um" if stated == "um" else f"voxels of {_times(counted)} um"
    notes: tuple[str, ...] = (f"{len(um):,} cells of {name}, their places taken for {meant} (z, y, x)",)
    if outside > MOST_OUTSIDE * len(um):
        low, high = um.min(axis=0), um.max(axis=0)
        raise InputError(
            f"{name}: {outside:,} of {len(um):,} cells lie outside the registered image. As {stated} they reach from "
            f"{_times(low)} to {_times(high)} um (z, y, x), the image from {_times(volume.view.low_um)} to "
            f"{_times(volume.view.high_um)}: the unit, the voxel size, the order of the axes or the brain is another"
        )
    if outside:
        notes += (f"{outside:,} of them lie outside the registered image",)
    return PlacedCells(name, identity, volume.space.to_vox(um), volume, (*notes, *found.notes))


def _space_of(voxel_um: tuple[float, float, float], volume: VolumeRecord) -> VoxelSpace:
    """Voxels of another size whose first has its corner where the volume's first has it."""
    spacing = VoxelSpace(voxel_um).spacing_um
    return VoxelSpace(spacing, um3(np.asarray(volume.view.low_um) + np.asarray(spacing) / 2))


def _times(values: object) -> str:
    numbers = values.spacing_um if isinstance(values, VoxelSpace) else values
    return " x ".join(f"{value:.4g}" for value in np.asarray(numbers, dtype=np.float64))
