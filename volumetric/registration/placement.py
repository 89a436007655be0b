"""Where a brain, or a part of one, lies in the atlas: its image is slid over the coarse template.

The image is a window: beyond it nothing is known, so that a half or a slab is found where it belongs and is not
stretched over a whole brain. The figure is the normalised cross-correlation at every shift, by Fourier transforms
(Lewis, Vision Interface 1995), at some scales: sample and atlas differ in size by some per cent, or a voxel size is
wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from volumetric.geometry.box import Box, Index3, index3
from volumetric.geometry.space import Points, Um3, VoxelSpace, um3
from volumetric.registration.prepare import Prepared, normalise
from volumetric.registration.resample import resample

Image = npt.NDArray[np.float32]

COARSE_UM = 400.0
"""Voxels for a mouse brain of 13.2 mm; as many voxels for a brain of another size."""

BRAIN_UM = 13_200.0

SCALES = (0.56, 0.63, 0.71, 0.8, 0.86, 0.93, 1.0, 1.08, 1.16, 1.25, 1.41, 1.6, 1.8)
"""Lengths in the sample in those of the atlas that are tried."""

SCALE_DOUBT = 0.1
"""What the logarithm of a scale takes from its score: a small window fits many scales about alike, and brains of one
kind are of about one size."""

APART = 3
"""Voxels between a best place and its rival."""

SEEN_SPREAD = 0.25
"""Least standard deviation of the template under the window, in the whole template's: empty space fits nothing."""


@dataclass(frozen=True)
class Placement:
    """Where the window lies.

    Args:
        score: correlation with the template there, -1 to 1.
        scale: lengths of the sample in those of the atlas.
        affine: (3, 4), atlas um to um of the window's own axes, turned as the atlas.
        low_um, high_um: outer edges of the window in the atlas.
        rival: best correlation farther away than a fuzzy maximum reaches.
        rival_um: how far away, um of the atlas.
    """

    score: float
    scale: float
    affine: npt.NDArray[np.float64]
    low_um: Um3
    high_um: Um3
    rival: float
    rival_um: float

    @property
    def merit(self) -> float:
        """The score, less what speaks against the scale."""
        return self.score - SCALE_DOUBT * abs(math.log(self.scale))

    def to_atlas(self, points_um: npt.ArrayLike) -> Points:
        """(n, 3) um of the window's axes to um of the atlas."""
        points = np.asarray(points_um, dtype=np.float64).reshape(-1, 3)
        placed: Points = (points - self.affine[:, 3]) / self.scale
        return placed


def boxed(sample: Prepared) -> tuple[Image, VoxelSpace]:
    """The image of a brain within the box around its tissue, and where its voxels lie: a window without a frame."""
    where = np.argwhere(sample.mask)
    box = Box(index3(where.min(axis=0)), index3(where.max(axis=0) + 1))
    return sample.brain[box.slices], VoxelSpace(sample.space.spacing_um, um3(sample.space.to_um([box.start])[0]))


class Template:
    """The coarse template, over which windows are slid."""

    def __init__(self, template: npt.NDArray[np.generic], space: VoxelSpace) -> None:
        self.step_um = COARSE_UM * max(space.extent_um(template.shape)) / BRAIN_UM
        self.image, self.space = resample(normalise(template), space, um3((self.step_um,) * 3))
        self._spectra: dict[tuple[Index3, Index3], tuple[npt.NDArray[np.complex128], npt.NDArray[np.float64]]] = {}

    def place(self, image: Image, space: VoxelSpace, scales: Sequence[float] = SCALES) -> Placement:
        """The best place of a window among all shifts and some scales.

        Args:
            image: (Z, Y, X) float32, its axes turned as the atlas; all of it is tissue or empty space around it.
            space: of its voxels.
            scales: to be tried.
        """
        return max((self._place(image, space, scale) for scale in scales), key=lambda placement: placement.merit)

    def window(self, placement: Placement) -> Image:
        """What the template shows where a window was placed; 0 beyond it."""
        first = np.rint((np.asarray(placement.low_um) - self.space.origin_um) / self.step_um + 0.5).astype(int)
        last = np.rint((np.asarray(placement.high_um) - self.space.origin_um) / self.step_um + 0.5).astype(int)
        index = np.indices(tuple(np.maximum(last - first, 1))) + first.reshape(3, 1, 1, 1)
        shown: Image = ndimage.map_coordinates(self.image, index, order=0, mode="constant")
        return shown

    def best_correlation(self, window: Image) -> float:
        """Of a window of voxels as large as the template's, at the best of all shifts."""
        return float(self._correlation(window.astype(np.float64)).max())

    def _place(self, image: Image, space: VoxelSpace, scale: float) -> Placement:
        step = self.step_um * scale
        window, grid = resample(image, space, um3((step,) * 3))
        scores = self._correlation(window.astype(np.float64))
        best = np.unravel_index(int(scores.argmax()), scores.shape)
        near = tuple(slice(max(0, int(at) - APART), int(at) + APART + 1) for at in best)
        elsewhere = scores.copy()
        elsewhere[near] = -1
        rival = np.unravel_index(int(elsewhere.argmax()), scores.shape)
        first = np.asarray(best) - (np.asarray(window.shape) - 1)
        low = np.asarray(self.space.origin_um) + (first - 0.5) * self.step_um
        origin = np.asarray(grid.origin_um) - scale * (low + 0.5 * self.step_um)
        return Placement(
            float(scores[best]),
            scale,
            np.column_stack([scale * np.eye(3), origin]),
            um3(low),
            um3(low + np.asarray(window.shape) * self.step_um),
            float(elsewhere[rival]),
            float(np.linalg.norm(np.subtract(rival, best)) * self.step_um),
        )

    def _correlation(self, window: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Of the window with the template at all shifts at which they overlap; -1 where the template is empty."""
        shape = index3(window.shape)
        out = index3(n + w - 1 for n, w in zip(self.image.shape, shape, strict=True))
        size = index3(
            fft.next_fast_len(n + 2 * (w - 1), real=True) for n, w in zip(self.image.shape, shape, strict=True)
        )
        spectrum, spread = self._spectrum(shape, size)
        centred = window - window.mean()
        product = fft.irfftn(spectrum * np.conj(fft.rfftn(centred, size)), size)[Box.of_shape(out).slices]
        floor = SEEN_SPREAD**2 * float(self.image.var()) * window.size
        scores: npt.NDArray[np.float64] = product / np.sqrt(np.maximum(spread, floor) * max((centred**2).sum(), 1e-30))
        scores[spread < floor] = -1
        return scores

    def _spectrum(self, shape: Index3, size: Index3) -> tuple[npt.NDArray[np.complex128], npt.NDArray[np.float64]]:
        """The padded template's transform, and its sum of squares about the mean under a window of the shape."""
        if (shape, size) not in self._spectra:
            wide = np.pad(self.image.astype(np.float64), [(n - 1, n - 1) for n in shape])
            spectrum, squares = fft.rfftn(wide, size), fft.rfftn(wide**2, size)
            ones = np.conj(fft.rfftn(np.ones(shape), size))
            out = Box.of_shape(index3(w - n + 1 for w, n in zip(wide.shape, shape, strict=True))).slices
            total, total_of_squares = (fft.irfftn(part * ones, size)[out] for part in (spectrum, squares))
            self._spectra[shape, size] = spectrum, total_of_squares - total**2 / math.prod(shape)
        return self._spectra[shape, size]
