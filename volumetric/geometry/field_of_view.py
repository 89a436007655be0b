"""The part of space that was imaged and is fit to be counted: a box, less what is damaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.geometry.box import Index3
from volumetric.geometry.interpolate import nearest
from volumetric.geometry.space import Um3, VoxelSpace, um3


@dataclass(frozen=True)
class Exclusion:
    """Voxels to be left out: `mask` (Z, Y, X) bool on `grid`; beyond it nothing is left out."""

    mask: npt.NDArray[np.bool_]
    grid: VoxelSpace

    def __post_init__(self) -> None:
        if self.mask.ndim != 3 or self.mask.dtype != np.bool_:
            raise InputError(f"an exclusion is a 3-D array of bool, got {self.mask.dtype} of shape {self.mask.shape}")

    def at(self, points_um: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each of (n, 3) points lies in an excluded voxel."""
        return nearest(self.mask, np.asarray(points_um, dtype=np.float64).reshape(-1, 3), self.grid)

    def on(self, grid: VoxelSpace, shape: Index3) -> Exclusion:
        """The same seen on another grid, voxel centre by voxel centre."""
        points = grid.to_um(np.indices(shape).reshape(3, -1).T)
        return Exclusion(self.at(points).reshape(shape), grid)


@dataclass(frozen=True)
class FieldOfView:
    """A half-open box in um, outer voxel edges, less an exclusion."""

    low_um: Um3
    high_um: Um3
    exclusion: Exclusion | None = None

    @classmethod
    def of_image(cls, shape: Index3, space: VoxelSpace, exclusion: Exclusion | None = None) -> FieldOfView:
        """All of an image's voxels."""
        low, high = space.to_um([[-0.5] * 3, [n - 0.5 for n in shape]])
        return cls(um3(low), um3(high), exclusion)

    def contains(self, points_um: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each of (n, 3) points was imaged and is not excluded."""
        points = np.asarray(points_um, dtype=np.float64).reshape(-1, 3)
        inside: npt.NDArray[np.bool_] = np.all((points >= self.low_um) & (points < self.high_um), axis=1)
        return inside if self.exclusion is None else inside & ~self.exclusion.at(points)
