"""Anatomical orientation of an array's axes, in BrainGlobe's three letters.

Each letter names the side of the animal on which the axis *starts*: `asr` begins anterior, superior,
right. An array is turned by a permutation of its axes followed by flips; nothing is resampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.geometry.box import Index3

T = TypeVar("T", bound=np.generic)
V = TypeVar("V")

AXES = ("ap", "si", "lr")
"""Letters of the two ends of the three anatomical axes."""

SIDES = {"a": "anterior", "p": "posterior", "s": "superior", "i": "inferior", "l": "left", "r": "right"}
OPPOSITE = dict(zip("apsilr", "paisrl", strict=True))

Side = Literal["left", "right", "both"]
"""Of a brain."""

ORIENTATIONS = tuple("".join(letters) for axes in permutations(AXES) for letters in product(*axes))
"""All 48 valid orientations."""


def check_orientation(orientation: str) -> str:
    """The orientation in lower case; raises `InputError` for anything but one of the 48."""
    text = orientation.strip().lower()
    if text not in ORIENTATIONS:
        raise InputError(
            f"unknown orientation {orientation!r}: expected three letters, one of a/p (anterior, posterior), "
            "one of s/i (superior, inferior) and one of l/r (left, right), naming the side on which "
            "the slice, row and column axes start, for example 'psl' or 'asr'"
        )
    return text


@dataclass(frozen=True)
class AxisMap:
    """How to turn an array from one orientation to another: `source.transpose(order)`, then flips."""

    order: Index3
    flips: tuple[bool, bool, bool]

    @classmethod
    def between(cls, source: str, target: str) -> AxisMap:
        """The turn from orientation `source` to orientation `target`.

        >>> AxisMap.between("psl", "asr")
        AxisMap(order=(0, 1, 2), flips=(True, False, True))
        """
        source, target = check_orientation(source), check_orientation(target)
        kind = {letter: axis for axis in AXES for letter in axis}
        positions = [kind[letter] for letter in source]
        order = tuple(positions.index(kind[letter]) for letter in target)
        flips = tuple(source[o] != letter for o, letter in zip(order, target, strict=True))
        return cls((order[0], order[1], order[2]), (flips[0], flips[1], flips[2]))

    def apply(self, array: npt.NDArray[T]) -> npt.NDArray[T]:
        """A view of the (z, y, x) array in the target orientation."""
        turned = array.transpose(self.order)
        return turned[tuple(slice(None, None, -1) if flip else slice(None) for flip in self.flips)]

    def reorder(self, values: tuple[V, V, V]) -> tuple[V, V, V]:
        """Per-axis values (shape, spacing) in the target order."""
        return (values[self.order[0]], values[self.order[1]], values[self.order[2]])

    def matrix(self, extent_um: tuple[float, float, float]) -> npt.NDArray[np.float64]:
        """The same turn for points: 3 x 4 affine of um between centres.

        `extent_um` is the distance between the first and the last voxel centre of each *source* axis.
        """
        affine = np.zeros((3, 4))
        for row, (axis, flip) in enumerate(zip(self.order, self.flips, strict=True)):
            affine[row, axis] = -1.0 if flip else 1.0
            affine[row, 3] = extent_um[axis] if flip else 0.0
        return affine
