"""Does another orientation than the declared one fit the atlas clearly better? Asked before the work, of parts too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.geometry.orientation import ORIENTATIONS, AxisMap
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.registration.placement import SCALES, Placement, Template
from volumetric.registration.resample import resample

CLEARLY_BETTER = 0.05
"""Gain in correlation from which another orientation is believed. A real brain and thirteen parts of it reached 0.63 to
0.87 as they were, and 0.06 to 0.15 less in any other orientation that the atlas can tell from it."""

SHOWN = 0.4
"""Of the difference that the atlas shows between two orientations: a brain that is noisy, and not the atlas, shows half
of it."""

CANDIDATES = 6
"""Orientations that are tried at other scales too."""

BLIND = 0.02
"""An atlas that looks so much like itself when turned cannot tell the two apart. Templates made symmetric differ from
their mirror image by 0.002."""

CREDIBLE = 0.55
"""Correlation of the best fit below which none is believed; a small block from the middle of a brain reached 0.63."""


@dataclass(frozen=True)
class OrientationCheck:
    """How well a brain fits the atlas in each orientation.

    Args:
        declared: as given.
        scores: correlation with the atlas by orientation, all 48.
        likeness: correlation of the atlas with what it shows where the brain fits best, turned as each orientation
            would turn that: 1 for the best one, and nearly 1 where the atlas cannot tell one from it.
    """

    declared: str
    scores: Mapping[str, float]
    likeness: Mapping[str, float]

    @property
    def is_credible(self) -> bool:
        """Whether the check says something: what is no brain fits nowhere."""
        return max(self.scores.values()) >= CREDIBLE

    @property
    def best(self) -> str:
        """The orientation that fits best."""
        return max(self.scores, key=lambda name: self.scores[name])

    @property
    def sees_left_and_right(self) -> bool:
        """Whether the atlas can tell the brain from its mirror image."""
        return self.likeness[self.best.translate(str.maketrans("lr", "rl"))] < 1 - BLIND

    @property
    def better(self) -> tuple[str, ...]:
        """The orientations that fit clearly better than the declared one, the best first; empty where it fits.

        They are two where the atlas does not tell left from right.
        """
        alike = [name for name in self.scores if self.likeness[name] >= 1 - BLIND and name != self.best]
        gain = self.scores[self.best] - self.scores[self.declared]
        needed = min(CLEARLY_BETTER, SHOWN * (1 - self.likeness[self.declared]))
        if not self.is_credible or self.declared in (self.best, *alike) or gain <= needed:
            return ()
        return (self.best, *alike)


def check_orientation_fit(
    image: npt.NDArray[np.float32],
    space: VoxelSpace,
    declared: str,
    *,
    template: Template,
    atlas_orientation: str,
) -> OrientationCheck:
    """Try all 48 orientations of a brain, or of a part of one, against the atlas.

    The image, turned by each candidate, is slid over the template; the figure is the correlation where it fits best.
    All are tried at the atlas' scale and at that of the declared one, the best few at others too.

    Args:
        image: (Z, Y, X) float32 in the sample's own axes: tissue, and 0 around it.
        space: its voxels.
        declared: the sample's orientation as given.
        template: of the atlas.
        atlas_orientation: of the template.
    """
    window, grid = resample(image, space, um3((template.step_um / 2,) * 3))

    def placed(name: str, scales: Sequence[float]) -> Placement:
        turn = AxisMap.between(name, atlas_orientation)
        return template.place(turn.apply(window), VoxelSpace(um3(turn.reorder(grid.spacing_um))), scales)

    first = placed(declared, SCALES)
    found = {name: placed(name, (1.0, first.scale)) for name in ORIENTATIONS}
    for name in sorted(found, key=lambda name: -found[name].score)[:CANDIDATES]:
        found[name] = placed(name, SCALES)
    found[declared] = first
    best = max(found, key=lambda name: found[name].score)
    shown = AxisMap.between(atlas_orientation, best).apply(template.window(found[best]))
    likeness = {
        name: template.best_correlation(AxisMap.between(name, atlas_orientation).apply(shown)) for name in ORIENTATIONS
    }
    return OrientationCheck(declared, {name: placement.score for name, placement in found.items()}, likeness)
