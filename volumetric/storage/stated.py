"""What files state of themselves: the voxel size, axis by axis, beside the one that a user gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from volumetric.errors import InputError
from volumetric.geometry.lengths import micrometres
from volumetric.geometry.space import Um3, um3

ALIKE = 0.01
"""Largest relative difference of two sizes that mean the same."""

AXES = "zyx"

Sizes = tuple[float | None, float | None, float | None]


@dataclass(frozen=True)
class StatedVoxel:
    """What files say of the size of a voxel.

    Args:
        sizes_um: (z, y, x) in um, None along an axis of which nothing usable is said.
        origin: who says so, such as `ImageJ's metadata`; empty where nobody speaks of it.
        unusable: what is said of the other axes, in the files' own words.
    """

    sizes_um: Sizes = (None, None, None)
    origin: str = ""
    unusable: str = ""

    @classmethod
    def of(cls, origin: str, values: Sequence[object], units: Sequence[object]) -> Self:
        """Values (z, y, x) in their units; what is no positive finite number or no length is not stated."""
        sizes = [micrometres(value, unit) for value, unit in zip(values, units, strict=True)]
        unread = [
            (f"{axis} {value}", f"in {str(unit).strip()!r}" if str(unit or "").strip() else "without a unit")
            for axis, value, unit, size in zip(AXES, values, units, sizes, strict=True)
            if size is None and value not in (None, "")
        ]
        by_unit = {unit: [said for said, other in unread if other == unit] for _, unit in unread}
        words = "; ".join(f"{', '.join(said)} {unit}" for unit, said in by_unit.items())
        return cls((sizes[0], sizes[1], sizes[2]), origin if words or any(sizes) else "", words)

    @property
    def whole_um(self) -> Um3 | None:
        """The voxel size where all of it is stated."""
        known = [size for size in self.sizes_um if size is not None]
        return um3(known) if len(known) == len(AXES) else None

    def settle(self, given: Um3 | None) -> tuple[Um3, tuple[str, ...]]:
        """The size that holds: the user's, else the files'. Where they disagree, that is said.

        Raises `InputError` for what is still missing, with what is known filled in.
        """
        if given is None:
            if self.whole_um is None:
                raise InputError(self._missing())
            return self.whole_um, ()
        pairs = zip(given, self.sizes_um, strict=True)
        if all(mine is None or abs(user - mine) <= ALIKE * mine for user, mine in pairs):
            return given, ()
        flag, stated = (" x ".join("?" if n is None else f"{n:.4g}" for n in sizes) for sizes in (given, self.sizes_um))
        return given, (
            f"--voxel-um says {flag} um but the images' own metadata say {stated} um ({self.origin}): the flag is "
            "used. "
            "Check which is right before you believe any count",
        )

    def _missing(self) -> str:
        named = dict(zip(AXES, self.sizes_um, strict=True))
        known = [f"{axis} {size:.4g} um" for axis, size in named.items() if size is not None]
        lacking = [axis for axis, size in named.items() if size is None]
        said_by = self.origin[:1].upper() + self.origin[1:]
        unusable = f" {said_by} gives {self.unusable}, which is no length." if self.unusable else ""
        if not known:
            return (
                "the voxel size is missing: give --voxel-um Z Y X in um, for example --voxel-um 5 0.7 0.7 for slices "
                f"5 um apart with pixels of 0.7 um.{unusable}"
            )
        filled = " ".join(axis.upper() if size is None else f"{size:.4g}" for axis, size in named.items())
        name = "the distance of the slices" if lacking == ["z"] else f"the size along {' and '.join(lacking)}"
        return (
            f"the voxel size is missing in part: {self.origin} gives {', '.join(known)}, but not {name}.{unusable} "
            f"Give --voxel-um {filled}, with {name} in um for {' and '.join(lacking).upper()}"
        )


UNSTATED = StatedVoxel()
"""Of files that cannot say it."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """What a source says of itself beyond its grid: nothing, where it does not say otherwise."""

    voxel: StatedVoxel = UNSTATED
    facts: tuple[tuple[str, str], ...] = ()
    contents: str = ""
    doubts: tuple[str, ...] = ()

    @property
    def spacing_um(self) -> Um3 | None:
        """The voxel size, where all of it is stated."""
        return self.voxel.whole_um
