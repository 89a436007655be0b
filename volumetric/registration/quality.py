"""Is a registration to be trusted? Its figures, and what is made of them; pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap

DICE_DOUBTFUL, DICE_USELESS = 0.85, 0.5
NCC_DOUBTFUL = 0.15
FOLDING_USELESS = 0.01
CONSISTENCY_DOUBTFUL_VOX, CONSISTENCY_USELESS_VOX = 0.5, 2.0
"""A mouse brain and the phantoms reach an overlap of 0.95, a correlation of 0.5, no folding and 0.02 voxels."""


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


def judge(figures: Figures, voxel_um: float) -> tuple[list[str], list[str]]:
    """What is doubtful and what is beyond use in a registration, in words.

    The correlation only raises doubt: another stain may show the same anatomy in other tones.

    Args:
        figures: as measured.
        voxel_um: edge of an atlas voxel.
    """
    consistency = figures.inverse_consistency_um / voxel_um
    dice, ncc, folding = figures.mask_dice, figures.ncc_in_mask, figures.folding_fraction
    findings = (
        (
            dice < DICE_DOUBTFUL,
            dice < DICE_USELESS,
            f"tissue and atlas overlap by {dice:.2f} (Dice) only",
        ),
        (
            ncc < NCC_DOUBTFUL,
            False,
            f"the brain and the template hardly correlate ({ncc:.2f})",
        ),
        (
            folding > 0,
            folding > FOLDING_USELESS,
            f"the map folds in {folding:.2%} of the brain",
        ),
        (
            consistency > CONSISTENCY_DOUBTFUL_VOX,
            consistency > CONSISTENCY_USELESS_VOX,
            f"the two maps disagree by {consistency:.1f} atlas voxels",
        ),
    )
    doubts = [words for doubtful, useless, words in findings if doubtful and not useless]
    faults = [words for _, useless, words in findings if useless]
    return doubts, faults
