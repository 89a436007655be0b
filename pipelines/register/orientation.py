"""What a person is told of an orientation that cannot be right."""

from __future__ import annotations

from collections.abc import Iterable

from volumetric.errors import InputError
from volumetric.findings import Finding
from volumetric.registration.orientation_check import OrientationCheck


def refuse_orientation(found: OrientationCheck, noticed: Iterable[Finding]) -> None:
    """Raises `InputError` where other orientations fit clearly better; it names all that do.

    Args:
        found: the check.
        noticed: of the image, which may be the reason.
    """
    if not found.better:
        return
    best, declared = found.better[0], found.declared
    scores = f"correlation {found.scores[best]:.2f} against {found.scores[declared]:.2f}"
    if len(found.better) == 1:
        told = f"as {best} ({scores})"
        advice = f"If {best} is how it lies, give --orientation {best}"
    else:
        told = f"as {' or '.join(found.better)}, which this atlas cannot tell apart ({scores})"
        advice = "Give --orientation with the one of them that is true"
    raise InputError(
        f"the orientation {declared} looks wrong: the image fits the atlas clearly better {told}. {advice}; if you "
        f"know that {declared} is right, repeat with --trust-orientation"
        + "".join(f". Of the image: {finding.text}" for finding in noticed)
    )
