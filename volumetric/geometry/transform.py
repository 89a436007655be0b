"""The map from sample space to atlas space: an affine plus a smooth displacement on a coarse grid.

Points are um in the sample's own axes (z, y, x); results are um in the atlas' axes. Laws:
`inverse(forward(x)) == x` to the registration's inverse consistency; with a zero displacement the map is
exactly affine, everywhere; beyond the grid the displacement of the nearest grid point holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.errors import InputError
from volumetric.geometry.space import Points, VoxelSpace


@dataclass(frozen=True)
class SmoothMap:
    """`y = A x + t + u(x)`, all in um.

    Args:
        affine: (3, 4) float64, `[A | t]`.
        displacement_um: (3, Z, Y, X) float32, the components of u along the *target* axes.
        grid: where the displacement's voxels lie in the source space.
    """

    affine: npt.NDArray[np.float64]
    displacement_um: npt.NDArray[np.float32]
    grid: VoxelSpace

    def __post_init__(self) -> None:
        if self.affine.shape != (3, 4):
            raise InputError(f"an affine must have shape (3, 4), got {self.affine.shape}")
        if self.displacement_um.ndim != 4 or self.displacement_um.shape[0] != 3:
            raise InputError(f"a displacement must have shape (3, Z, Y, X), got {self.displacement_um.shape}")

    def __call__(self, points_um: npt.ArrayLike) -> Points:
        """Map (n, 3) source points in um to target points in um, trilinear between grid points."""
        points = np.asarray(points_um, dtype=np.float64).reshape(-1, 3)
        mapped: Points = points @ self.affine[:, :3].T + self.affine[:, 3]
        at = self.grid.to_vox(points).T
        for axis in range(3):
            mapped[:, axis] += ndimage.map_coordinates(
                self.displacement_um[axis], at, order=1, mode="nearest", output=np.float64
            )
        return mapped

    def on_grid(self) -> npt.NDArray[np.float32]:
        """Target coordinates in um of every grid point: (3, Z, Y, X) float32."""
        shape = self.displacement_um.shape[1:]
        axes = [o + s * np.arange(n) for o, s, n in zip(self.grid.origin_um, self.grid.spacing_um, shape, strict=True)]
        out = self.displacement_um.copy()
        for axis in range(3):
            row = self.affine[axis]
            out[axis] += (
                row[0] * axes[0][:, None, None]
                + row[1] * axes[1][None, :, None]
                + row[2] * axes[2][None, None, :]
                + row[3]
            ).astype(np.float32)
        return out
