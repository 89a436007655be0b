"""Which side of the brain every voxel of an atlas is on, from a map of hemispheres in whatever codes it was written.

`LEFT` and `RIGHT` are BrainGlobe's codes. Maps are also published with 0 and 1, 0 and 255, or with one half left at 0:
two codes are told apart by where they lie along the axis from left to right, which the orientation names.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.findings import Finding, Grade
from volumetric.geometry.box import Index3
from volumetric.geometry.orientation import check_orientation

LEFT, RIGHT = 1, 2
"""Hemisphere codes, BrainGlobe's."""

HEMISPHERES = {LEFT: "left", RIGHT: "right"}

APART = 0.1
"""Least distance of the middles of two sides, in parts of the axis from left to right."""

ONE_HALF = 0.95
"""Share of an annotation in one half of the volume from which it is one hemisphere's."""

WAY_OUT = (
    f"Write {LEFT} for left and {RIGHT} for right wherever a region is; or, where the halves meet in the middle of the "
    'volume, leave the map out of the atlas folder and put `"symmetric": true` into its metadata.json'
)


def symmetric_hemispheres(shape: Index3, orientation: str) -> npt.NDArray[np.uint8]:
    """Left and right halves of an array; the middle plane of an odd number of planes is left."""
    axis, starts_left = _axis(orientation)
    line = np.full(shape[axis], LEFT, dtype=np.uint8)
    line[: shape[axis] // 2] = RIGHT
    if starts_left:
        line = line[::-1]
    return np.broadcast_to(np.moveaxis(line[:, None, None], 0, axis), shape).copy()


def read_sides(
    codes: npt.NDArray[Any], annotation: npt.NDArray[np.unsignedinteger[Any]], orientation: str, name: str
) -> tuple[npt.NDArray[np.uint8], tuple[Finding, ...]]:
    """The sides of an atlas, (Z, Y, X) uint8, and what was noticed of its map of hemispheres.

    Args:
        codes: (Z, Y, X), of any type.
        annotation: (Z, Y, X) region ids; the map matters where they are not 0.
        orientation: three letters.
        name: of the atlas, for messages.

    Raises `InputError` where no side can be told.
    """
    if codes.shape != annotation.shape:
        raise InputError(
            f"atlas {name!r}: its map of hemispheres has {codes.shape} voxels and its annotation {annotation.shape}"
        )
    inside = annotation > 0
    present = np.unique(codes[inside])
    places = {code.item(): _place(inside & (codes == code), orientation) for code in present}
    if set(places) <= {LEFT, RIGHT}:
        sides = np.where(np.isin(codes, (LEFT, RIGHT)), codes, 0).astype(np.uint8)
        return sides, _one_sided(places, inside, orientation, name) or _swapped(places, name)
    coded = {code: place for code, place in places.items() if code != 0 or len(places) == 2}
    if len(coded) != 2 or np.ptp(list(coded.values())) < APART:
        raise InputError(
            f"atlas {name!r}: its map of hemispheres holds {', '.join(f'{code:g}' for code in places)} where regions "
            f"are, and these do not tell two sides apart. {WAY_OUT}"
        )
    left, right = sorted(coded, key=lambda code: coded[code])
    sides = np.select([codes == left, codes == right], [LEFT, RIGHT], 0).astype(np.uint8)
    if len(places) == 2:
        return sides, (
            Finding(
                Grade.DOUBTFUL,
                f"the hemispheres of atlas {name!r} are written as {left:g} and {right:g}, not as {LEFT} and {RIGHT}: "
                f"by the orientation {orientation}, {left:g} was taken for left. Check a side that you know",
            ),
        )
    lost = inside & (sides == 0)
    where = _leftness(annotation.shape, orientation) < np.mean(list(coded.values()))
    sides[lost] = np.where(np.broadcast_to(where, sides.shape)[lost], LEFT, RIGHT)
    number = np.count_nonzero(lost)
    filled = Finding(
        Grade.DOUBTFUL,
        f"the hemispheres of atlas {name!r} are missing at {number:,} annotated voxels "
        f"({number / np.count_nonzero(inside):.1%}): these were put on the side of the half they lie in",
    )
    return sides, (filled, *(_swapped(coded, name) if {left, right} == {LEFT, RIGHT} else ()))


def _axis(orientation: str) -> tuple[int, bool]:
    """The axis from left to right, and whether it starts left."""
    letters = check_orientation(orientation)
    axis = next(i for i, letter in enumerate(letters) if letter in "lr")
    return axis, letters[axis] == "l"


def _leftness(shape: tuple[int, ...], orientation: str) -> npt.NDArray[np.float64]:
    """How far each plane lies from the left face, 0 to 1, to be broadcast over the volume."""
    axis, starts_left = _axis(orientation)
    line = (np.arange(shape[axis]) + 0.5) / shape[axis]
    return np.moveaxis((line if starts_left else 1 - line)[:, None, None], 0, axis)


def _place(voxels: npt.NDArray[np.bool_], orientation: str) -> float:
    """The mean distance of voxels from the left face, 0 to 1."""
    axis, _ = _axis(orientation)
    others = tuple(i for i in range(3) if i != axis)
    return float(np.average(_leftness(voxels.shape, orientation).ravel(), weights=voxels.sum(axis=others)))


def _one_sided(
    places: dict[Any, float], inside: npt.NDArray[np.bool_], orientation: str, name: str
) -> tuple[Finding, ...]:
    if len(places) != 1:
        return ()
    code = next(iter(places))
    half = _leftness(inside.shape, orientation) <= 0.5
    share = np.count_nonzero(inside & (half if code == LEFT else ~half)) / np.count_nonzero(inside)
    side, other = HEMISPHERES[code], HEMISPHERES[LEFT + RIGHT - code]
    if share >= ONE_HALF:
        return (Finding(Grade.GOOD, f"atlas {name!r} is a {side} hemisphere: it has no {other} regions"),)
    return (
        Finding(
            Grade.DOUBTFUL,
            f"the hemispheres of atlas {name!r} are all {side}, though {1 - share:.0%} of its regions' volume lies in "
            f"the {other} half of it: the {other} rows of the tables will be empty. {WAY_OUT}",
        ),
    )


def _swapped(places: dict[Any, float], name: str) -> tuple[Finding, ...]:
    if len(places) != 2 or places[LEFT] < places[RIGHT]:
        return ()
    return (
        Finding(
            Grade.DOUBTFUL,
            f"the hemispheres of atlas {name!r} contradict its orientation: what they call left lies on the side that "
            "the orientation calls right. One of the two is wrong, and left and right rows of the tables may be "
            "swapped: check a side that you know",
        ),
    )
