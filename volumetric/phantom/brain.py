"""A whole synthetic brain: an atlas bent into a sample, filled with cells, seen by a microscope.

The true region of a cell is the atlas' annotation at the cell's place under the known map. Two channels: `signal`
shows autofluorescence and cells, `background` autofluorescence alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from volumetric.atlas.atlas import Atlas
from volumetric.atlas.sides import HEMISPHERES
from volumetric.errors import InputError
from volumetric.geometry.box import Index3, index3
from volumetric.geometry.orientation import AxisMap, check_orientation
from volumetric.geometry.space import Um3, VoxelSpace
from volumetric.geometry.transform import SmoothMap
from volumetric.phantom.blobs import Blobs
from volumetric.phantom.crops import slices_of
from volumetric.phantom.deformation import moved, random_deformation
from volumetric.phantom.fields import CoarseField, texture
from volumetric.phantom.population import Placed, place_cells
from volumetric.phantom.scene import Camera, Image, Scene, haze_of, noise_of, shading_plane
from volumetric.phantom.vessels import random_tubes

CHANNELS = ("signal", "background")

SHADING = {"signal": (256, 0.25), "background": (384, 0.05)}
"""Tile edge in pixels and depth of the uneven illumination of each channel; the background channel is what is left
after a flat-field correction."""

TONES = {"signal": 0.1, "background": 0.04}
"""Standard deviation over regions of how much brighter or darker a region is than the atlas' template says."""

CAMERA = Camera()
"""Both channels' camera."""

_GRAIN = 0.04
"""Standard deviation of the tissue's texture, relative to its light."""

_FAINTEST = 5.0
"""Noise levels (shot noise and texture) that every cell stands above its surroundings, so that a careful human could
find it."""


@dataclass(frozen=True, kw_only=True)
class PhantomSettings:
    """What the brain is like.

    Args:
        scale: size of the brain in parts of the atlas; the atlas' voxels shrink with it.
        voxel_um: of the volume (z, y, x).
        orientation: of the volume.
        cells_per_mm3: mean density over the brain, at its scaled size, before cells that find no room are left out
            (about a third of them).
        deformation: largest displacement of the anatomy, relative to the brain's mean extent.
        margin_um: empty space around the brain.
        seed: another seed gives another brain.
    """

    scale: float = 1 / 8
    voxel_um: Um3 = (5.0, 2.0, 2.0)
    orientation: str = "psl"
    cells_per_mm3: float = 50_000.0
    deformation: float = 0.04
    margin_um: float = 40.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_orientation(self.orientation)
        VoxelSpace(self.voxel_um)
        for name in ("scale", "cells_per_mm3"):
            if not getattr(self, name) > 0:
                raise InputError(f"a phantom's {name} must be positive, got {getattr(self, name)}")


