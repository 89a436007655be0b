"""Is a registration to be trusted? Its figures, and what is made of them; pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.findings import Finding, Grade
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap

DICE_DOUBTFUL, DICE_USELESS = 0.85, 0.5
NCC_DOUBTFUL = 0.15
FOLDING_USELESS = 0.01
CONSISTENCY_DOUBTFUL_VOX, CONSISTENCY_USELESS_VOX = 0.5, 2.0
"""A mouse brain and the phantoms reach an overlap of 0.95, a correlation of 0.5, no folding and 0.02 voxels."""

SAID = {
    "mask_dice": "tissue and atlas overlap by {:.2f} (Dice) only",
    "ncc_in_mask": "the brain and the template hardly correlate ({:.2f})",
    "folding_fraction": "the map folds in {:.2%} of the brain",
    "inverse_consistency_um": "the two maps disagree by {:.1f} um",
}
"""Of a figure that is not good."""


def ncc_in_mask(one: npt.NDArray[np.generic], other: npt.NDArray[np.generic], mask: npt.NDArray[np.bool_]) -> float:
    """Pearson correlation of two images of one shape over the mask; NaN where one of them is constant."""
    a, b = one[mask].astype(np.float64), other[mask].astype(np.float64)
    if a.size < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def mask_dice(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    """Twice the common voxels over the sum of both; 1 for two empty masks (Dice 1945)."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


def folding_fraction(transform: SmoothMap, mask: npt.NDArray[np.bool_] | None = None) -> float:
    """Share of grid points (in the mask) where the map turns space inside out.

    That is where its Jacobian determinant has not the sign of the affine's.
    """
    folded = transform.jacobian_on_grid() * np.sign(np.linalg.det(transform.affine[:, :3])) <= 0
    inside = folded if mask is None else folded[mask]
    return float(np.mean(inside)) if inside.size else 0.0


def inverse_consistency_um(
    there: SmoothMap, back: SmoothMap, mask: npt.NDArray[np.bool_], rng: np.random.Generator, n: int = 10_000
) -> float:
    """Median distance in um of `back(there(p))` from p, over random points of `there`'s grid in the mask."""
    index = np.argwhere(mask)
    if len(index) == 0:
        return float("nan")
    chosen = index[rng.integers(0, len(index), n)] + rng.uniform(-0.5, 0.5, (n, 3))
    points = there.grid.to_um(chosen)
    return float(np.median(np.linalg.norm(back(there(points)) - points, axis=1)))


def sample_through(
    image: npt.NDArray[np.generic], space: VoxelSpace, transform: SmoothMap, *, order: Literal[1, 3] = 1
) -> npt.NDArray[np.float32]:
    """An image of the target space seen on the map's own grid by splines of an order, float32; 0 beyond the image."""
    at = transform.on_grid()
    for axis in range(3):
        at[axis] = (at[axis] - space.origin_um[axis]) / space.spacing_um[axis]
    seen: npt.NDArray[np.float32] = ndimage.map_coordinates(
        image.astype(np.float32), at, order=order, mode="constant", output=np.float32
    )
    return seen


@dataclass(frozen=True)
class Figures:
    """What is measured of a registration."""

    ncc_in_mask: float
    mask_dice: float
    folding_fraction: float
    inverse_consistency_um: float


def judge(figures: Figures, voxel_um: float) -> Iterator[Finding]:
    """What is doubtful and what is beyond use in a registration.

    The correlation only raises doubt: another stain may show the same anatomy in other tones.

    Args:
        figures: as measured.
        voxel_um: edge of an atlas voxel.
    """
    for figure, grade in grades(figures, voxel_um).items():
        if grade not in (None, Grade.GOOD):
            yield Finding(grade, SAID[figure].format(getattr(figures, figure)))


def grades(figures: Figures, voxel_um: float) -> dict[str, Grade | None]:
    """What each figure means alone, by its name; None where there was nothing to measure."""
    consistency = figures.inverse_consistency_um / voxel_um
    return {
        "mask_dice": _grade(-figures.mask_dice, -DICE_DOUBTFUL, -DICE_USELESS),
        "ncc_in_mask": _grade(-figures.ncc_in_mask, -NCC_DOUBTFUL, math.inf),
        "folding_fraction": _grade(figures.folding_fraction, 0.0, FOLDING_USELESS),
        "inverse_consistency_um": _grade(consistency, CONSISTENCY_DOUBTFUL_VOX, CONSISTENCY_USELESS_VOX),
    }


def _grade(value: float, doubtful: float, unusable: float) -> Grade | None:
    """By limits that are exceeded; larger is worse."""
    if math.isnan(value):
        return None
    if value > unusable:
        return Grade.UNUSABLE
    return Grade.DOUBTFUL if value > doubtful else Grade.GOOD
