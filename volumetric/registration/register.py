"""Registering a prepared brain to an atlas: by ANTs, then refined, as smooth maps.

sample um --turn--> turned frame --L^-1--> atlas um --inverse warp--> atlas um     sample_to_atlas
atlas um --warp--> atlas um --L--> turned frame --turn back--> sample um           atlas_to_sample
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.errors import InputError, OutputError
from volumetric.geometry.box import index3
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.geometry.transform import SmoothMap
from volumetric.registration.align import Alignment, align
from volumetric.registration.ants import RECIPES
from volumetric.registration.linear import fit_linear
from volumetric.registration.prepare import Prepared
from volumetric.registration.refine import refined
from volumetric.registration.view import sample_view, template_view, turned_back

FINEST = 16e6
"""Voxels of the template, at most, on which the result is refined: 50 um for a mouse brain."""


@dataclass(frozen=True)
class Registration:
    """A registered brain; both maps in um, with their displacements at the atlas' resolution.

    Laws: `atlas_to_sample(sample_to_atlas(p))` is p to a fraction of an atlas voxel; equal inputs give equal
    maps, bit for bit.
    """

    sample_to_atlas: SmoothMap
    atlas_to_sample: SmoothMap
    preset: str
    seconds: float


def register(
    sample: Prepared,
    template: npt.NDArray[np.generic],
    atlas_space: VoxelSpace,
    *,
    linear: npt.NDArray[np.float64] | None = None,
    preset: str = "standard",
    seed: int = 1,
    keep: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Registration:
    """Find the maps between a sample and an atlas.

    Args:
        sample: the brain, turned and resampled to the atlas' orientation and resolution.
        template: (Z, Y, X) the atlas' reference image.
        atlas_space: its voxels, um.
        linear: (3, 4), the linear part of the map from atlas um to the turned frame; found where it is not given.
        preset: `fast`, `standard` or `accurate`.
        seed: of what ANTs does at random.
        keep: an existing folder for ANTs' own files (`fixed.nii.gz`, `moving.nii.gz`, `ants_*`; x, y, z in
            mm of the turned frame); they are thrown away without it.
        on_progress: told about every second how many of a hundred parts are done.

    Raises `InputError` for an unknown preset, `OutputError` for a `keep` that is no folder, and
    `RegistrationError`, with the end of ANTs' messages, where ANTs fails or returns what is not finite.
    """
    if preset not in RECIPES:
        raise InputError(f"unknown preset {preset!r}: expected one of {', '.join(RECIPES)}")
    if keep is not None and not keep.is_dir():
        raise OutputError(f"the folder for the transform files does not exist: {keep}")
    began = time.monotonic()
    if linear is None:
        linear = fit_linear(sample, template, atlas_space).affine
    recipe = RECIPES[preset]
    spacing, finest = (
        um3(coarsening(template.shape, n) * step for step in atlas_space.spacing_um) for n in (recipe.largest, FINEST)
    )
    by_ants = 0.65 if finest != spacing else 0.95  # of the time, about

    def tell(share: float) -> None:
        if on_progress is not None:
            on_progress(min(int(100 * share), 99), 100)

    fixed, moving = template_view(template, atlas_space, spacing), sample_view(sample.at(spacing))
    found = align(
        fixed,
        moving,
        linear=linear,
        preset=preset,
        seed=seed,
        keep=keep,
        on_share=lambda share: tell(by_ants * share),
    )
    there, back = maps_of(sample, found)
    if recipe.refinement:
        fine = sample.at(finest)
        if finest != spacing:
            fixed, moving = template_view(template, atlas_space, finest), sample_view(fine)
        there, back = refined(
            fixed,
            turned_back(moving, fine),
            there,
            back,
            windows=recipe.refinement,
            on_share=lambda share: tell(by_ants + (1 - by_ants) * share),
        )
    back = back.resampled(atlas_space, index3(template.shape))
    return Registration(there, back, preset, time.monotonic() - began)


def coarsening(shape: tuple[int, ...], largest: float) -> int:
    """The smallest multiple of its voxel with which a template of a shape has no more voxels than `largest`."""
    factor: float = (math.prod(shape) / largest) ** (1 / 3)
    return max(1, math.ceil(factor))


def maps_of(sample: Prepared, found: Alignment) -> tuple[SmoothMap, SmoothMap]:
    """The maps there (sample to atlas) and back from what ANTs leaves."""
    return (
        _sample_to_atlas(sample, found.linear, found.inverse_warp, found.space),
        _atlas_to_sample(sample, found.linear, found.warp, found.space),
    )


def _atlas_to_sample(
    sample: Prepared, linear: npt.NDArray[np.float64], warp: npt.NDArray[np.float32], space: VoxelSpace
) -> SmoothMap:
    """`turn^-1(L(p + w(p)))`: its displacement is w through the linear parts."""
    to_sample = _compose(_invert(sample.turn), linear)
    moved = np.tensordot(to_sample[:, :3].astype(np.float32), warp, axes=1)
    return SmoothMap(to_sample, moved, space)


def _sample_to_atlas(
    sample: Prepared, linear: npt.NDArray[np.float64], inverse: npt.NDArray[np.float32], space: VoxelSpace
) -> SmoothMap:
    """`a + iw(a)` with `a = L^-1(turn(q))`: iw is sampled where each voxel of the sample's grid lands."""
    unturned = _invert(linear)
    to_atlas_vox = unturned.copy()
    to_atlas_vox[:, 3] -= space.origin_um
    to_atlas_vox /= np.asarray(space.spacing_um)[:, None]
    offset = to_atlas_vox[:, :3] @ np.asarray(sample.space.origin_um) + to_atlas_vox[:, 3]
    displacement = np.stack(
        [
            sample.back.apply(
                ndimage.affine_transform(
                    component,
                    to_atlas_vox[:, :3] * np.asarray(sample.space.spacing_um),
                    offset,
                    output_shape=sample.image.shape,
                    order=1,
                    mode="nearest",
                )
            )
            for component in inverse
        ]
    )
    return SmoothMap(_compose(unturned, sample.turn), displacement, sample.sample_grid)


def _compose(second: npt.NDArray[np.float64], first: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The (3, 4) affine that does `first`, then `second`."""
    linear = second[:, :3] @ first[:, :3]
    return np.column_stack([linear, second[:, :3] @ first[:, 3] + second[:, 3]])


def _invert(affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    linear = np.linalg.inv(affine[:, :3])
    return np.column_stack([linear, -linear @ affine[:, 3]])