@dataclass(frozen=True)
class Phantom:
    """A synthetic brain, made by `Phantom.build`.

    Args:
        atlas: the atlas at the phantom's scale.
        space: of the volume's voxels.
        shape: voxels of the volume.
        orientation: of the volume.
        cells: one row a true cell: cell_id, z_um, y_um, x_um, z_vox, y_vox, x_vox, radius_um (lateral), n_slices,
            brightness, region_id, hemisphere ("left" or "right").
        sample_to_atlas: the known map, um to um.
        scenes: of each channel.
        seed: of the noise.
    """

    atlas: Atlas
    space: VoxelSpace
    shape: Index3
    orientation: str
    cells: pd.DataFrame
    sample_to_atlas: SmoothMap
    scenes: dict[str, Scene]
    seed: int

    @classmethod
    def build(cls, atlas: Atlas, settings: PhantomSettings | None = None) -> Phantom:
        """The brain of these settings; the same settings give the same brain.

        Raises `InputError` for settings under which the anatomy would fold or no cell has room.
        """
        settings = settings or PhantomSettings()
        rng = {name: np.random.default_rng([settings.seed, i]) for i, name in enumerate(("map", "cells", "looks"))}
        scaled = atlas.scaled(settings.scale)
        space = VoxelSpace(settings.voxel_um)
        smooth, shape = _fit(rng["map"], scaled, settings, space)
        tissue = _tissue(rng["looks"], scaled, smooth, shape, space)
        place = place_cells(rng["cells"], scaled, smooth, space.extent_um(shape), settings.cells_per_mm3)
        blobs = _blobs(rng["looks"], place, tissue["signal"], space)
        scenes = _scenes(rng["looks"], shape, space, tissue, blobs)
        cells = _table(place, blobs, scaled, smooth)
        return cls(scaled, space, shape, settings.orientation, cells, smooth, scenes, settings.seed)

    def render(self, z0: int, z1: int) -> dict[str, Image]:
        """Slices z0 <= z < z1 of every channel, (z1 - z0, Y, X) uint16; the same whatever range is asked.

        Raises `InputError` for a range outside the volume.
        """
        if not 0 <= z0 < z1 <= self.shape[0]:
            raise InputError(f"slices {z0} to {z1} were asked of a phantom with slices 0 to {self.shape[0]}")
        return {
            name: np.stack([scene.image(z, np.random.default_rng([self.seed, number, z])) for z in range(z0, z1)])
            for number, (name, scene) in enumerate(self.scenes.items(), start=10)
        }


def _fit(
    rng: np.random.Generator, atlas: Atlas, settings: PhantomSettings, space: VoxelSpace
) -> tuple[SmoothMap, Index3]:
    """A random map, and the volume that just holds the brain: first in the turned atlas' own box, then cut."""
    turn = AxisMap.between(settings.orientation, atlas.orientation)
    back = AxisMap.between(atlas.orientation, settings.orientation)
    extent = back.reorder(atlas.extent_um)
    smooth = random_deformation(rng, extent, turn, strength=settings.deformation)
    # A bent brain may reach out of the atlas' box: look a fifth of it around, at a hundred places along each axis.
    step = max(*atlas.space.spacing_um, max(extent) / 100)
    low, counts = [-0.2 * e for e in extent], [int(1.4 * e / step) + 1 for e in extent]
    index = np.indices(counts).reshape(3, -1).T
    brain = np.asarray(low) + step * index[atlas.lookup(smooth(low + step * index))[0] > 0]
    start = brain.min(axis=0) - settings.margin_um - step
    size = brain.max(axis=0) + settings.margin_um + step - start
    shape = index3(np.ceil(size / space.spacing_um).astype(np.int64) + 1)
    return moved(smooth, start), shape


def _tissue(
    rng: np.random.Generator, atlas: Atlas, smooth: SmoothMap, shape: Index3, space: VoxelSpace
) -> dict[str, CoarseField]:
    """Autofluorescence of both channels: the template's, each region in its own tone, with light from out of focus."""
    step = min(10.0, *atlas.space.spacing_um)
    extent = space.extent_um(shape)
    counts = [int(np.ceil(e / step)) + 1 for e in extent]
    points = np.indices(counts).reshape(3, -1).T * step
    at = smooth(points)
    region = atlas.lookup(at)[0].reshape(counts)
    template = ndimage.map_coordinates(
        atlas.template.astype(np.float32), atlas.space.to_vox(at).T, order=1, output=np.float32
    ).reshape(counts)
    relative = np.clip(template / np.percentile(atlas.template[atlas.annotation > 0].astype(np.float32), 99), 0, 1.5)
    ids = np.unique(region)
    row = np.searchsorted(ids, region)
    fields = {}
    for name, (low, high, power) in {"signal": (140, 760, 0.8), "background": (120, 1150, 1.0)}.items():
        tone = rng.lognormal(0, TONES[name], len(ids))
        inside = ndimage.gaussian_filter((region > 0).astype(np.float32), 0.6)
        # The template fades at the brain's edge by itself: multiplied by `inside` too, the brain would look smaller.
        light = low * inside + high * relative**power
        light *= ndimage.gaussian_filter(tone[row].astype(np.float32), 0.6)
        light = 0.85 * light + 0.15 * ndimage.gaussian_filter(light, 60 / step) + 6
        fields[name] = CoarseField(light.astype(np.float32), VoxelSpace((step,) * 3))
    return fields


