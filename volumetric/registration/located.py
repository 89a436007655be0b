"""A brain, or a part of one, placed in the atlas: prepared, found, and limited to what was imaged of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from volumetric.registration.imaged import Halves, Imaged, Part, declared_part, imaged_part
from volumetric.registration.placement import Placement, Template, boxed
from volumetric.registration.prepare import Prepared


@dataclass(frozen=True)
class Located:
    """A brain in the atlas.

    Args:
        sample: prepared; only what was imaged is matched.
        placement: where it lies.
        found: which part the image shows.
        imaged: the same, with what the user knows put over it.
    """

    sample: Prepared
    placement: Placement
    found: Imaged
    imaged: Imaged


def locate(sample: Prepared, template: Template, halves: Halves, declared: Part | None = None) -> Located:
    """Place a brain in the atlas, and find which part of it was imaged.

    Args:
        sample: the brain, in the atlas' orientation.
        template: of the atlas.
        halves: of its brain.
        declared: what the user says was imaged.
    """
    placement = template.place(*boxed(sample))
    found = imaged_part(sample.tissue, sample.space, placement, halves)
    imaged = declared_part(found, declared)
    return Located(replace(sample, imaged=imaged.mask), placement, found, imaged)
