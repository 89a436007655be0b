"""What can be known of a brain's size and completeness before ANTs works on it, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from volumetric.errors import InputError
from volumetric.findings import Finding, Grade
from volumetric.geometry.orientation import SIDES
from volumetric.geometry.space import Um3
from volumetric.registration.imaged import Imaged, Part
from volumetric.registration.linear import Linear
from volumetric.registration.placement import Placement

SCALE_DOUBTFUL = (0.8, 1.25)
SCALE_USELESS = (0.6, 1.7)
"""Lengths of a brain in the atlas': adult brains differ by some per cent, cleared tissue shrinks or swells."""

UNEQUAL = 1.3
"""Longest over shortest of the scales of three axes from which their order is in doubt; a real brain has 1.13."""

FRAME = 5.0
"""Edges of the image in the atlas', the longest with the longest, from which no brain fills a fair part of it."""

SMALLEST_VOX = 2.0
"""Coarse voxels of the placement, 0.8 mm for a mouse brain, that the tissue measures at least along each axis."""

RIVAL = 0.03
"""Correlation by which a part fits best where it was placed, at least."""

CHECK = "Check --voxel-um (micrometres; slices, rows, columns)"


def refuse_frame(image_um: Um3, atlas_um: Um3) -> None:
    """Raises `InputError` where an image is so large that its voxel size cannot be right.

    Asked before the image is read: resampled to the atlas' voxels it would fill the memory.

    Args:
        image_um: edges of the image, in any order.
        atlas_um: edges of the atlas.
    """
    if any(edge > FRAME * whole for edge, whole in zip(sorted(image_um), sorted(atlas_um), strict=True)):
        raise InputError(
            f"the image measures {_mm(image_um)} mm (slices, rows, columns) and the whole atlas {_mm(atlas_um)} mm: no "
            f"brain is of that size. {CHECK}"
        )


def refuse_tissue(tissue_um: Um3, brain_um: Um3, coarse_um: float) -> None:
    """Raises `InputError` where the tissue is longer than any brain, or too small to be placed.

    Edges are compared in the order of their lengths: whether the axes are those that were declared is not known yet.

    Args:
        tissue_um: edges of the box around the tissue.
        brain_um: edges of the box around the atlas' brain.
        coarse_um: the voxel of the placement.
    """
    edges, whole = sorted(tissue_um, reverse=True), sorted(brain_um, reverse=True)
    ratios = [edge / brain for edge, brain in zip(edges, whole, strict=True)]
    measured = f"the tissue measures {_mm(edges)} mm, longest first; the atlas' brain {_mm(whole)} mm"
    if max(ratios) > SCALE_USELESS[1]:
        raise InputError(
            f"{measured}: {max(ratios):.3g} times as long as a brain. {CHECK}. If all of it is right, repeat with "
            "--keep-poor"
        )
    if edges[-1] < SMALLEST_VOX * coarse_um:
        raise InputError(
            f"{measured}: so small a part cannot be placed in the atlas. {CHECK}. For a crop `volumetric detect` needs "
            "no atlas; --keep-poor tries it all the same, and may find no place for it"
        )


def refuse_unusable(findings: Iterable[Finding]) -> None:
    """Raises `InputError` where a finding makes all results useless: found before the long work."""
    reasons = [finding.text for finding in findings if finding.grade is Grade.UNUSABLE]
    if reasons:
        raise InputError(". ".join(reasons) + ". If all of it is right, repeat with --keep-poor")


def scale_finding(linear: Linear, tissue_mm3: float, brain_mm3: float, imaged: Imaged) -> Finding:
    """The size of the brain beside the atlas': a note, a doubt, or a fault.

    Args:
        linear: map from the atlas to the brain.
        tissue_mm3: volume of the tissue.
        brain_mm3: volume of the atlas' brain.
        imaged: what was imaged of it.
    """
    scales = linear.scales
    share = sum(imaged.shares) / 2
    whose = "the atlas'" if share > 0.98 else f"the imaged {share:.0%} of the atlas'"
    said = (
        f"the brain measures {' x '.join(f'{scale:.2f}' for scale in scales)} of the atlas along its axes z, y, x; "
        f"{tissue_mm3:.3g} mm3 of tissue, {whose} brain has {brain_mm3 * share:.3g} mm3"
    )
    advice = f". {CHECK}: every volume and density depends on it"
    if min(scales) < SCALE_USELESS[0] or max(scales) > SCALE_USELESS[1]:
        return Finding(Grade.UNUSABLE, f"{said}: no brain is of that size{advice}")
    if min(scales) < SCALE_DOUBTFUL[0] or max(scales) > SCALE_DOUBTFUL[1]:
        return Finding(Grade.DOUBTFUL, said + advice)
    if max(scales) / min(scales) > UNEQUAL:
        return Finding(Grade.DOUBTFUL, f"{said}: it is stretched unequally. Are two values of --voxel-um exchanged?")
    return Finding(Grade.GOOD, said)


def part_findings(found: Imaged, placement: Placement, declared: Part | None) -> Iterator[Finding]:
    """What was imaged, as found and as declared, and where the brain goes on beyond it.

    Raises `InputError` where the two contradict each other, so that one of them must be wrong.

    Args:
        found: in the image, before what was declared is put over it.
        placement: of the brain in the atlas.
        declared: what the user says.
    """
    left, right = found.shares
    seen = f"the image shows {left:.0%} of the atlas' left side and {right:.0%} of its right side"
    if declared in ("left", "right") and found.side not in (declared, "both"):
        raise InputError(
            f"--imaged {declared} was given, but {seen}: with this --orientation the tissue lies on the {found.side} "
            f"side. Give --imaged {found.side}, or the orientation with l and r exchanged, whichever is true"
        )
    if declared in ("left", "right") and found.part == "whole":
        raise InputError(
            f"--imaged {declared} was given, but {seen}. Give --imaged whole; to leave one side out of the count, "
            "paint it in --exclude-mask"
        )
    if declared is None and found.part == "whole":
        yield Finding(Grade.GOOD, f"a whole brain: {seen}")
    elif declared is None:
        name = f"the {found.part} half" if found.part in ("left", "right") else "a part"
        yield Finding(
            Grade.DOUBTFUL,
            f"this was taken for {name} of a brain: {seen}. If that is right, give --imaged {found.part}; if the brain "
            "is whole, --imaged whole",
        )
    elif declared == "whole" and found.part != "whole":
        yield Finding(Grade.DOUBTFUL, f"--imaged whole was given, but {seen}: what is missing counts as not imaged")
    else:
        yield Finding(Grade.GOOD, f"--imaged {declared}: {seen}")
    if found.cuts:
        ends = ", ".join(f"{SIDES[cut.side]} ({cut.beyond:.0%} of the atlas' brain lies beyond)" for cut in found.cuts)
        yield Finding(
            Grade.DOUBTFUL if declared == "whole" else Grade.GOOD,
            f"the brain is cut off at these ends: {ends}. Regions there are not counted (`coverage`)",
        )
    if found.part == "part" and placement.score - placement.rival < RIVAL:
        yield Finding(
            Grade.DOUBTFUL,
            f"this part fits {placement.rival_um / 1000:.1f} mm away about as well (correlation {placement.rival:.2f} "
            f"against {placement.score:.2f}): look at the overlay",
        )


def _mm(um: Iterable[float]) -> str:
    return " x ".join(f"{edge / 1000:.3g}" for edge in um)
