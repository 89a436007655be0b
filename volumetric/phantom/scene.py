"""What the microscope sees of one slice: light, then shading, then the camera.

    light = tissue * [(1 + grain) * (1 - vessels) + walls + fibres] + haze + cells
    image = offset + shading * gain * light + noise

Each slice is a pure function of the scene and its own number, so no image depends on how a volume is cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.geometry.box import Index3
from volumetric.geometry.space import VoxelSpace
from volumetric.phantom.blobs import Blobs
from volumetric.phantom.fields import CoarseField

Floats = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Camera:
    """A camera: grey value without light, variance per grey value, read noise, and how steady the light is.

    The noise is normal with the variance `gain * light + read_noise^2` (photon transfer: Janesick 2007, ch. 5).

    Args:
        offset: grey value without light.
        gain: variance per grey value of light.
        read_noise: standard deviation in grey values.
        jitter: relative standard deviation of the light from slice to slice.
        smoothing_px: Gaussian sigma of the smoothing of the recorded image, as resampling does; 0 for none.
    """

    offset: float = 100.0
    gain: float = 1.0
    read_noise: float = 6.0
    jitter: float = 0.015
    smoothing_px: float = 0.0

    def noise(self, light: Floats) -> Floats:
        """Standard deviation of the recorded grey values at this light, before any smoothing."""
        deviation: Floats = np.sqrt(self.gain * np.maximum(light, 0) + self.read_noise**2)
        return deviation

    def expose(self, light: Floats, rng: np.random.Generator) -> Image:
        """The recorded image of a (Y, X) plane of light; uint16."""
        light = light * np.float32(1 + self.jitter * rng.standard_normal())
        noise = rng.standard_normal(light.shape, dtype=np.float32)
        counts = light + self.noise(light) * noise
        if self.smoothing_px > 0:
            counts = ndimage.gaussian_filter(counts, self.smoothing_px)
        image: Image = np.clip(np.rint(counts + self.offset), 0, 65535).astype(np.uint16)
        return image


@dataclass(frozen=True)
class Scene:
    """Everything that shines or shades in a volume.

    Args:
        shape: voxels (z, y, x).
        space: of the voxels, in um.
        tissue: autofluorescence, light.
        haze: light from out of focus.
        grain: (Z, Y, X) float32 periodic texture, mean 0; repeats through the volume.
        shading: (Y, X) float32 share of the light that arrives.
        blobs: what adds light: cells, debris.
        vessels: beads of dark tubes, drawn as a mask.
        walls: beads of tubes that are dark inside and whose walls shine.
        fibres: beads of bright tubes.
        vessel_depth: share of the tissue's light that a vessel takes away.
        wall_light: light of a wall and of a fibre, relative to the tissue's.
        camera: how light becomes grey values.
    """

    shape: Index3
    space: VoxelSpace
    tissue: CoarseField
    haze: CoarseField
    grain: Floats
    shading: Floats
    blobs: tuple[Blobs, ...] = ()
    vessels: tuple[Blobs, ...] = ()
    walls: tuple[Blobs, ...] = ()
    fibres: tuple[Blobs, ...] = ()
    vessel_depth: float = 0.6
    wall_light: float = 0.0
    camera: Camera = field(default_factory=Camera)

    def light(self, z: int) -> Floats:
        """Light that reaches the camera from slice `z`, without noise; (Y, X) float32."""
        plane = 1 + tiled(self.grain[z % len(self.grain)], self.shape[1:])
        plane *= 1 - self.vessel_depth * self._mask(self.vessels + self.walls, z)
        wall = self._mask(self.walls, z)
        plane += self.wall_light * (4 * wall * (1 - wall) + self._mask(self.fibres, z))
        plane *= self.tissue.plane(z, self.shape, self.space)
        plane += self.haze.plane(z, self.shape, self.space)
        for blobs in self.blobs:
            blobs.stamp(plane, z)
        return plane * self.shading

    def image(self, z: int, rng: np.random.Generator) -> Image:
        """Slice `z` as recorded; (Y, X) uint16. `rng` makes the noise."""
        return self.camera.expose(self.light(z), rng)

    def _mask(self, tubes: tuple[Blobs, ...], z: int) -> Floats:
        mask = np.zeros(self.shape[1:], dtype=np.float32)
        for beads in tubes:
            beads.stamp(mask, z, np.maximum)
        return np.minimum(mask, 1)


def noise_of(tissue: Floats, camera: Camera, graininess: float) -> Floats:
    """Standard deviation around a cell on tissue of this light: the camera's noise and the texture together."""
    deviation: Floats = np.hypot(camera.noise(tissue), graininess * tissue)
    return deviation


def tiled(plane: Floats, shape: tuple[int, ...]) -> Floats:
    """A periodic (Y, X) plane repeated to `shape`."""
    repeats = [-(-n // m) for n, m in zip(shape, plane.shape, strict=True)]
    return np.tile(plane, repeats)[: shape[0], : shape[1]]


def shading_plane(rng: np.random.Generator, shape: tuple[int, int], tile_px: int, depth: float) -> Floats:
    """Light lost to uneven illumination: two smooth waves over the image and a vignette in every tile.

    Args:
        rng: phases of the waves.
        shape: pixels (y, x).
        tile_px: edge of a camera tile.
        depth: the light varies within 1 - depth .. 1 + depth.
    """
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    waves = np.zeros(shape, dtype=np.float32)
    for _ in range(2):
        ky, kx = rng.uniform(-1, 1, 2)
        waves += np.sin(np.pi * (ky * y / shape[0] + kx * x / shape[1]) + rng.uniform(0, 2 * np.pi))
    vy, vx = ((np.mod(p, tile_px) + 0.5) / tile_px * 2 - 1 for p in (y, x))
    plane: Floats = 1 + depth * (0.35 * waves + 0.3 * (0.5 - np.maximum(vy**2, vx**2)) * 2)
    return plane.astype(np.float32)


def haze_of(sources: Blobs, space: VoxelSpace, like: CoarseField, strength: float, sigma_um: float) -> CoarseField:
    """Light of blobs from out of focus: all that they shine, spread by a Gaussian over a coarse grid.

    Args:
        sources: the blobs; those outside the grid count at its border.
        space: of their voxels.
        like: a field on the grid to use.
        strength: share of their light that goes astray.
        sigma_um: standard deviation of the Gaussian.
    """
    volume_um3 = 4 / 3 * np.pi * sources.radius_px**2 * sources.half_slices * np.prod(space.spacing_um)
    total = np.zeros(like.values.shape)
    index = np.floor(like.grid.to_vox(space.to_um(sources.centre_vox)) + 0.5).astype(np.int64)
    z, y, x = np.clip(index, 0, np.asarray(total.shape) - 1).T
    np.add.at(total, (z, y, x), strength * sources.brightness * volume_um3 / np.prod(like.grid.spacing_um))
    blurred = ndimage.gaussian_filter(total, [sigma_um / s for s in like.grid.spacing_um], mode="nearest")
    return CoarseField(blurred.astype(np.float32), like.grid)
