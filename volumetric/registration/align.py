"""Two images aligned by ANTs in a child process: a crash there takes nothing along, and its memory comes back."""

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
from volumetric.geometry.space import VoxelSpace
from volumetric.registration.ants import RECIPES, fitted, share_done
from volumetric.registration.view import View, continued, widened

THREADS = 4
"""On every machine: SyN's sums are bit-equal for an equal number of threads (another number moves points by up to
0.05 voxels)."""

MARGIN = 8
"""Empty voxels put around both images. SyN holds its outermost voxels still, and many templates touch their array's
end, where the brain would then be held still too. It takes what lies beyond an image for empty, which is wrong where
the brain is cut: there the weights say that nothing is known."""

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
    linear: npt.NDArray[np.float64],
    preset: str,
    seed: int,
    keep: Path | None = None,
    on_share: OnShare = lambda share: None,
) -> Alignment:
    """Run a recipe of `ants.RECIPES`.

    Args:
        fixed: the template; ANTs looks at all of it.
        moving: the brain.
        linear: (3, 4), L.
        preset: name of the recipe.
        seed: of what ANTs does at random.
        keep: an existing folder for ANTs' own files, which are thrown away without it.
        on_share: told while ANTs works.

    Raises `RegistrationError`, with the end of ANTs' messages, where it fails or returns what is not finite.
    """
    fixed, moving = widened(fixed, MARGIN), continued(widened(moving, MARGIN))
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="volumetric-register-")))
        kept = keep.resolve() if keep else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        job = {
            "preset": preset,
            "seed": seed,
            "linear": linear.tolist(),
            "keep": str(kept),
            **{
                name: {"spacing_um": space.spacing_um, "origin_um": space.origin_um}
                for name, space in (("fixed", fixed.space), ("moving", moving.space))
            },
        }
        (work / "job.json").write_text(json.dumps(job), encoding="utf-8")
        np.save(work / "fixed.npy", fixed.image)
        np.save(work / "moving.npy", moving.image)
        if not moving.weight.all():
            np.save(work / "moving_mask.npy", moving.weight > 0)
        recipe = fitted(RECIPES[preset], (fixed.image.shape, moving.image.shape))

        def look(log: str) -> None:
            on_share(share_done(recipe, log))

        _run_ants(work, kept / "ants.log", look)
        warp, inverse = (np.load(work / f"{name}.npy") for name in ("warp", "inverse_warp"))
    if warp.shape[1:] != fixed.image.shape:
        raise RegistrationError(f"ANTs left its fields on another grid, {warp.shape[1:]}, than the template's")
    if not all(np.all(np.isfinite(part)) for part in (warp, inverse)):
        raise RegistrationError("ANTs returned a transform with values that are not finite")
    return Alignment(linear, warp, inverse, fixed.space)


def _run_ants(work: Path, log: Path, on_look: Callable[[str], None]) -> None:
    command = [sys.executable, "-m", "volumetric.registration.ants", str(work)]
    environment = {**os.environ, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": str(THREADS)}
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
        raise RegistrationError(f"ANTs ended with status {child.returncode}. Its last words:\n{tail}")


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")
