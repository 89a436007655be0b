"""ANTs, and nothing else of the library imports it: the deformable part of a registration, in a process of its own.

`python -m volumetric.registration.ants FOLDER` reads `job.json`, `fixed.npy`, `moving.npy` and, where part of the brain
is damaged or was not imaged, `moving_mask.npy` (0 there) from FOLDER, and leaves `warp.npy` and `inverse_warp.npy`.
ANTs' own files go to the folder that `job.json` names.

ANTs thinks x, y, z in millimetres, the library z, y, x in um. Both directions of that flip are in this file:
an array is handed over transposed, a vector reversed. The recipe is symmetric diffeomorphic registration
(Avants, Epstein, Grossman and Gee, Medical Image Analysis 2008) from a linear map that is known: SyN, coarse to fine;
mutual information, then, where accuracy is asked for, local cross-correlation.

Directions, for p in the fixed image and q in the moving one (ANTs maps fixed points to moving points):
`q = L(p + warp(p))` and `p = L^-1(q) + inverse_warp(L^-1(q))`, both fields on the fixed grid.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

MM_PER_UM = 1e-3
PR_SET_PDEATHSIG = 1
LINEAR = "ants_linear.mat"
"""The map that SyN starts from, as ITK keeps it."""
SMALLEST_SIDE = 8
"""Voxels a shrunken image keeps along its shortest side; coarser levels of a recipe are left out."""
_ITERATION = re.compile(r"^ *\d+DIAGNOSTIC, *\d+,", re.MULTILINE)
Level = tuple[int, int, int]
"""Iterations, shrink factor, smoothing in voxels."""


@dataclass(frozen=True)
class Deformation:
    """One stage of SyN.

    Args:
        metric: `Mattes` (mutual information) or `CC` (local cross-correlation).
        size: bins of the joint histogram, or radius in voxels of the neighbourhood.
        levels: coarse to fine, all iterations, because stopping on the noisy slope of the information left twice the
            error and made the time unpredictable. The last must be at full resolution: ANTs leaves the fields on its
            grid.
        flow_sigma: variance in voxels of the smoothing of each update; ANTs' default of 3 follows noise.
        total_sigma: the same of the whole field, each time: it keeps the field from folding where a brain ends.
        gradient_step: in voxels.
    """

    metric: Literal["Mattes", "CC"]
    size: int
    levels: tuple[Level, ...]
    flow_sigma: float
    total_sigma: float
    gradient_step: float


@dataclass(frozen=True)
class Recipe:
    """What is done, in order.

    Args:
        deformable: the stages of SyN.
        largest: voxels of the template that ANTs is given; a larger one is halved, or more, because one full iteration
            at 50 um takes half a minute.
        refinement: windows of the steps of `refine`, in voxels of the template.
    """

    deformable: tuple[Deformation, ...]
    refinement: tuple[float, ...]
    largest: float = 2.5e6


REFINEMENT = (8.0, 8.0, 8.0, 5.0, 5.0, 4.0, 4.0)
COARSE: tuple[Level, ...] = ((40, 16, 4), (60, 8, 3), (60, 4, 2), (40, 2, 1))


def _mattes(last: Level) -> Deformation:
    return Deformation("Mattes", 32, (*COARSE, last), flow_sigma=20.0, total_sigma=0.5, gradient_step=0.3)


RECIPES = {
    "fast": Recipe((_mattes((0, 1, 0)),), refinement=()),
    "standard": Recipe((_mattes((15, 1, 0)),), refinement=REFINEMENT),
    "accurate": Recipe(
        (
            _mattes((0, 1, 0)),
            Deformation("CC", 2, ((30, 2, 1), (12, 1, 0)), flow_sigma=12.0, total_sigma=0.5, gradient_step=0.3),
        ),
        refinement=REFINEMENT,
    ),
}
"""Presets by name; what each reaches is measured in `benchmarks/results/registration.json`."""


def fitted(recipe: Recipe, shapes: Sequence[tuple[int, ...]]) -> Recipe:
    """The recipe without levels too coarse for the smaller image."""
    side = min(min(shape) for shape in shapes)

    def fit(levels: tuple[Level, ...]) -> tuple[Level, ...]:
        return tuple(level for level in levels if side >= SMALLEST_SIDE * level[1]) or levels[-1:]

    return replace(recipe, deformable=tuple(replace(stage, levels=fit(stage.levels)) for stage in recipe.deformable))


def deformable_command(recipe: Recipe, folder: Path, seed: int) -> list[str]:
    """Arguments of antsRegistration for the stages of SyN after the linear map."""
    images = f"{folder / 'fixed.nii.gz'},{folder / 'moving.nii.gz'}"
    args = _common(folder, "ants_", seed, str(folder / LINEAR))
    for stage in recipe.deformable:
        args += ["--transform", f"SyN[{stage.gradient_step},{stage.flow_sigma},{stage.total_sigma}]"]
        args += ["--metric", f"{stage.metric}[{images},1,{stage.size},None]"]
        args += _schedule(stage.levels, "-1e6,8")  # a slope never reached: all iterations
    return args


def share_done(recipe: Recipe, log: str) -> float:
    """How much of the deformable part is behind, from ANTs' messages: a line for every iteration that it ends."""
    costs = [
        1 / shrink**3
        for stage in recipe.deformable
        for iterations, shrink, _ in stage.levels
        for _ in range(iterations)
    ]
    return sum(costs[: len(_ITERATION.findall(log))]) / sum(costs) if costs else 1.0