def _blobs(rng: np.random.Generator, place: Placed, tissue: CoarseField, space: VoxelSpace) -> Blobs:
    """The looks of the cells: log-normal brightness, but never too faint to see."""
    n = len(place.centres_um)
    lateral = (space.spacing_um[1] + space.spacing_um[2]) / 2
    faintest = _FAINTEST * noise_of(tissue.at(place.centres_um), CAMERA, _GRAIN)
    return Blobs(
        centre_vox=space.to_vox(place.centres_um),
        radius_px=(place.radius_um / lateral).astype(np.float32),
        half_slices=(place.half_um / space.spacing_um[0]).astype(np.float32),
        brightness=np.maximum(rng.lognormal(np.log(550), 0.5, n), faintest).astype(np.float32),
        aspect=rng.uniform(1, 1.35, n).astype(np.float32),
        angle=rng.uniform(0, np.pi, n).astype(np.float32),
        softness=rng.uniform(0.14, 0.26, n).astype(np.float32),
    )


def _table(place: Placed, blobs: Blobs, atlas: Atlas, smooth: SmoothMap) -> pd.DataFrame:
    """The true cells, each with the region in which the known map puts it."""
    region, side = atlas.lookup(smooth(place.centres_um))
    return pd.DataFrame(
        {
            "cell_id": np.arange(len(blobs)),
            **{f"{axis}_um": place.centres_um[:, i] for i, axis in enumerate("zyx")},
            **{f"{axis}_vox": blobs.centre_vox[:, i] for i, axis in enumerate("zyx")},
            "radius_um": place.radius_um,
            "n_slices": slices_of(blobs.centre_vox[:, 0], blobs.half_slices),
            "brightness": blobs.brightness.astype(np.float64),
            "region_id": region.astype(np.int64),
            "hemisphere": [HEMISPHERES[int(s)] for s in side],
        }
    )


def _scenes(
    rng: np.random.Generator, shape: Index3, space: VoxelSpace, tissue: dict[str, CoarseField], cells: Blobs
) -> dict[str, Scene]:
    """Both channels share vessels and texture; each has its own optics, the background's the more even ones."""
    extent = space.extent_um(shape)
    volume_mm3 = float(np.prod(extent)) * 1e-9
    near, far = (haze_of(cells, space, tissue["signal"], 0.15, sigma_um) for sigma_um in (12.0, 45.0))
    haze = CoarseField(near.values + far.values, near.grid)
    dark = CoarseField(np.zeros_like(haze.values), haze.grid)
    vessels = random_tubes(rng, extent, space, count=round(120 * volume_mm3) + 1, length_um=350, radius_um=(4, 14))
    walls = random_tubes(rng, extent, space, count=round(15 * volume_mm3) + 1, length_um=250, radius_um=(6, 14))
    grain = _GRAIN * texture(rng, (32, 320, 320), [(0.5, 1, 1), (1.2, 3, 3)])
    shading = {name: shading_plane(rng, shape[1:], tile, depth) for name, (tile, depth) in SHADING.items()}
    return {
        name: Scene(
            shape=shape,
            space=space,
            tissue=tissue[name],
            haze=haze if name == "signal" else dark,
            grain=grain,
            shading=shading[name],
            blobs=(cells,) if name == "signal" else (),
            vessels=(vessels,),
            walls=(walls,),
            vessel_depth=0.6,
            wall_light=0.3,
            camera=CAMERA,
        )
        for name in CHANNELS
    }
