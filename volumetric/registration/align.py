"""Two images aligned by ANTs in child processes: a crash there takes nothing along, and its memory comes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from volumetric.errors import RegistrationError
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.registration.ants import RECIPES, fitted, share_done
from volumetric.registration.view import View

THREADS = 4
"""Of the deformable part, on every machine: SyN's sums are bit-equal for an equal number of threads (another
number moves points by up to 0.05 voxels). The linear part is repeatable with one thread only, and gets one."""

MARGIN = 8
"""Empty voxels put around the template: SyN holds its outermost voxels still, and many templates touch their
array's end, where the brain would then be held still too."""

LINEAR_SHARE = 0.1
"""Of the time of ANTs, about."""

LOOK_S = 1.0
"""Between two looks at what ANTs has written."""

OnShare = Callable[[float], None]
"""Told from time to time which share of the work is done."""


@dataclass(frozen=True)
class Alignment:
    """What ANTs leaves, in um: fixed p lies at moving `L(p + warp(p))`, q at `L^-1(q) + inverse_warp(L^-1(q))`.

    Args:
        linear: L, (3, 4).
        warp, inverse_warp: (3, Z, Y, X) float32.
        space: of both fields, in the fixed image.
    """

    linear: npt.NDArray[np.float64]
    warp: npt.NDArray[np.float32]
    inverse_warp: npt.NDArray[np.float32]
    space: VoxelSpace


def align(
    fixed: View,
    moving: View,
    *,
    preset: str,
    seed: int,
    keep: Path | None = None,
    on_share: OnShare = lambda share: None,
) -> Alignment:
    """Run a recipe of `ants.RECIPES`.

    Args:
        fixed: the template; ANTs looks at all of it.
        moving: the brain.
        preset: name of the recipe.
        seed: of the voxels that the linear stages look at.
        keep: an existing folder for ANTs' own files, which are thrown away without it.
        on_share: told while ANTs works.

    Raises `RegistrationError`, with the end of ANTs' messages, where it fails or returns what is not finite.
    """
    wide = _widened(fixed.space)
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="volumetric-register-")))
        kept = keep.resolve() if keep else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        job = {
            "preset": preset,
            "seed": seed,
            "keep": str(kept),
            **{
                name: {"spacing_um": space.spacing_um, "origin_um": space.origin_um}
                for name, space in (("fixed", wide), ("moving", moving.space))
            },
        }
        (work / "job.json").write_text(json.dumps(job), encoding="utf-8")
        padded = np.pad(fixed.image, MARGIN)
        np.save(work / "fixed.npy", padded)
        np.save(work / "moving.npy", moving.image)
        if not moving.weight.all():
            np.save(work / "moving_mask.npy", moving.weight > 0)
        recipe = fitted(RECIPES[preset], (padded.shape, moving.image.shape))

        def look(log: str) -> None:
            on_share(LINEAR_SHARE + (1 - LINEAR_SHARE) * share_done(recipe, log))

        _run_ants(work, "linear", kept / "ants_linear.log", threads=1)
        _run_ants(work, "deformable", kept / "ants_deformable.log", threads=THREADS, on_look=look)
        linear, warp, inverse = (np.load(work / f"{n}.npy") for n in ("linear", "warp", "inverse_warp"))
    if warp.shape[1:] != padded.shape:
        raise RegistrationError(f"ANTs left its fields on another grid, {warp.shape[1:]}, than the template's")
    if not all(np.all(np.isfinite(part)) for part in (linear, warp, inverse)):
        raise RegistrationError("ANTs returned a transform with values that are not finite")
    return Alignment(linear, warp, inverse, wide)


def _widened(space: VoxelSpace) -> VoxelSpace:
    """The grid of an array with `MARGIN` voxels more on every side."""
    origin = (o - MARGIN * s for o, s in zip(space.origin_um, space.spacing_um, strict=True))
    return VoxelSpace(space.spacing_um, um3(origin))


def _run_ants(
    work: Path, part: str, log: Path, *, threads: int, on_look: Callable[[str], None] = lambda log: None
) -> None:
    command = [sys.executable, "-m", "volumetric.registration.ants", str(work), part]
    environment = {**os.environ, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": str(threads)}
    with (
        log.open("wb") as messages,
        subprocess.Popen(command, env=environment, stdout=messages, stderr=subprocess.STDOUT) as child,
    ):
        try:
            while child.poll() is None:
                on_look(_text(log))
                try:
                    child.wait(LOOK_S)
                except subprocess.TimeoutExpired:
                    continue
        except BaseException:
            child.kill()
            raise
    if child.returncode != 0:
        tail = "\n".join(_text(log).splitlines()[-15:])
        raise RegistrationError(
            f"ANTs ended with status {child.returncode} in the {part} part of the registration. Its last words:\n{tail}"
        )


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")
