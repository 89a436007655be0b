"""The only place where voxels become micrometres and back.

A voxel's centre lies at its integer index, as in NGFF and napari: `um = index * spacing + origin`.
BrainGlobe puts the voxel's corner there; `to_brainglobe_um` holds that half-voxel step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError

Um3 = tuple[float, float, float]
Points = npt.NDArray[np.float64]


def um3(values: Iterable[float]) -> Um3:
    """Three finite numbers as a tuple (z, y, x); raises `InputError` otherwise."""
    items = tuple(float(v) for v in values)
    if len(items) != 3 or not np.all(np.isfinite(items)):
        raise InputError(f"expected three finite numbers (z, y, x), got {items}")
    return (items[0], items[1], items[2])


@dataclass(frozen=True)
class VoxelSpace:
    """A regular grid: the size of a voxel and where voxel (0, 0, 0) has its centre, both in um."""

    spacing_um: Um3
    origin_um: Um3 = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spacing_um", um3(self.spacing_um))
        object.__setattr__(self, "origin_um", um3(self.origin_um))
        if min(self.spacing_um) <= 0:
            raise InputError(f"the voxel size must be three positive numbers in um (z, y, x), got {self.spacing_um}")

    @property
    def voxel_volume_mm3(self) -> float:
        return float(np.prod(self.spacing_um)) * 1e-9

    def to_um(self, vox: npt.ArrayLike) -> Points:
        """(n, 3) voxel coordinates to um."""
        return np.asarray(vox, dtype=np.float64) * self.spacing_um + self.origin_um

    def to_vox(self, um: npt.ArrayLike) -> Points:
        """(n, 3) um to fractional voxel coordinates."""
        points: Points = (np.asarray(um, dtype=np.float64) - self.origin_um) / self.spacing_um
        return points

    def nearest_vox(self, um: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """(n, 3) um to the index of the voxel that each point lies in; halves go up."""
        return np.floor(self.to_vox(um) + 0.5).astype(np.int64)

    def coarser(self, factors: Iterable[float]) -> VoxelSpace:
        """The grid whose voxels are blocks of `factors` of these; its first centre moves inwards."""
        factor = um3(factors)
        return VoxelSpace(
            um3(s * f for s, f in zip(self.spacing_um, factor, strict=True)),
            um3(o + s * (f - 1) / 2 for o, s, f in zip(self.origin_um, self.spacing_um, factor, strict=True)),
        )

    def extent_um(self, shape: Iterable[int]) -> Um3:
        """Edge lengths in um of an array of `shape` on this grid."""
        return um3(n * s for n, s in zip(shape, self.spacing_um, strict=True))

    def to_brainglobe_um(self, um: npt.ArrayLike) -> Points:
        """um of this convention (centre at the index) to BrainGlobe's (corner at the index)."""
        half = np.asarray(self.spacing_um) / 2
        points: Points = np.asarray(um, dtype=np.float64) + half
        return points