def _common(folder: Path, prefix: str, seed: int, start: str) -> list[str]:
    mask = folder / "moving_mask.nii.gz"
    return [
        *("--dimensionality", "3", "--float", "1", "--random-seed", str(seed), "--verbose", "1"),
        *("--collapse-output-transforms", "1", "--use-histogram-matching", "0"),
        *("--initial-moving-transform", start, "--output", str(folder / prefix)),
        *(("--masks", f"[NULL,{mask}]") if mask.is_file() else ()),
    ]


def _schedule(levels: tuple[Level, ...], convergence: str) -> list[str]:
    iterations, shrinks, sigmas = ("x".join(str(level[i]) for level in levels) for i in range(3))
    return [
        *("--convergence", f"[{iterations},{convergence}]"),
        *("--shrink-factors", shrinks, "--smoothing-sigmas", f"{sigmas}vox"),
    ]


def run(folder: Path) -> None:
    """Do the job described in `folder` (see the module's docstring)."""
    import ants

    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    folder, keep = folder.resolve(), Path()
    os.chdir(job["keep"])  # a comma or a bracket in a path would be part of ANTs' own language
    images = {name: np.load(folder / f"{name}.npy") for name in ("fixed", "moving")}
    recipe = fitted(RECIPES[job["preset"]], [image.shape for image in images.values()])
    for name, image in images.items():
        ants.image_write(_to_ants(ants, image, **job[name]), str(keep / f"{name}.nii.gz"))
    if (folder / "moving_mask.npy").is_file():
        mask = np.load(folder / "moving_mask.npy").astype(np.float32)
        ants.image_write(_to_ants(ants, mask, **job["moving"]), str(keep / "moving_mask.nii.gz"))
    ants.write_transform(_to_linear(ants, np.asarray(job["linear"])), str(keep / LINEAR))
    ants.registration(deformable_command(recipe, keep, job["seed"]), None)
    for name, file in (("warp", "ants_1Warp.nii.gz"), ("inverse_warp", "ants_1InverseWarp.nii.gz")):
        np.save(folder / f"{name}.npy", field_from_ants(ants.image_read(str(keep / file)).numpy()))


def _to_ants(
    ants: Any,  # noqa: ANN401 - an untyped module
    array: npt.NDArray[np.float32],
    spacing_um: list[float],
    origin_um: list[float],
) -> Any:  # noqa: ANN401
    return ants.from_numpy(
        array.transpose(2, 1, 0),
        spacing=[s * MM_PER_UM for s in reversed(spacing_um)],
        origin=[o * MM_PER_UM for o in reversed(origin_um)],
    )


def _to_linear(ants: Any, affine: npt.NDArray[np.float64]) -> Any:  # noqa: ANN401
    """A (3, 4) affine in z, y, x and um as ITK's transform."""
    return ants.create_ants_transform(
        transform_type="AffineTransform",
        dimension=3,
        matrix=affine[::-1, 2::-1],
        translation=affine[::-1, 3] * MM_PER_UM,
    )


def field_from_ants(field: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(x, y, z, component) in mm to (component, z, y, x) in um, components reversed too."""
    return np.ascontiguousarray(field.transpose(3, 2, 1, 0)[::-1], dtype=np.float32) / np.float32(MM_PER_UM)


def _end_with_parent() -> None:
    """Have Linux end this process with the one that started it: a killed run must not leave ANTs at work.

    A Python thread could not: ANTs does not give the interpreter back while it runs.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    _end_with_parent()
    run(Path(sys.argv[1]))
