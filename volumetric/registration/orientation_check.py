"""Does another orientation than the declared one fit the atlas clearly better? Asked before the work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.geometry.orientation import ORIENTATIONS, AxisMap
from volumetric.geometry.space import Um3, VoxelSpace, um3
from volumetric.registration.preflight import SIZE_RANGE
from volumetric.registration.quality import ncc_in_mask

COARSE_UM = 400.0
CLEARLY_BETTER = 0.05
"""Gain in correlation from which another orientation is believed: a real brain reached 0.89 as it was, and at most
0.81 in any other that the atlas can tell from it."""

BLIND = 0.02
"""An atlas that looks so much like itself when turned cannot tell the two apart. Templates made symmetric differ from
their mirror image by 0.002."""

CREDIBLE = 0.6
"""Correlation of the best fit below which none is believed."""


@dataclass(frozen=True)
class OrientationCheck:
    """How well a brain fits the atlas in each orientation.

    Args:
        declared: as given.
        scores: correlation with the atlas by orientation, all 48.
        likeness: correlation of the atlas with itself, turned as each orientation would turn the declared one.
        brain_sized: whether the imaged volume measures about what the atlas does, its axes in any order.
    """

    declared: str
    scores: Mapping[str, float]
    likeness: Mapping[str, float]
    brain_sized: bool

    @property
    def is_credible(self) -> bool:
        """Whether the check says something: a crop, or what is no brain, fits everywhere alike."""
        return self.brain_sized and max(self.scores.values()) >= CREDIBLE

    @property
    def sees_left_and_right(self) -> bool:
        """Whether the atlas can tell the brain from its mirror image."""
        return self._tells(self.declared.translate(str.maketrans("lr", "rl")))

    @property
    def better(self) -> tuple[str, ...]:
        """The orientations that fit clearly better than the declared one, the best first; empty where it fits.

        They are two where the atlas does not tell left from right.
        """
        best = max(filter(self._tells, self.scores), key=lambda name: self.scores[name])
        gain = self.scores[best] - self.scores[self.declared]
        if not self.is_credible or gain <= min(CLEARLY_BETTER, (1 - self.likeness[best]) / 2):
            return ()
        alike = [name for name in self.scores if name != best and self.scores[name] > self.scores[best] - BLIND / 2]
        return (best, *alike)

    def _tells(self, name: str) -> bool:
        return self.likeness[name] < 1 - BLIND


def check_orientation_fit(
    image: npt.NDArray[np.float32],
    space: VoxelSpace,
    declared: str,
    *,
    template: npt.NDArray[np.generic],
    template_space: VoxelSpace,
    atlas_orientation: str,
) -> OrientationCheck:
    """Try all 48 orientations of a brain against the atlas.

    Both images are brought to about 400 um; the brain's bright body, turned by each candidate, is laid on the
    template's by its centre and its spread along each axis; the figure is the correlation over the whole array.

    Args:
        image: (Z, Y, X) float32, normalised, in the sample's own axes.
        space: its voxels.
        declared: the sample's orientation as given.
        template: (Z, Y, X) of the atlas.
        template_space: its voxels.
        atlas_orientation: of the template.
    """
    target = _coarse(template.astype(np.float32), template_space)
    source = _coarse(image, space)
    undone = AxisMap.between(atlas_orientation, declared).apply(target)
    turns = {name: AxisMap.between(name, atlas_orientation) for name in ORIENTATIONS}
    return OrientationCheck(
        declared,
        {name: _fit(turn.apply(source), target) for name, turn in turns.items()},
        {name: _fit(turn.apply(undone), target) for name, turn in turns.items()},
        brain_sized=_same_size(space.extent_um(image.shape), template_space.extent_um(template.shape)),
    )


def _same_size(edges_um: Um3, atlas_edges_um: Um3) -> bool:
    low, high = SIZE_RANGE
    ratios = (edge / expected for edge, expected in zip(sorted(edges_um), sorted(atlas_edges_um), strict=True))
    return all(low <= ratio <= high for ratio in ratios)


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
