"""The three anatomical planes of a sample, whatever its orientation.

Everything is drawn in um of the sample's own axes; a plane only says which axis runs down and which across, and
which of them is turned, so that every brain is shown alike: dorsal (or anterior) up, left on the left.
"""

from __future__ import annotations

from dataclasses import dataclass

from volumetric.geometry.orientation import AxisMap

_LETTERS = {"a": "A", "p": "P", "s": "D", "i": "V", "l": "L", "r": "R"}
_SHOWN = "asl"
"""The frame of all pictures: axes from anterior, superior and left."""

_CORONAL = ("coronal", 0, 1, 2, "from the front")
_SAGITTAL = ("sagittal", 2, 1, 0, "from the left")
_HORIZONTAL = ("horizontal", 1, 0, 2, "from the top")


@dataclass(frozen=True)
class View:
    """One plane of the sample.

    Args:
        name: coronal, sagittal or horizontal.
        cut, down, across: sample axes (0 z, 1 y, 2 x): the one cut, and those shown as rows and columns.
        turned: whether the cut, down and across axes run against the picture, which starts anterior, dorsal, left.
        top, bottom, left, right: letters of the picture's edges.
        distance: words for a position along the cut axis.
    """

    name: str
    cut: int
    down: int
    across: int
    turned: tuple[bool, bool, bool]
    top: str
    bottom: str
    left: str
    right: str
    distance: str


def views(orientation: str) -> tuple[View, View, View]:
    """The coronal, sagittal and horizontal plane of a sample; raises `InputError` for an unknown orientation.

    >>> [(view.name, view.cut, view.turned) for view in views("psl")][0]
    ('coronal', 0, (True, False, False))
    """
    return _view(orientation, _CORONAL), _view(orientation, _SAGITTAL), _view(orientation, _HORIZONTAL)


def _view(orientation: str, plane: tuple[str, int, int, int, str]) -> View:
    name, cut, down, across, distance = plane
    turn = AxisMap.between(orientation, _SHOWN)
    ends = ("ap", "si", "lr")
    return View(
        name=name,
        cut=turn.order[cut],
        down=turn.order[down],
        across=turn.order[across],
        turned=(turn.flips[cut], turn.flips[down], turn.flips[across]),
        top=_LETTERS[ends[down][0]],
        bottom=_LETTERS[ends[down][1]],
        left=_LETTERS[ends[across][0]],
        right=_LETTERS[ends[across][1]],
        distance=distance,
    )
