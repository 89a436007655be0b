"""The axes of a stored array: which one is z, y, x, c or t, and voxels in z, y, x made of any order.

Names decide, and the user's `--axes` before them. Without either the usual orders hold, z, y, x and c, z, y, x, unless
the lengths speak against them: then nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3, index3

SPACE = "zyx"

NAMES = {
    "t": ("t", "time", "timepoint", "timepoints", "frame", "frames"),
    "c": ("c", "ch", "channel", "channels", "color", "colour", "wavelength", "sample", "samples", "s"),
    "z": ("z", "depth", "plane", "planes", "slice", "slices", "section", "sections"),
    "y": ("y", "row", "rows", "height"),
    "x": ("x", "col", "cols", "column", "columns", "width"),
}
LETTER = {name: letter for letter, names in NAMES.items() for name in names}

NO_NAME = re.compile(r"|(phony_)?(dim|dimension|axis)_?\d+")
"""What libraries call an axis that has no name."""

FEW = 4
"""A last axis of so few voxels is not x but channels or colours."""

MOST_CHANNELS = 8
"""More are hardly ever taken of a brain: such an axis is rather the slices."""

USUAL = {3: "zyx", 4: "czyx"}


@dataclass(frozen=True)
class StoredAxes:
    """The letter of each axis of an array, who says so, and what speaks against it."""

    letters: tuple[str, ...]
    origin: str
    doubts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{', '.join(self.letters)} ({self.origin})"

    @property
    def is_usual(self) -> bool:
        """Whether the array is stored as it is when nothing is said."""
        return "".join(self.letters) in USUAL.values()


def checked_axes(text: str) -> str:
    """The user's `--axes`, such as `zyxc`; raises `InputError` where it is no order of axes."""
    letters = re.sub(r"[\s,;]+", "", text).lower()
    if set(letters) - set(NAMES) or not set(SPACE) <= set(letters) or len(set(letters)) != len(letters):
        raise InputError(
            f"--axes {text!r} is no order of axes: give a letter for each axis as it is stored, once each, of z "
            "(slices), y (rows), x (columns), c (channels) and t (time), for example --axes zyxc"
        )
    return letters


def understand_axes(
    what: str, shape: Sequence[int], names: Sequence[object] | None, said_by: str, given: str | None
) -> StoredAxes:
    """The axes of an array of `shape`.

    Args:
        what: the array, for messages.
        shape: lengths as stored.
        names: of the axes as the file has them, or None.
        said_by: where the file has them, such as `axistags`.
        given: the user's `--axes`.

    Raises `InputError` where they are not known, do not fit, or there are several time points.
    """
    lengths = " x ".join(map(str, shape))
    if min(shape, default=0) < 1:
        raise InputError(f"{what} has axes of lengths {lengths or 'none'}: it holds no voxel")
    named = _letters(names)
    if given is not None:
        letters = checked_axes(given)
        if len(letters) != len(shape):
            raise InputError(
                f"--axes {letters} names {len(letters)} axes, but {what} has {len(shape)}, of lengths {lengths}: give "
                "one letter for each"
            )
        other = named is not None and named != letters
        doubt = f"--axes says {letters} but {said_by} of {what} says {named}: the flag is used" if other else ""
        axes = StoredAxes(tuple(letters), "by --axes", (doubt,) if doubt else ())
    elif named is not None:
        if len(named) != len(shape):
            raise InputError(
                f"{what} has {len(shape)} axes, of lengths {lengths}, but {said_by} names {len(named)}: "
                f"give --axes with a letter for each, for example --axes {USUAL.get(len(shape), 'tczyx')}"
            )
        if "?" in named or not set(SPACE) <= set(named) or len(set(named)) != len(named):
            raise InputError(
                f"{what} names its axes {', '.join(map(str, names or ()))} (lengths {lengths}): which of them are the "
                "slices (z), rows (y) and columns (x) is not clear. Say it with --axes, for example --axes "
                f"{USUAL.get(len(shape), 'tczyx')}"
            )
        axes = StoredAxes(tuple(named), f"by {said_by}")
    else:
        axes = StoredAxes(tuple(_usual(what, shape, lengths)), "not named: the usual order")
    if "t" in axes.letters and shape[axes.letters.index("t")] != 1:
        raise InputError(
            f"{what} holds {shape[axes.letters.index('t')]} time points (axes {', '.join(axes.letters)}, lengths "
            f"{lengths}); expected one. Save the one to be counted alone"
        )
    return axes


def _letters(names: Sequence[object] | None) -> str | None:
    """Names as letters, `?` for one that is not known; None where the axes have no names."""
    texts = [str("" if name is None else name).strip().casefold() for name in names or ()]
    if not texts or all(NO_NAME.fullmatch(text) for text in texts):
        return None
    return "".join(LETTER.get(text, "?") for text in texts)


def _usual(what: str, shape: Sequence[int], lengths: str) -> str:
    if len(shape) not in USUAL:
        raise InputError(
            f"{what} has {len(shape)} axes, of lengths {lengths}, without names: expected z, y, x or c, z, y, x. Say "
            f"what they are with --axes{', for example --axes tczyx' if len(shape) == 5 else ''}"
        )
    usual = USUAL[len(shape)]
    if shape[-1] <= FEW or (len(shape) == 4 and shape[-1] < min(shape[:-1])):
        like, way = (
            ("channels", "zyxc") if len(shape) == 4 else ("the colours of one picture", "xyz, or as it is stored,")
        )
        raise InputError(
            f"{what} has axes of lengths {lengths} without names, and the last, of {shape[-1]}, looks like {like}, not "
            f"like x. Say what it is: --axes {way} or --axes {usual} if the last axis is x all the same"
        )
    if len(shape) == 4 and shape[0] > min(shape[1], MOST_CHANNELS):
        raise InputError(
            f"{what} has axes of lengths {lengths} without names: in the usual order c, z, y, x these would be "
            f"{shape[0]} "
            f"channels of {shape[1]} slices. Give --axes zcyx if the first axis is the slices, or --axes czyx if not"
        )
    return usual


def spatial(axes: Sequence[str], values: Sequence[Any]) -> tuple[Any, Any, Any]:
    """Of one value for each stored axis those of z, y, x."""
    z, y, x = (values[axes.index(axis)] for axis in SPACE)
    return z, y, x


def grid_shape(axes: Sequence[str], lengths: Sequence[int]) -> Index3:
    """Of one length for each stored axis those of z, y, x."""
    return index3(int(n) for n in spatial(axes, lengths))


def channel_count(axes: Sequence[str], lengths: Sequence[int]) -> int:
    """How many channels an array holds."""
    return int(lengths[axes.index("c")]) if "c" in axes else 1


def selection(axes: Sequence[str], box: Box, channel: int) -> tuple[slice | int, ...]:
    """The index of a box (z, y, x) of a channel in the stored array."""
    places = dict(zip(SPACE, box.slices, strict=True))
    return tuple(places.get(axis, channel if axis == "c" else 0) for axis in axes)


def arranged(axes: Sequence[str], voxels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What was selected, in z, y, x."""
    order = [axis for axis in axes if axis in SPACE]
    return np.transpose(voxels, [order.index(axis) for axis in SPACE])
