"""An image on a grid of another voxel size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.geometry.box import Index3, index3
from volumetric.geometry.space import Um3, VoxelSpace, um3


def resample(
    image: npt.NDArray[np.float32], space: VoxelSpace, spacing_um: Um3
) -> tuple[npt.NDArray[np.float32], VoxelSpace]:
    """The image on a grid of another voxel size that covers the same volume, centred on it.

    A Gaussian first removes what the coarser grid cannot hold: the variance of a box as wide as a new voxel
    less that of an old one. Linear interpolation then; beyond the last centre the edge value holds.
    """
    ratio = np.asarray(spacing_um) / np.asarray(space.spacing_um)
    sigma = np.sqrt(np.maximum(ratio**2 - 1, 0) / 12)
    if np.any(sigma > 0):
        image = ndimage.gaussian_filter(image, sigma, mode="nearest")
    shape = grid_shape(space.extent_um(image.shape), spacing_um)
    first = [(n - 1) / 2 - (m - 1) / 2 * r for n, m, r in zip(image.shape, shape, ratio, strict=True)]
    origin = um3(o + s * f for o, s, f in zip(space.origin_um, space.spacing_um, first, strict=True))
    grid = VoxelSpace(um3(spacing_um), origin)
    return sampled(image, space, grid, shape), grid


def share(mask: npt.NDArray[np.bool_], space: VoxelSpace, spacing_um: Um3) -> npt.NDArray[np.float32]:
    """Which share of each voxel of the resampled grid a mask covers, 0 to 1."""
    return resample(mask.astype(np.float32), space, spacing_um)[0]


def sampled(
    image: npt.NDArray[np.float32], space: VoxelSpace, grid: VoxelSpace, shape: Index3
) -> npt.NDArray[np.float32]:
    """The image at the voxels of any other grid with parallel axes, linear; beyond its last centre the edge value."""
    ratio = np.asarray(grid.spacing_um) / np.asarray(space.spacing_um)
    first = space.to_vox(grid.origin_um)
    out: npt.NDArray[np.float32] = ndimage.affine_transform(
        image, np.diag(ratio), offset=first, output_shape=shape, order=1, mode="nearest", output=np.float32
    )
    return out


def grid_shape(edges_um: Um3, spacing_um: Um3) -> Index3:
    """Fewest voxels of `spacing_um` that cover the edges, to within a thousandth of a voxel."""
    return index3(max(1, int(np.ceil(edge / step - 1e-3))) for edge, step in zip(edges_um, spacing_um, strict=True))
