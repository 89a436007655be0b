"""What speaks against a registration before the long work: sizes, voxels, what was imaged; in words."""

from __future__ import annotations

from collections.abc import Iterator

from volumetric.errors import InputError
from volumetric.findings import Finding, Grade
from volumetric.geometry.orientation import SIDES
from volumetric.geometry.space import Um3
from volumetric.registration.imaged import Imaged, Part
from volumetric.registration.linear import Linear
from volumetric.registration.placement import Placement

SCALE_DOUBTFUL = (0.8, 1.25)
SCALE_USELESS = (0.6, 1.7)
"""Lengths of a brain in those of the atlas: adult brains differ by some per cent, and cleared tissue shrinks or swells."""

UNEQUAL = 1.3
"""Longest over shortest of the scales of three axes from which their order is in doubt; a real brain has 1.13."""

SMALLEST_VOX = 2.0
"""Coarse voxels of the placement, 0.8 mm for a mouse brain, that the tissue measures at least along each axis."""

RIVAL = 0.03
"""Correlation by which a part fits best where it was placed, at least."""


def refuse_sizes(tissue_um: Um3, brain_um: Um3, coarse_um: float) -> None:
    """Raises `InputError` where the tissue is longer than any brain, or too small to be placed.

    Args:
        tissue_um: edges of the box around the tissue, along the atlas' axes.
        brain_um: edges of the box around the atlas' brain.
        coarse_um: the voxel of the placement.
    """
    ratios = [edge / whole for edge, whole in zip(tissue_um, brain_um, strict=True)]
    measured = (
        f"the tissue measures {_mm(tissue_um)} mm along the atlas' axes z, y, x; the atlas' brain {_mm(brain_um)} mm"
    )
    if max(ratios) > SCALE_USELESS[1]:
        axis = "zyx"[ratios.index(max(ratios))]
        raise InputError(
            f"{measured}. Along {axis} it is {max(ratios):.3g} times as long as a brain: check --voxel-um (in "
            "micrometres; slices, rows, columns) and --orientation. If all of it is right, repeat with --keep-poor"
        )
    if min(tissue_um) < SMALLEST_VOX * coarse_um:
        raise InputError(
            f"{measured}. So small a part cannot be placed in the atlas. If it should be a brain, check --voxel-um (in "
            "micrometres); for a small crop use `volumetric detect`, which needs no atlas. To go on: --keep-poor"
        )


def scale_findings(linear: Linear, tissue_mm3: float, brain_mm3: float, imaged: Imaged) -> Iterator[Finding]:
    """The size of the brain beside the atlas': a note, a doubt, or a fault.

    Args:
        linear: map from the atlas to the brain.
        tissue_mm3: volume of the tissue.
        brain_mm3: volume of the atlas' brain.
        imaged: what was imaged of it.
    """
    scales = linear.scales
    lengths = " x ".join(f"{scale:.2f}" for scale in scales)
    share = sum(imaged.shares) / 2
    said = (
        f"the brain measures {lengths} of the atlas along its axes z, y, x; the tissue has {tissue_mm3:.3g} mm3, "
        f"{'the atlas' if share > 0.98 else f'the imaged {share:.0%} of the atlas'}' brain "
        f"{brain_mm3 * share:.3g} mm3"
    )
    advice = ". Check --voxel-um (micrometres; slices, rows, columns): every volume and density depends on it"
    if min(scales) < SCALE_USELESS[0] or max(scales) > SCALE_USELESS[1]:
        yield Finding(Grade.UNUSABLE, said + ", which no brain does" + advice)
    elif min(scales) < SCALE_DOUBTFUL[0] or max(scales) > SCALE_DOUBTFUL[1]:
        yield Finding(Grade.DOUBTFUL, said + advice)
    elif max(scales) / min(scales) > UNEQUAL:
        yield Finding(Grade.DOUBTFUL, said + ": it is stretched unequally. Are two values of --voxel-um exchanged?")
    else:
        yield Finding(Grade.GOOD, said)


def part_findings(imaged: Imaged, placement: Placement, declared: Part | None) -> Iterator[Finding]:
    """What was imaged, as found and as declared, and where the brain goes on beyond it.

    Raises `InputError` where the two contradict each other so that one of them must be wrong.
    """
    left, right = imaged.shares
    seen = f"the image shows {left:.0%} of the atlas' left side and {right:.0%} of its right side"
    if declared in ("left", "right") and imaged.side not in (declared, "both"):
        raise InputError(
            f"--imaged {declared} was given, but {seen}: with this --orientation the tissue lies on the "
            f"{imaged.side} side. Give --imaged {imaged.side}, or the orientation with l and r exchanged"
        )
    if declared in ("left", "right") and imaged.part == "whole":
        raise InputError(
            f"--imaged {declared} was given, but {seen}. Give --imaged whole; to leave one side out of the count, paint "
            "it in --exclude-mask"
        )
    if declared is None and imaged.part == "whole":
        yield Finding(Grade.GOOD, f"a whole brain: {seen}")
    elif declared is None:
        name = f"{imaged.part} half" if imaged.part in ("left", "right") else "part"
        yield Finding(
            Grade.DOUBTFUL,
            f"this was taken for {'the' if 'half' in name else 'a'} {name} of a brain: {seen}. If that is right, give "
            f"--imaged {imaged.part}; if the brain is whole, --imaged whole",
        )
    elif declared == "whole" and imaged.part != "whole":
        yield Finding(Grade.DOUBTFUL, f"--imaged whole was given, but {seen}: what is missing counts as not imaged")
    else:
        yield Finding(Grade.GOOD, f"--imaged {declared}: {seen}")
    for cut in imaged.cuts:
        yield Finding(
            Grade.GOOD if declared not in (None, "whole") else Grade.DOUBTFUL,
            f"the brain is cut off at its {SIDES[cut.side]} end: {cut.beyond:.0%} of the atlas' brain lies beyond. "
            "Regions there are not counted (`coverage`)",
        )
    if imaged.part == "part" and placement.score - placement.rival < RIVAL:
        yield Finding(
            Grade.DOUBTFUL,
            f"this part fits {placement.rival_um / 1000:.1f} mm away about as well (correlation {placement.rival:.2f} "
            f"against {placement.score:.2f}): look at the overlay",
        )


def _mm(um: Um3) -> str:
    return " x ".join(f"{edge / 1000:.3g}" for edge in um)
