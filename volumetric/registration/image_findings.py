"""What is noticed of a brain's image before it is registered: its contrast, its tissue, bright objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from volumetric.findings import Finding, Grade
from volumetric.geometry.space import Um3, um3
from volumetric.registration.body import CUBE
from volumetric.registration.prepare import Prepared

NAMED = 0.0025
"""Volume of a bright object, in parts of the tissue, from which it is named: debris on a good brain has 0.0017."""

MOST_NAMED = 3
INSIDE, OUTSIDE = 0.8, 0.05
"""Share of an object in the brain's mask from which it lies in the brain, and up to which beside it."""

HIDDEN = 0.05
"""Share of the tissue behind bright objects from which the registration is in doubt."""

LITTLE, NO_BRAIN = 0.3, 0.02
"""Tissue in parts of a whole brain."""

FEW_LEVELS = 10
SATURATED = 0.05
"""Share of the tissue at the largest grey value from which its structure is in doubt."""


@dataclass(frozen=True)
class BrightObject:
    """A body that is brighter than any tissue.

    Args:
        centre_um: of its box, in the sample's own axes, from the centre of the first voxel of the image.
        size_um: edges of its box.
        frame_share: its volume in parts of the image.
        in_brain: which share of it lies in the brain's mask.
    """

    centre_um: Um3
    size_um: Um3
    frame_share: float
    in_brain: float

    def __str__(self) -> str:
        if self.in_brain >= INSIDE:
            where = "in the brain"
        elif self.in_brain <= OUTSIDE:
            where = "beside the brain"
        else:
            where = "across the brain's edge"
        place = f"{_mm(self.size_um)} mm around ({_mm(self.centre_um, ', ')}) mm"
        return f"{place}, {where}, {self.frame_share:.1%} of the image"


def bright_objects(sample: Prepared) -> tuple[BrightObject, ...]:
    """Those worth a name, the largest first; what is excluded is none."""
    bright, tissue = (sample.back.apply(mask) for mask in (sample.bright & ~sample.damaged, sample.tissue))
    labels, _ = ndimage.label(bright, CUBE)
    sizes = np.bincount(labels.ravel())
    grid, boxes = sample.sample_grid, ndimage.find_objects(labels)
    found = []
    for number in np.argsort(-sizes[1:], kind="stable") + 1:
        if sizes[number] < NAMED * sample.tissue.sum():
            break
        box = boxes[number - 1]
        within = labels[box] == number
        low, high = grid.to_um([[axis.start - 0.5 for axis in box], [axis.stop - 0.5 for axis in box]])
        found.append(
            BrightObject(
                um3((low + high) / 2),
                um3(high - low),
                float(sizes[number] / labels.size),
                float(tissue[box][within].mean()),
            )
        )
    return tuple(found)


def image_findings(sample: Prepared, brain_um3: float) -> tuple[Finding, ...]:
    """What speaks for and against the image of a brain.

    Args:
        sample: the brain, prepared.
        brain_um3: volume of a whole brain of the atlas.
    """
    return (*_of_contrast(sample), *_of_tissue(sample, brain_um3), *_of_objects(sample))


def _of_contrast(sample: Prepared) -> Iterator[Finding]:
    body = sample.body
    if body.light.inverted:
        yield Finding(
            Grade.DOUBTFUL,
            "the contrast is inverted: tissue is dark on a bright background. It was registered as its negative; "
            "look at the overlay, and give another channel if this is not what you imaged",
        )
    if body.grey_levels < FEW_LEVELS:
        yield Finding(
            Grade.DOUBTFUL,
            f"the image is very dim: its tissue has {body.grey_levels} different grey values, where some hundred are "
            "usual. Its borders cannot be exact; give a brighter channel if there is one",
        )
    elif body.saturated > SATURATED:
        yield Finding(
            Grade.DOUBTFUL,
            f"the image is saturated: {body.saturated:.0%} of the tissue has the largest grey value, and shows no "
            "structure there. Give another channel, or image with less light",
        )


def _of_tissue(sample: Prepared, brain_um3: float) -> Iterator[Finding]:
    if not sample.body.stands_out:
        yield Finding(
            Grade.DOUBTFUL,
            "no body of tissue stands out from a background: all of the image is taken for tissue. This is right for "
            "a piece cut out of a brain, and wrong for an empty or very noisy channel",
        )
    volume = sample.tissue.sum() * sample.space.voxel_volume_mm3
    share = float(volume / (brain_um3 * 1e-9))
    if share < LITTLE:
        yield Finding(
            Grade.UNUSABLE if share < NO_BRAIN else Grade.DOUBTFUL,
            f"little tissue was found: {volume:.3g} mm3, {share:.1%} of the {brain_um3 * 1e-9:.3g} mm3 of the atlas' "
            "brain. This is right for a small part of a brain; otherwise look at the channel and at the voxel size",
        )


def _of_objects(sample: Prepared) -> Iterator[Finding]:
    objects = bright_objects(sample)
    if not objects:
        return
    hidden = float((sample.bright & sample.mask).sum() / max(1, sample.mask.sum()))
    named = "; ".join(map(str, objects[:MOST_NAMED]))
    more = f"; and {len(objects) - MOST_NAMED} more" if len(objects) > MOST_NAMED else ""
    count = "a bright object was" if len(objects) == 1 else f"{len(objects)} bright objects were"
    yield Finding(
        Grade.DOUBTFUL if hidden > HIDDEN else Grade.GOOD,
        f"{count} left aside (size and place z, y, x): {named}{more}. Bright spots hide {hidden:.1%} of the tissue "
        "in all. Glue, holders and damage are best painted in --exclude-mask",
    )


def _mm(um: Um3, between: str = " x ") -> str:
    return between.join(f"{value / 1000:.3g}" for value in um)
