"""Smooth light on coarse grids, and random textures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from volumetric.geometry.box import Index3
from volumetric.geometry.space import VoxelSpace

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CoarseField:
    """A scalar field on a coarse grid, trilinear in between and constant beyond.

    Args:
        values: (Z, Y, X) float32.
        grid: where the values lie, in um of the volume's space.
    """

    values: Floats
    grid: VoxelSpace

    def plane(self, z: int, shape: Index3, space: VoxelSpace) -> Floats:
        """The field at the pixels of slice `z` of a volume of `shape` on `space`; (Y, X) float32."""
        (wz, wy, wx) = (
            self._weights(axis, np.arange(n) if axis else np.array([z]), space) for axis, n in enumerate(shape)
        )
        plane = wy @ np.tensordot(wz[0], self.values, axes=1) @ wx.T
        return np.asarray(plane, dtype=np.float32)

    def at(self, points_um: npt.NDArray[np.float64]) -> Floats:
        """The field at the nearest grid point of each of (n, 3) points; (n,) float32."""
        index = np.floor(self.grid.to_vox(points_um) + 0.5).astype(np.int64)
        z, y, x = np.clip(index, 0, np.asarray(self.values.shape) - 1).T
        return np.asarray(self.values[z, y, x], dtype=np.float32)

    def _weights(self, axis: int, index: npt.NDArray[np.int64], space: VoxelSpace) -> Floats:
        """Linear interpolation along one axis as a matrix: (voxels, grid points) float32."""
        um = index * space.spacing_um[axis] + space.origin_um[axis]
        n = self.values.shape[axis]
        at = np.clip((um - self.grid.origin_um[axis]) / self.grid.spacing_um[axis], 0, n - 1)
        weights = np.maximum(1 - np.abs(at[:, None] - np.arange(n)), 0)
        return np.asarray(weights, dtype=np.float32)


def texture(rng: np.random.Generator, shape: Index3, scales_px: Sequence[tuple[float, float, float]]) -> Floats:
    """Periodic Gaussian noise of mean 0 and variance 1, correlated over several lengths alike.

    Args:
        rng: the only source of chance.
        shape: of the result; it repeats seamlessly along every axis.
        scales_px: correlation lengths (Gaussian sigma, voxels along z, y, x); each has the same share of the variance.
    """
    white = fft.rfftn(rng.standard_normal(shape, dtype=np.float32))
    waves = [fft.fftfreq(shape[0]), fft.fftfreq(shape[1]), fft.rfftfreq(shape[2])]
    power = np.zeros(white.shape, dtype=np.float32)
    for scale in scales_px:
        kernel = [np.exp(-((2 * np.pi * w * s) ** 2)).astype(np.float32) for w, s in zip(waves, scale, strict=True)]
        share = kernel[0][:, None, None] * kernel[1][:, None] * kernel[2]
        power += share / share.mean()
    power[0, 0, 0] = 0
    noise = fft.irfftn(white * np.sqrt(power), s=shape)
    return (noise / max(float(noise.std()), 1e-12)).astype(np.float32)
