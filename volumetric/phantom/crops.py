"""Crops of tissue with known cells and no atlas: training material, and a test of detection alone.

`random_crop` varies everything widely (domain randomisation: Tobin et al. 2017), so that a detector trained on it must
learn what a cell is and not how one microscope shows it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from volumetric.geometry.box import Index3
from volumetric.geometry.space import Um3, VoxelSpace
from volumetric.phantom.blobs import Blobs
from volumetric.phantom.fields import CoarseField, texture
from volumetric.phantom.placement import keep_apart, neighbours_of
from volumetric.phantom.scene import Camera, Floats, Image, Scene, haze_of, noise_of, shading_plane
from volumetric.phantom.vessels import random_tubes

Array = npt.NDArray[np.float64]

_GRAIN = 0.04
"""Standard deviation of the full-scale crop's texture, relative to the tissue's light."""

_MARGIN = (3, 10, 10)
"""Voxels around a crop in which cells lie too, so that it has cells cut by its border."""


def random_crop(rng: np.random.Generator, shape: Index3, voxel_um: Um3 = (5.0, 2.0, 2.0)) -> tuple[Image, pd.DataFrame]:
    """A crop of random looks and its cells.

    Args:
        rng: the only source of chance.
        shape: voxels (z, y, x).
        voxel_um: only scales the columns in um; sizes are drawn in pixels and slices.

    Returns:
        The image, (Z, Y, X) uint16, and one row a cell: cell_id, z_um, y_um, x_um, z_vox, y_vox, x_vox, radius_um,
        radius_px, half_slices, n_slices, brightness, contrast (brightness over the light around), snr (brightness
        over shot noise and grain), softness, inside. Rows with `inside` False are cells centred beyond the border.
    """
    space = VoxelSpace(voxel_um)
    level = _log_uniform(rng, 60, 6000)
    camera = Camera(
        offset=rng.choice([0.0, 100.0, _log_uniform(rng, 1, 500)]),
        gain=level * _log_uniform(rng, 0.012, 0.15) ** 2,
        read_noise=level * rng.uniform(0, 0.02),
        jitter=rng.choice([0.0, rng.uniform(0, 0.04)]),
        smoothing_px=rng.choice([0.0, rng.uniform(0.35, 0.9)]),
    )
    grain, graininess = _random_grain(rng, shape)
    tissue = _random_tissue(rng, shape, space, level)
    cells = _random_cells(rng, shape, space, tissue, camera=camera, graininess=graininess)
    parts = _random_clutter(rng, shape, level)
    haze = haze_of(cells, space, tissue, rng.uniform(0, 0.5), rng.uniform(1, 3) * tissue.grid.spacing_um[1])
    scene = Scene(
        shape=shape,
        space=space,
        tissue=tissue,
        haze=haze,
        grain=grain * graininess,
        shading=shading_plane(rng, shape[1:], int(rng.integers(100, 600)), rng.uniform(0, 0.3)),
        blobs=(cells, *parts["debris"]),
        vessels=parts["vessels"],
        walls=parts["walls"],
        fibres=parts["fibres"],
        vessel_depth=rng.uniform(0.3, 0.95),
        wall_light=_log_uniform(rng, 0.1, 1.5),
        camera=camera,
    )
    image = np.stack([scene.image(z, rng) for z in range(shape[0])])
    return image, _table(cells, scene, graininess)


def full_scale_crop(seed: int, shape: Index3 = (40, 1024, 1024)) -> tuple[Image, pd.DataFrame]:
    """A crop at the microscope's own 5 x 0.7 x 0.7 um, hard but fair; columns as of `random_crop`.

    Cells of radius 2.5 to 5 px and 2 to 4 slices, some touching; none is cut by the border, so that every cell can be
    found. The faintest stand five noise levels above their surroundings.
    """
    rng = np.random.default_rng([seed, 1])
    space, level = VoxelSpace((5.0, 0.7, 0.7)), 600.0
    camera = Camera()
    tissue = _smooth_tissue(rng, shape, space, step=(8, 100, 100), level=level, spread=0.35)
    cells = _whole_cells(rng, shape, tissue, space, camera)
    count = len(cells)
    extent = space.extent_um(shape)
    haze = haze_of(cells, space, tissue, 0.25, 15.0)
    scene = Scene(
        shape=shape,
        space=space,
        tissue=tissue,
        haze=haze,
        grain=_GRAIN * texture(rng, (32, 256, 256), [(0.6, 1.2, 1.2), (1.5, 5, 5)]),
        shading=shading_plane(rng, shape[1:], 512, 0.25),
        blobs=(cells,),
        vessels=(random_tubes(rng, extent, space, count=count // 60 + 3, length_um=200, radius_um=(2.5, 7)),),
        walls=(random_tubes(rng, extent, space, count=count // 300 + 1, length_um=200, radius_um=(3, 7)),),
        wall_light=0.25,
        camera=camera,
    )
    image = np.stack([scene.image(z, rng) for z in range(shape[0])])
    return image, _table(cells, scene, _GRAIN)


def _whole_cells(
    rng: np.random.Generator, shape: Index3, tissue: CoarseField, space: VoxelSpace, camera: Camera
) -> Blobs:
    """40 cells a Mvoxel, a sixth of them beside another one, none nearer to the border than its own radius."""
    count = round(float(np.prod(shape)) * 4e-5)
    first = slice(count // 5)
    radius, half = rng.uniform(2.5, 5, count + count // 5), rng.uniform(1.0, 2.0, count + count // 5)
    own = np.column_stack([half, radius, radius])
    last = np.asarray(shape) - 1
    centres = own + rng.random(own.shape) * (last - 2 * own)
    centres[count:] = neighbours_of(rng, centres[first], radius[first], half[first])
    kept = keep_apart(centres, radius, half) & np.all((centres >= own) & (centres <= last - own), axis=1)
    centres, radius, half = centres[kept], radius[kept], half[kept]
    faintest = 5 * noise_of(tissue.at(space.to_um(centres)), camera, _GRAIN)
    brightness = np.maximum(rng.lognormal(np.log(500), 0.5, len(centres)), faintest)
    return _cells(rng, centres, radius, half, brightness=brightness, softness=(0.14, 0.26))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _cells(
    rng: np.random.Generator,
    centres: Array,
    radius: Array,
    half: Array,
    *,
    brightness: Array,
    softness: tuple[float, float],
) -> Blobs:
    """Cells of slightly uneven shape."""
    n = len(centres)
    return Blobs(
        centre_vox=centres,
        radius_px=radius.astype(np.float32),
        half_slices=half.astype(np.float32),
        brightness=brightness.astype(np.float32),
        aspect=rng.uniform(1, 1.4, n).astype(np.float32),
        angle=rng.uniform(0, np.pi, n).astype(np.float32),
        softness=rng.uniform(*softness, n).astype(np.float32),
        hollow=rng.uniform(0, 0.25, n).astype(np.float32),
    )


def _random_cells(
    rng: np.random.Generator,
    shape: Index3,
    space: VoxelSpace,
    tissue: CoarseField,
    *,
    camera: Camera,
    graininess: float,
) -> Blobs:
    """From none to crowded, of a size, softness and contrast that vary between crops and within them."""
    box = np.asarray(shape) + 2 * np.asarray(_MARGIN)
    size, height = _log_uniform(rng, 2.3, 5.2), rng.uniform(1.0, 2.1)
    share = 0.0 if rng.random() < 0.08 else _log_uniform(rng, 0.0005, 0.12)
    count = rng.poisson(share * np.prod(box) / (4.19 * size**2 * height))
    radius = np.clip(size * rng.lognormal(0, 0.15, count), 2, 6)
    half = np.clip(height * rng.lognormal(0, 0.12, count), 0.9, 2.4)
    centres = rng.random((count, 3)) * box - _MARGIN - 0.5
    near = rng.random(count) < rng.uniform(0, 0.3)
    parents = rng.integers(0, max(count, 1), int(near.sum()))
    centres[near] = neighbours_of(rng, centres[parents], radius[parents], half[parents])
    kept = keep_apart(centres, radius, half)
    centres, radius, half = centres[kept], radius[kept], half[kept]
    light = tissue.at(space.to_um(centres))
    median = _log_uniform(rng, 0.25, 6) if rng.random() < 0.8 else _log_uniform(rng, 0.15, 0.5)
    wanted = float(np.median(tissue.values)) * median * rng.lognormal(0, rng.uniform(0.1, 0.7), len(centres))
    faintest = np.maximum(0.15 * light, rng.uniform(3, 6) * noise_of(light, camera, graininess))
    soft = rng.uniform(0.1, 0.34)
    brightness = np.maximum(wanted, faintest)
    return _cells(rng, centres, radius, half, brightness=brightness, softness=(0.8 * soft, 1.2 * soft))


def _random_grain(rng: np.random.Generator, shape: Index3) -> tuple[Floats, float]:
    """A texture of one to three lengths, sometimes drawn out along y or x; and its strength."""
    scales = []
    for _ in range(rng.integers(1, 4)):
        size = _log_uniform(rng, 0.8, 12)
        stretch = rng.choice([1.0, _log_uniform(rng, 2, 12)])
        lateral = (size, size * stretch) if rng.random() < 0.5 else (size * stretch, size)
        scales.append((rng.uniform(0.3, 0.5) * size, *lateral))
    period = (max(shape[0], 8), shape[1], shape[2])
    return texture(rng, period, scales), _log_uniform(rng, 0.005, 0.12)


def _smooth_tissue(
    rng: np.random.Generator, shape: Index3, space: VoxelSpace, *, step: Index3, level: float, spread: float
) -> CoarseField:
    """Log-normal autofluorescence that varies over a few steps of a coarse grid."""
    grid_shape = [n // s + 3 for n, s in zip(shape, step, strict=True)]
    smooth = texture(rng, (grid_shape[0], grid_shape[1], grid_shape[2]), [(1, 1, 1)])
    return CoarseField((level * np.exp(spread * smooth)).astype(np.float32), space.coarser(step))


def _random_tissue(rng: np.random.Generator, shape: Index3, space: VoxelSpace, level: float) -> CoarseField:
    """Smooth background, sometimes with a sharp border beyond which there is little or no tissue."""
    tissue = _smooth_tissue(rng, shape, space, step=(4, 12, 12), level=level, spread=rng.uniform(0, 0.4))
    if rng.random() > 0.2:
        return tissue
    z, y, x = np.indices(tissue.values.shape)
    turn, bend = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.5)
    edge = (y - tissue.values.shape[1] * rng.random()) * np.sin(turn) + np.cos(turn) * (
        x - tissue.values.shape[2] * rng.random()
    )
    inside = 1 / (1 + np.exp(-2 * (edge + bend * z)))
    dim = rng.uniform(0, 0.6)
    return CoarseField((tissue.values * (dim + (1 - dim) * inside)).astype(np.float32), tissue.grid)


def _random_clutter(rng: np.random.Generator, shape: Index3, level: float) -> dict[str, tuple[Blobs, ...]]:
    """What is no cell: specks, bright masses, vessels, shining walls, fibres; each in a part of the crops."""
    unit = VoxelSpace((2.5, 1.0, 1.0))
    extent, voxels = unit.extent_um(shape), float(np.prod(shape))

    def tubes(share: float, per_megavoxel: float, radius: tuple[float, float], bend: float) -> tuple[Blobs, ...]:
        count = rng.poisson(voxels * 1e-6 * rng.uniform(0, per_megavoxel)) if rng.random() < share else 0
        return (
            (random_tubes(rng, extent, unit, count=int(count), length_um=150, radius_um=radius, bend=bend),)
            if count
            else ()
        )

    debris: list[Blobs] = []
    if rng.random() < 0.4:
        debris.append(_debris(rng, shape, expected=voxels * 1e-5 * rng.uniform(0.2, 5), size=(0.4, 1.1), level=level))
    if rng.random() < 0.25:
        debris.append(_debris(rng, shape, expected=1 + voxels * 4e-6, size=(9, 22), level=level))
    return {
        "debris": tuple(debris),
        "vessels": tubes(0.6, 60, (2, 9), 0.15),
        "walls": tubes(0.25, 30, (2.5, 9), 0.15),
        "fibres": tubes(0.3, 60, (0.5, 1.4), 0.05),
    }


def _debris(
    rng: np.random.Generator, shape: Index3, *, expected: float, size: tuple[float, float], level: float
) -> Blobs:
    """Bright things of a radius between two bounds, in pixels, and a little less than half as many slices."""
    n = rng.poisson(expected)
    radius = rng.uniform(*size, n)
    return Blobs(
        centre_vox=rng.random((n, 3)) * np.asarray(shape) - 0.5,
        radius_px=radius.astype(np.float32),
        half_slices=np.maximum(0.42 * radius * rng.uniform(0.8, 1.2, n), 0.35).astype(np.float32),
        brightness=(level * np.exp(rng.uniform(np.log(0.2), np.log(5), n))).astype(np.float32),
        aspect=rng.uniform(1, 1.8, n).astype(np.float32),
        angle=rng.uniform(0, np.pi, n).astype(np.float32),
        softness=0.25,
    )


def _table(cells: Blobs, scene: Scene, graininess: float) -> pd.DataFrame:
    """The true cells of a scene."""
    space, vox = scene.space, cells.centre_vox
    um = space.to_um(vox)
    lateral = (space.spacing_um[1] + space.spacing_um[2]) / 2
    light = scene.tissue.at(um)
    return pd.DataFrame(
        {
            "cell_id": np.arange(len(cells)),
            **{f"{axis}_um": um[:, i] for i, axis in enumerate("zyx")},
            **{f"{axis}_vox": vox[:, i] for i, axis in enumerate("zyx")},
            "radius_um": cells.radius_px * lateral,
            "radius_px": cells.radius_px,
            "half_slices": cells.half_slices,
            "n_slices": slices_of(vox[:, 0], cells.half_slices),
            "brightness": cells.brightness,
            "contrast": cells.brightness / np.maximum(light, 1e-6),
            "snr": cells.brightness / noise_of(light, scene.camera, graininess),
            "softness": cells.softness,
            "inside": np.all((vox >= -0.5) & (vox < np.asarray(scene.shape) - 0.5), axis=1),
        }
    )


def slices_of(z_vox: Array, half_slices: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """How many slices lie within the half height of a centre; (n,) int64."""
    top, bottom = np.floor(z_vox + half_slices), np.ceil(z_vox - half_slices)
    number: npt.NDArray[np.int64] = (top - bottom + 1).astype(np.int64)
    return number
