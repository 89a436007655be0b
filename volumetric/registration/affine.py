"""A placed window turned, stretched and moved until it fits best: an affine map by least squares.

Gauss and Newton's steps on the squared difference of the window and the template seen through the map, the tones
joined by one straight line, which is the same as the largest correlation (Evangelidis and Psarakis, IEEE TPAMI 2008).
A thin slab does not tell how long a brain is: stretch and shear are held near those of equal brains by a prior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg, ndimage

from volumetric.geometry.space import Points, VoxelSpace
from volumetric.registration.view import View

Image = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

STEPS = 40
SHRINKINGS = 5
"""Times a step that does not help is halved before the search ends."""

ENOUGH = 1e-5
"""Gain in correlation below which the search ends."""


@dataclass(frozen=True)
class Fitted:
    """An affine map from atlas um to the window's um, (3, 4), and the correlation through it."""

    affine: Matrix
    correlation: float


def fit_affine(
    window: View,
    template: View,
    start: Matrix,
    *,
    hold: float,
) -> Fitted:
    """The affine map through which the template correlates best with the window.

    Args:
        window: turned as the atlas; voxels that count are compared.
        template: the atlas; empty beyond its array.
        start: (3, 4), a first guess, from atlas um to the window's um.
        hold: loss of correlation that a stretch or shear by a tenth is worth.
    """
    compared = window.weight > 0
    at = window.space.to_um(np.argwhere(compared))
    values = window.image[compared].astype(np.float64)
    problem = _Problem(at - at.mean(axis=0), values, template.image, template.space, hold)
    linear: Matrix = np.linalg.inv(start[:, :3]).astype(np.float64)
    middle = linear @ (at.mean(axis=0) - start[:, 3])
    state = problem.at(linear, middle)
    for _ in range(STEPS):
        turn, shift = problem.step(state)
        better = None
        for halving in range(SHRINKINGS):
            share = 0.5**halving
            tried = problem.at(np.asarray(linalg.expm(share * turn)) @ state.linear, state.middle + share * shift)
            if tried.merit > state.merit:
                better = tried
                break
        if better is None:
            break
        gain, state = better.merit - state.merit, better
        if gain < ENOUGH:
            break
    back = np.linalg.inv(state.linear)
    return Fitted(np.column_stack([back, at.mean(axis=0) - back @ state.middle]), state.correlation)


@dataclass(frozen=True)
class _State:
    """A map, atlas = linear @ (q - centre) + middle, and what is seen through it."""

    linear: Matrix
    middle: Matrix
    where: Points
    seen: Matrix
    correlation: float
    merit: float


@dataclass(frozen=True)
class _Problem:
    places: Points
    values: Matrix
    template: Image
    space: VoxelSpace
    hold: float

    def at(self, linear: Matrix, middle: Matrix) -> _State:
        where = self.places @ linear.T + middle
        seen = self._through(self.template, where)
        spread = float(seen.std() * self.values.std())
        correlation = (
            float(((seen - seen.mean()) * (self.values - self.values.mean())).mean() / spread) if spread else -1.0
        )
        stretch = _stretch(linear)
        return _State(
            linear, middle, where, seen, correlation, correlation - 100 * self.hold * float((stretch**2).sum())
        )

    def step(self, state: _State) -> tuple[Matrix, Matrix]:
        """A change of the linear part (to be exponentiated) and of the middle, um."""
        reach = max(float(np.abs(state.where - state.middle).max()), 1.0)
        slopes = np.stack([self._through(part, state.where) for part in self._gradient()], axis=1)
        arm = (state.where - state.middle) / reach
        columns = [slopes[:, i] * arm[:, j] for i in range(3) for j in range(3)] + [slopes[:, i] for i in range(3)]
        variance = float(self.values.var())
        tone = float(np.cov(self.values, state.seen)[0, 1] / max(float(state.seen.var()), 1e-12))
        system = np.column_stack([*(tone * column for column in columns), state.seen, np.ones(len(state.seen))])
        normal = system.T @ system
        right = system.T @ self.values
        # The prior, on the symmetric part of the generator; `right` then asks for what undoes the present stretch.
        weight = 200 * self.hold * variance * len(self.values)
        stretch = _stretch(state.linear)
        for i in range(3):
            for j in range(3):
                row = np.zeros(len(normal))
                row[3 * i + j] += 0.5 / reach
                row[3 * j + i] += 0.5 / reach
                normal += weight * np.outer(row, row)
                right -= weight * row * stretch[i, j]
        normal[np.diag_indices(len(normal))] *= 1 + 1e-6
        found = np.linalg.lstsq(normal, right, rcond=None)[0]
        return found[:9].reshape(3, 3) / reach, found[9:12]

    def _gradient(self) -> list[Image]:
        return [np.gradient(self.template, step, axis=axis) for axis, step in enumerate(self.space.spacing_um)]

    def _through(self, image: Image, where: Points) -> Matrix:
        seen: Matrix = ndimage.map_coordinates(image, self.space.to_vox(where).T, order=1, output=np.float64)
        return seen


def _stretch(linear: Matrix) -> Matrix:
    """Logarithm of the symmetric part of a map: 0 for one that only turns."""
    _, symmetric = linalg.polar(linear, side="left")
    values, vectors = np.linalg.eigh(symmetric)
    logarithm: Matrix = (vectors * np.log(values)) @ vectors.T
    return logarithm
