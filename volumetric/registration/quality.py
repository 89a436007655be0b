"""Is a registration, and what went into it, to be trusted? Figures and warnings; pure functions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.geometry.orientation import ORIENTATIONS, AxisMap
from volumetric.geometry.space import Um3, VoxelSpace, um3
from volumetric.geometry.transform import SmoothMap

SIZE_RANGE = (0.6, 1.6)
"""Adult brains differ by some per cent and tissue shrinks or swells by up to a third when cleared."""

ANISOTROPY_LIMIT = 20.0
COARSE_UM = 400.0
CLEARLY_BETTER = 0.05
"""Gain in correlation from which another orientation is named: a real brain reached 0.89 as it was and at
most 0.81 in any other."""


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

    The Jacobian determinant of `A x + u(x)` by central differences, against the sign of det A.
    """
    spacing = transform.grid.spacing_um
    if min(transform.displacement_um.shape[1:]) < 2:
        return 0.0
    jacobian = np.empty((*transform.displacement_um.shape[1:], 3, 3), dtype=np.float32)
    for row in range(3):
        slopes = np.gradient(transform.displacement_um[row], *spacing)
        for column in range(3):
            jacobian[..., row, column] = slopes[column] + transform.affine[row, column]
    folded = np.linalg.det(jacobian) * np.sign(np.linalg.det(transform.affine[:, :3])) <= 0
    return float(np.mean(folded if mask is None else folded[mask]))


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


def sample_through(image: npt.NDArray[np.generic], space: VoxelSpace, transform: SmoothMap) -> npt.NDArray[np.float32]:
    """An image of the target space seen on the map's own grid, float32; 0 beyond the image."""
    at = transform.on_grid()
    for axis in range(3):
        at[axis] = (at[axis] - space.origin_um[axis]) / space.spacing_um[axis]
    seen: npt.NDArray[np.float32] = ndimage.map_coordinates(
        image.astype(np.float32), at, order=1, mode="constant", output=np.float32
    )
    return seen


def size_warnings(edges_um: Um3, atlas_edges_um: Um3) -> list[str]:
    """Says so where the imaged volume is much smaller or larger than the atlas along an axis."""
    low, high = SIZE_RANGE
    warnings = []
    for axis, edge, expected in zip("zyx", edges_um, atlas_edges_um, strict=True):
        ratio = edge / expected
        if not low <= ratio <= high:
            warnings.append(
                f"along the atlas' {axis} axis the imaged volume measures {edge / 1000:.1f} mm, "
                f"{ratio:.2f} of the atlas' {expected / 1000:.1f} mm: a wrong voxel size or orientation, "
                "a part of a brain, or much empty space around it"
            )
    return warnings


def voxel_warnings(spacing_um: Um3) -> list[str]:
    """Says so where a voxel is so long that a unit or the order of the axes may be wrong."""
    longest, shortest = max(spacing_um), min(spacing_um)
    if longest / shortest <= ANISOTROPY_LIMIT:
        return []
    return [
        f"the voxel size {spacing_um} um (z, y, x) is {longest / shortest:.0f} times longer than wide: "
        "is one of the values in another unit, or the order wrong?"
    ]


def better_orientation(
    image: npt.NDArray[np.float32],
    space: VoxelSpace,
    declared: str,
    *,
    template: npt.NDArray[np.generic],
    template_space: VoxelSpace,
    atlas_orientation: str,
) -> tuple[dict[str, float], str | None]:
    """Does another orientation than the declared one fit the atlas clearly better?

    Both images are brought to about 400 um; the brain's bright body, turned by each candidate, is laid on the
    template's by its centre and its spread along each axis; the figure is the correlation over the whole
    array. Left and right of a symmetric atlas cannot be told apart, here or by any other means: a wrong
    left-right letter goes unseen, and only the 24 candidates with the declared one are tried.

    Args:
        image: (Z, Y, X) float32, normalised, in the sample's own axes.
        space: its voxels.
        declared: the sample's orientation as given.
        template: (Z, Y, X) of the atlas.
        template_space: its voxels.
        atlas_orientation: of the template.

    Returns the correlation of each candidate by name, and the name of the best if it is better than the
    declared one by more than 0.05, otherwise None.
    """
    target = _coarse(template.astype(np.float32), template_space)
    source = _coarse(image, space)
    side = next(letter for letter in declared if letter in "lr")
    scores = {
        name: _fit(AxisMap.between(name, atlas_orientation).apply(source), target)
        for name in ORIENTATIONS
        if side in name
    }
    best = max(scores, key=lambda name: scores[name])
    return scores, best if scores[best] > scores[declared] + CLEARLY_BETTER else None


def _coarse(image: npt.NDArray[np.float32], space: VoxelSpace) -> npt.NDArray[np.float32]:
    zoom = np.asarray(space.spacing_um) / _coarse_step(space, image.shape)
    smooth = ndimage.gaussian_filter(image, 0.5 / np.minimum(zoom, 1.0))
    out: npt.NDArray[np.float32] = ndimage.zoom(smooth, np.minimum(zoom, 1.0), order=1)
    return out


def _coarse_step(space: VoxelSpace, shape: Iterable[int]) -> float:
    """400 um for a mouse brain of 13 mm; the same number of voxels for a miniature."""
    return COARSE_UM * max(um3(space.extent_um(shape))) / 13_200


def _fit(image: npt.NDArray[np.float32], target: npt.NDArray[np.float32]) -> float:
    """Correlation after matching centre and spread of the two bright bodies axis by axis."""
    scale, offset = [], []
    for axis in range(3):
        (centre, spread), (wanted, wanted_spread) = _moments(image, axis), _moments(target, axis)
        scale.append(spread / wanted_spread)
        offset.append(centre - wanted * scale[-1])
    moved = ndimage.affine_transform(image, np.diag(scale), offset, output_shape=target.shape, order=1)
    return ncc_in_mask(moved, target, np.ones(target.shape, dtype=np.bool_))


def _moments(image: npt.NDArray[np.float32], axis: int) -> tuple[float, float]:
    """Mean and standard deviation of the bright voxels' positions along an axis."""
    bright = image > 0.5 * float(image.mean() + image.std())
    weight = bright.sum(axis=tuple(a for a in range(3) if a != axis)).astype(np.float64)
    at = np.arange(len(weight))
    centre = float((at * weight).sum() / max(weight.sum(), 1.0))
    spread = float(np.sqrt((((at - centre) ** 2) * weight).sum() / max(weight.sum(), 1.0)))
    return centre, max(spread, 0.5)
