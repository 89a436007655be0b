"""Which side of each brain was imaged, and what a study of such brains compares."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

LEFT, RIGHT, BOTH, IMAGED = "left", "right", "both", "imaged"
"""`imaged` is of each brain the side that was imaged, which may be both."""

ONE_SIDED = 0.4
"""A brain was imaged on one side where the mean coverage of the other is below this share of it. Half brains are near
0, cut a little beyond the midline near 0.2; whole ones near 1."""


def imaged_side(table: pd.DataFrame) -> str:
    """`left`, `right` or `both`, by the mean coverage of all regions on either side.

    Args:
        table: columns of `regions.csv`.
    """
    left, right = (float(table.loc[table["hemisphere"] == side, "coverage"].mean()) for side in (LEFT, RIGHT))
    if right < ONE_SIDED * left:
        return LEFT
    return RIGHT if left < ONE_SIDED * right else BOTH


def compared_side(imaged: Sequence[str]) -> str:
    """What all brains have: both sides, else the side that each has, else of each the side that was imaged.

    >>> compared_side(["both", "left", "left"]), compared_side(["left", "right"])
    ('left', 'imaged')
    """
    for side in (BOTH, LEFT, RIGHT):
        if set(imaged) <= {side, BOTH}:
            return side
    return IMAGED
