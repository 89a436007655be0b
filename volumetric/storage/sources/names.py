"""File names of slices taken apart: which numbers and words in them vary, and what each stands for.

A name such as `brain_Z0004_C01` is text and numbers in turn. Names of one folder make a table; a column of it is a
number
at one place of all names, and the letters before it say whether it counts slices, channels, tiles, views or times.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

Role = Literal["channel", "tile", "view", "time", "section", "slice", ""]

READINGS = (
    r"\d+",
    r"\d+(?:[.,]\d+)?",
    r"(?:(?<!\d)-)?\d+",
    r"(?:(?<!\d)-)?\d+(?:[.,]\d+)?",
)
"""What may count as a number: whole, with decimals, with a sign."""

MOST_CHANNELS = 7
"""As many as ImageJ can show as channels; more of a kind are no channels."""

# fmt: off
LABELS: dict[str, Role] = {
    **dict.fromkeys(("c", "ch", "chn", "chan", "channel", "w", "wave", "ex", "em", "lambda", "laser", "filter", "cy",
                     "af", "alexa"), "channel"),
    **dict.fromkeys(("tile", "tiles", "x", "y", "xy", "row", "col", "column", "pos", "position", "mosaic", "fov",
                     "field", "stitch"), "tile"),
    **dict.fromkeys(("sh", "shutter", "illum", "illumination", "angle", "rot", "view", "side", "cam", "camera"),
                    "view"),
    **dict.fromkeys(("t", "tp", "time", "timepoint"), "time"),
    **dict.fromkeys(("section", "sec", "sect", "slab"), "section"),
    **dict.fromkeys(("z", "slice", "slc", "sl", "plane", "layer", "depth"), "slice"),
}
# fmt: on
"""What the letters before a number say that it counts."""

# fmt: off
WAVELENGTHS_NM = frozenset((
    355, 375, 395, 402, 405, 408, 415, 430, 440, 442, 445, 447, 450, 455, 457, 458, 460, 470, 473, 475, 477, 480,
    485, 488, 490, 491, 505, 510, 514, 515, 520, 525, 530, 532, 535, 540, 543, 545, 546, 550, 552, 555, 560, 561,
    565, 568, 570, 575, 580, 585, 588, 590, 592, 594, 595, 600, 605, 610, 617, 620, 625, 630, 632, 633, 635, 637,
    638, 639, 640, 642, 645, 647, 650, 658, 660, 665, 670, 675, 680, 685, 690, 695, 700, 705, 710, 730, 735, 750,
    755, 770, 775, 780, 785, 790, 800, 808, 810, 820, 840, 850,
))
# fmt: on
"""Of lasers and filters in use."""

APART_NM = 15
"""Two channels have wavelengths at least so far from one another."""

STAGE_DIGITS = 5
"""Of the three equally long numbers in names of TeraStitcher's layout, `000000_002000_000010`, at least."""


@dataclass(frozen=True)
class Column:
    """The numbers at one place of all names.

    Args:
        place: among the numbers of a name.
        role: what it counts, as far as its label says.
        label: letters before it, as they stand in the first name.
        written: as they stand there.
        values: in units of the last decimal place of all of them.
        unit: that unit, 1 for whole numbers.
        reading: what counted as a number.
    """

    place: int
    role: Role
    label: str
    written: tuple[str, ...]
    values: tuple[int, ...]
    unit: float
    reading: str

    @property
    def name(self) -> str:
        """Its label without marks between words."""
        return self.label.strip(" _-")

    @property
    def step(self) -> int:
        """The most usual distance of two numbers that follow one another; 0 for a number that does not vary."""
        return usual_step(self.distinct)

    @property
    def distinct(self) -> tuple[int, ...]:
        """Its values, each once, rising."""
        return tuple(sorted(set(self.values)))

    def is_padded(self, digits: int) -> bool:
        """Whether all its numbers are as long, and have so many digits."""
        return len(set(map(len, self.written))) == 1 and len(self.written[0]) >= digits

    @property
    def groups(self) -> bool:
        """Whether it says that the files are of several channels, tiles or views."""
        few = 1 < len(self.distinct) < len(self.values)
        return few and (
            self.role in {"tile", "view"} or (self.role == "channel" and len(self.distinct) <= MOST_CHANNELS)
        )


Parts = tuple[tuple[str, ...], tuple[str, ...]]
"""Of a name: texts, and the numbers between them."""


def split(name: str, reading: str) -> Parts:
    """A name as texts in small letters, and the numbers between them as they stand there."""
    texts = re.split(reading, name.lower())
    return tuple(texts), tuple(re.findall(reading, name))


def columns_of(names: Sequence[str], reading: str) -> tuple[Column, ...] | None:
    """The numbers of names that are alike but for their numbers; None where their texts differ."""
    parts = [split(name, reading) for name in names]
    texts, shown = parts[0][0], re.split(reading, names[0])
    if any(other != texts for other, _ in parts):
        return None
    found = []
    for place, written in enumerate(zip(*(numbers for _, numbers in parts), strict=True)):
        decimals = max(len(re.split("[.,]", text)[1]) if re.search("[.,]", text) else 0 for text in written)
        values = tuple(_scaled(text, decimals) for text in written)
        label = re.search(r"[^\W\d_]*[ _-]?$", shown[place])
        column = Column(place, "", label[0] if label else "", written, values, 10.0**-decimals, reading)
        found.append(replace(column, role=_role(column, texts)))
    return _stage_positions(tuple(found), texts)


def usual_step(values: Sequence[int]) -> int:
    """The most usual distance of rising numbers, the smallest where several are; 0 for a single number."""
    steps = Counter(b - a for a, b in pairwise(values))
    return min(steps, key=lambda step: (-steps[step], step)) if steps else 0


def _scaled(text: str, decimals: int) -> int:
    whole, _, part = text.replace(",", ".").partition(".")
    return int(whole + part.ljust(decimals, "0"))


def _role(column: Column, texts: tuple[str, ...]) -> Role:
    before, after = texts[column.place], texts[column.place + 1]
    across = re.fullmatch(r" ?x ?", after) or re.fullmatch(r" ?x ?", before)
    if (across and before.endswith("[")) or (across and after.startswith("]")):
        return "tile"  # [00 x 01], as LaVision's UltraMicroscope writes tiles
    role = LABELS.get(column.name.lower(), "")
    if role in {"", "channel"} and _wavelengths(column, after):
        return "channel"
    return role


def _wavelengths(column: Column, after: str) -> bool:
    if column.unit != 1 or not 1 < len(column.distinct) <= MOST_CHANNELS:
        return False
    apart = all(b - a >= APART_NM for a, b in pairwise(column.distinct))
    return apart and (
        (column.distinct[0] > 300 and bool(re.match(r"nm\b|nm_", after))) or {*column.distinct} <= WAVELENGTHS_NM
    )


def _stage_positions(columns: tuple[Column, ...], texts: tuple[str, ...]) -> tuple[Column, ...]:
    """Columns with the first two of three long, bare numbers as tiles: where the stage stood, and how deep."""
    widths = {len(text) for column in columns for text in column.written}
    if len(columns) != 3 or len(widths) != 1 or min(widths) < STAGE_DIGITS or texts != ("", "_", "_", ""):
        return columns
    return tuple(replace(c, role="tile") if c.place < 2 else c for c in columns)
