"""The map from sample space to atlas space: an affine plus a smooth displacement on a coarse grid.

Points are um in the sample's own axes (z, y, x); results are um in the atlas' axes. Laws:
`inverse(forward(x)) == x` to the registration's inverse consistency; with a zero displacement the map is
exactly affine, everywhere; beyond the grid the displacement of the nearest grid point holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.errors import InputError
from volumetric.geometry.box import Index3
from volumetric.geometry.interpolate import displaced
from volumetric.geometry.space import Points, VoxelSpace

INVERSION_STEPS = 100
INVERSION_UM = 0.01
"""Distance from which an inverted point counts as met."""


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

    @cached_property
    def _interleaved(self) -> npt.NDArray[np.float32]:
        """The displacement as (Z, Y, X, 3)."""
        return np.ascontiguousarray(np.moveaxis(self.displacement_um, 0, -1), dtype=np.float32)

    def __call__(self, points_um: npt.ArrayLike) -> Points:
        """Map (n, 3) source points in um to target points in um, trilinear between grid points."""
        points = np.asarray(points_um, dtype=np.float64).reshape(-1, 3)
        return displaced(points, self.affine, self._interleaved, self.grid)

    @classmethod
    def identity(cls, grid: VoxelSpace, shape: Index3) -> SmoothMap:
        """The map that leaves every point where it is."""
        return cls(np.eye(3, 4), np.zeros((3, *shape), np.float32), grid)

    def with_affine(self, affine: npt.NDArray[np.float64]) -> SmoothMap:
        """The same map on its grid, written with another affine: that one holds on beyond the grid."""
        straight = SmoothMap(affine, np.zeros_like(self.displacement_um), self.grid)
        return SmoothMap(affine, self.on_grid() - straight.on_grid(), self.grid)

    def resampled(self, grid: VoxelSpace, shape: Index3) -> SmoothMap:
        """The same map with its displacement on another grid, trilinear."""
        ratio = np.asarray(grid.spacing_um) / self.grid.spacing_um
        first = self.grid.to_vox([grid.origin_um])[0]
        moved = [
            ndimage.affine_transform(part, np.diag(ratio), offset=first, output_shape=shape, order=1, mode="nearest")
            for part in self.displacement_um
        ]
        return SmoothMap(self.affine, np.stack(moved), grid)

    def then(self, other: Callable[[Points], Points]) -> SmoothMap:
        """The map that does this one, then `other`, on this one's grid: exact at the grid's points."""
        at = self.on_grid()
        moved = np.empty_like(at)
        for z in range(at.shape[1]):
            plane = at[:, z].reshape(3, -1).T.astype(np.float64)
            moved[:, z] = (other(plane) - plane).T.reshape(3, *at.shape[2:])
        return SmoothMap(self.affine, self.displacement_um + moved, self.grid)

    def inverse(self, grid: VoxelSpace, shape: Index3) -> SmoothMap:
        """The inverse map on a grid of the target space, by fixed-point iteration.

        Each step undoes, with the inverse of the affine, what the last one missed; a map whose displacement changes by
        less than itself from point to point is met (Chen et al., Medical Physics 2008). Raises `InputError` for a map
        that the iteration does not invert: it folds.
        """
        linear = np.linalg.inv(self.affine[:, :3])
        affine = np.column_stack([linear, -linear @ self.affine[:, 3]])
        displacement = np.empty((3, *shape), np.float32)
        for z in range(shape[0]):
            targets = grid.to_um(np.indices((1, *shape[1:])).reshape(3, -1).T + np.array([z, 0, 0]))
            straight = targets @ affine[:, :3].T + affine[:, 3]
            at = straight.copy()
            for _ in range(INVERSION_STEPS):
                missed = (targets - self(at)) @ linear.T
                at += missed
                if np.abs(missed).max() < INVERSION_UM:
                    break
            else:
                raise InputError(
                    f"the map cannot be inverted: after {INVERSION_STEPS} steps it misses by "
                    f"{np.abs(missed).max():.0f} um, because it changes too steeply or folds"
                )
            displacement[:, z] = (at - straight).T.reshape(3, *shape[1:])
        return SmoothMap(affine, displacement, grid)

    def jacobian_on_grid(self) -> npt.NDArray[np.float32]:
        """det of `A + du/dx` at every grid point, (Z, Y, X) float32: how much the map enlarges volumes there.

        Central differences, one-sided at the grid's faces; its sign is that of det A where nothing folds.
        """
        shape = self.displacement_um.shape[1:]
        out = np.empty(shape, np.float32)
        for z in range(shape[0]):
            near = slice(max(z - 1, 0), min(z + 2, shape[0]))
            slab = self.displacement_um[:, near].astype(np.float64)
            matrix = np.zeros((*shape[1:], 3, 3)) + self.affine[:, :3]
            for axis, step in enumerate(self.grid.spacing_um):
                if slab.shape[axis + 1] > 1:
                    slope = np.gradient(slab, step, axis=axis + 1)[:, z - near.start]
                    matrix[..., axis] += np.moveaxis(slope, 0, -1)
            out[z] = np.linalg.det(matrix)
        return out

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
