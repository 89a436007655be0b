"""Registering a prepared brain to an atlas: ANTs in child processes, the result as smooth maps.

    sample um --turn--> turned frame --L^-1--> atlas um --inverse warp--> atlas um     sample_to_atlas
    atlas um --warp--> atlas um --L--> turned frame --turn back--> sample um           atlas_to_sample

A child process keeps a crash of the foreign code from taking this one along, and gives its memory back.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.errors import InputError, OutputError, RegistrationError
from volumetric.geometry.box import index3
from volumetric.geometry.space import Um3, VoxelSpace, um3
from volumetric.geometry.transform import SmoothMap
from volumetric.registration.ants import RECIPES
from volumetric.registration.prepare import Prepared, even_light, normalise, resample, tissue_mask

THREADS = 4
"""Of the deformable part, on every machine: SyN's sums are bit-equal for an equal number of threads (another
number moves points by up to 0.05 voxels). The linear part is repeatable with one thread only, and gets one."""

MARGIN = 8
"""Empty voxels put around the template: SyN holds its outermost voxels still, and many templates touch their
array's end, where the brain would then be held still too."""


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
    preset: str = "standard",
    seed: int = 1,
    keep: Path | None = None,
) -> Registration:
    """Find the maps between a sample and an atlas.

    Args:
        sample: the brain, turned and resampled to the atlas' orientation and resolution.
        template: (Z, Y, X) the atlas' reference image.
        atlas_space: its voxels, um.
        preset: `fast`, `standard` or `accurate`.
        seed: of the voxels that the linear stages look at.
        keep: an existing folder for ANTs' own files (`fixed.nii.gz`, `moving.nii.gz`, `ants_*`; x, y, z in
            mm of the turned frame); they are thrown away without it.

    Raises `InputError` for an unknown preset, `OutputError` for a `keep` that is no folder, and
    `RegistrationError`, with the end of ANTs' messages, where ANTs fails or returns what is not finite.
    """
    if preset not in RECIPES:
        raise InputError(f"unknown preset {preset!r}: expected one of {', '.join(RECIPES)}")
    if keep is not None and not keep.is_dir():
        raise OutputError(f"the folder for the transform files does not exist: {keep}")
    start = time.monotonic()
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="volumetric-register-")))
        kept = keep.resolve() if keep else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        job = {"preset": preset, "seed": seed, "keep": str(kept)}
        spacing = _working_spacing(atlas_space, template.shape, RECIPES[preset].largest)
        fixed, grid = resample(normalise(template), atlas_space, spacing)
        moving, moving_grid = resample(sample.image, sample.space, spacing)
        wide = _widened(grid)
        for name, space in (("fixed", wide), ("moving", moving_grid)):
            job[name] = {"spacing_um": space.spacing_um, "origin_um": space.origin_um}
        (work / "job.json").write_text(json.dumps(job), encoding="utf-8")
        np.save(work / "fixed.npy", np.pad(even_light(fixed, tissue_mask(fixed)), MARGIN))
        damaged = _share(sample.damaged, sample.space, spacing) >= 0.25
        tissue = (_share(sample.mask, sample.space, spacing) >= 0.5) & ~damaged
        np.save(work / "moving.npy", even_light(moving, tissue))
        if damaged.any():
            np.save(work / "moving_mask.npy", ~damaged)
        _run_ants(work, "linear", kept / "ants_linear.log", threads=1)
        _run_ants(work, "deformable", kept / "ants_deformable.log", threads=THREADS)
        linear, warp, inverse = (np.load(work / f"{n}.npy") for n in ("linear", "warp", "inverse_warp"))
    if warp.shape[1:] != tuple(n + 2 * MARGIN for n in fixed.shape):
        raise RegistrationError(f"ANTs left its fields on another grid, {warp.shape[1:]}, than the template's")
    if not all(np.all(np.isfinite(part)) for part in (linear, warp, inverse)):
        raise RegistrationError("ANTs returned a transform with values that are not finite")
    forward, backward = maps_of(sample, linear, (warp, wide), (inverse, wide))
    backward = backward.resampled(atlas_space, index3(template.shape))
    return Registration(forward, backward, preset, time.monotonic() - start)


def _working_spacing(space: VoxelSpace, shape: tuple[int, ...], largest: float) -> Um3:
    """The atlas' voxel, or the smallest multiple of it with which the template has no more voxels than `largest`."""
    factor = math.ceil((math.prod(shape) / largest) ** (1 / 3))
    return um3(max(factor, 1) * step for step in space.spacing_um)


def _share(mask: npt.NDArray[np.bool_], space: VoxelSpace, spacing_um: Um3) -> npt.NDArray[np.float32]:
    """How much of each voxel of a coarser grid a mask covers."""
    return resample(mask.astype(np.float32), space, spacing_um)[0]


def maps_of(
    sample: Prepared,
    linear: npt.NDArray[np.float64],
    warp: tuple[npt.NDArray[np.float32], VoxelSpace],
    inverse_warp: tuple[npt.NDArray[np.float32], VoxelSpace],
) -> tuple[SmoothMap, SmoothMap]:
    """The maps there and back from what ANTs leaves: the linear part, and both fields with their grids in the atlas."""
    return _sample_to_atlas(sample, linear, *inverse_warp), _atlas_to_sample(sample, linear, *warp)


def _widened(space: VoxelSpace) -> VoxelSpace:
    """The grid of an array with `MARGIN` voxels more on every side."""
    origin = (o - MARGIN * s for o, s in zip(space.origin_um, space.spacing_um, strict=True))
    return VoxelSpace(space.spacing_um, um3(origin))


def _run_ants(work: Path, part: str, log: Path, *, threads: int, environment: Mapping[str, str] = os.environ) -> None:
    with log.open("wb") as messages:
        child = subprocess.run(
            [sys.executable, "-m", "volumetric.registration.ants", str(work), part],
            env={**environment, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": str(threads)},
            stdout=messages,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if child.returncode != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise RegistrationError(
            f"ANTs ended with status {child.returncode} in the {part} part of the registration. Its last words:\n{tail}"
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
