"""Landmarks: places that a person found in the brain and in the atlas, to judge a registration and to correct it.

The correction is added in atlas space, `c(y) = sum_j w_j exp(-|y - y_j|^2 / 2 reach^2)` with the weights that
carry every landmark to its place (Gaussian radial basis functions: Fornefett, Rohr and Stiehl, Image and Vision
Computing 2001). Beyond some reaches of all landmarks nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.geometry.box import Index3
from volumetric.geometry.space import Points, VoxelSpace
from volumetric.geometry.transform import SmoothMap
from volumetric.registration.quality import folding_fraction

REACH = 1 / 12
"""Of a landmark's influence, in parts of the atlas' longest side: 1.1 mm in a mouse."""

JITTER = 1e-6
"""Added to the kernel's diagonal so that two landmarks at one place do not make it singular."""


@dataclass(frozen=True)
class Landmarks:
    """Pairs of places, both (n, 3) um, z, y, x: in the sample and in the atlas."""

    sample_um: Points
    atlas_um: Points

    def __post_init__(self) -> None:
        shapes = {self.sample_um.shape, self.atlas_um.shape}
        if len(shapes) != 1 or self.sample_um.ndim != 2 or self.sample_um.shape[1] != 3 or not len(self.sample_um):
            raise InputError(f"landmarks are pairs of points z, y, x in um, at least one; got shapes {shapes}")
        if not (np.all(np.isfinite(self.sample_um)) and np.all(np.isfinite(self.atlas_um))):
            raise InputError("landmarks must be numbers in um; some are missing or not finite")


@dataclass(frozen=True)
class LandmarkErrors:
    """Distances in um, (n,) each.

    Args:
        before: from where the uncorrected registration puts a landmark to its place in the atlas.
        after: the same with the correction.
        left_out: the same with a correction from all other landmarks: what is to be expected elsewhere.
    """

    before: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]
    left_out: npt.NDArray[np.float64]


def corrected(
    there: SmoothMap, back: SmoothMap, landmarks: Landmarks, atlas_shape: Index3
) -> tuple[SmoothMap, SmoothMap, LandmarkErrors]:
    """Both maps of a registration corrected by landmarks, and how far these were off.

    Args:
        there: sample um to atlas um.
        back: its inverse, on the atlas' grid.
        landmarks: at least one pair.
        atlas_shape: (z, y, x) of that grid.

    Raises `InputError` where the landmarks contradict each other so that the corrected map would fold.
    """
    reach = REACH * max(back.grid.extent_um(atlas_shape))
    at = there(landmarks.sample_um)
    residual = landmarks.atlas_um - at
    correction = _Correction.fit(at, residual, reach)
    grid, shape = _coarser_grid(back.grid, atlas_shape, reach)
    shift = correction.on(grid, shape)
    if folding_fraction(shift) > 0:
        sizes = np.linalg.norm(residual, axis=1)
        raise InputError(
            "the landmarks contradict each other: to meet them all, neighbours would have to pass through one another. "
            f"The largest correction is {sizes.max():.0f} um, of landmark {int(sizes.argmax()) + 1}: check it"
        )
    undone = shift.inverse(grid, shape)
    left_out = [
        residual[i] - _Correction.fit(np.delete(at, i, 0), np.delete(residual, i, 0), reach)(at[i : i + 1])[0]
        for i in range(len(at))
    ]
    new_there = there.then(shift)
    new_back = SmoothMap.identity(back.grid, atlas_shape).then(undone).then(back).with_affine(back.affine)
    errors = LandmarkErrors(
        before=np.linalg.norm(residual, axis=1),
        after=np.linalg.norm(landmarks.atlas_um - new_there(landmarks.sample_um), axis=1),
        left_out=np.linalg.norm(left_out, axis=1),
    )
    return new_there, new_back, errors


@dataclass(frozen=True)
class _Correction:
    centres: Points
    weights: npt.NDArray[np.float64]
    reach: float

    @classmethod
    def fit(cls, centres: Points, values: Points, reach: float) -> _Correction:
        kernel = _gauss(centres, centres, reach) + JITTER * np.eye(len(centres))
        return cls(centres, np.asarray(np.linalg.solve(kernel, values), dtype=np.float64), reach)

    def __call__(self, points: Points) -> Points:
        moved: Points = _gauss(points, self.centres, self.reach) @ self.weights
        return moved

    def on(self, grid: VoxelSpace, shape: Index3) -> SmoothMap:
        """`y + c(y)` on a grid."""
        points = grid.to_um(np.indices(shape).reshape(3, -1).T)
        return SmoothMap(np.eye(3, 4), self(points).T.reshape(3, *shape).astype(np.float32), grid)


def _gauss(points: Points, centres: Points, reach: float) -> npt.NDArray[np.float64]:
    squares = ((points[:, None] - centres[None]) ** 2).sum(axis=2)
    kernel: npt.NDArray[np.float64] = np.exp(-squares / (2 * reach**2))
    return kernel


def _coarser_grid(space: VoxelSpace, shape: Index3, reach: float) -> tuple[VoxelSpace, Index3]:
    """A grid over the atlas of an eighth of the reach, on which linear interpolation is off by 0.2% of a correction."""
    factors = [max(1, int(reach / 8 / step)) for step in space.spacing_um]
    z, y, x = (-(-(n - 1) // f) + 1 for n, f in zip(shape, factors, strict=True))
    spacing = (space.spacing_um[0] * factors[0], space.spacing_um[1] * factors[1], space.spacing_um[2] * factors[2])
    return VoxelSpace(spacing, space.origin_um), (z, y, x)
