"""Which side of the brains a comparison is of, why, and what must be known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from volumetric.errors import InputError
from volumetric.statistics.comparison import EDGE
from volumetric.statistics.design import Design
from volumetric.statistics.imaged import BOTH, IMAGED, LEFT, RIGHT, compared_side


@dataclass(frozen=True)
class Sides:
    """The hemispheres compared, the sentence that says why, and doubts."""

    compared: tuple[str, ...]
    why: str
    doubts: tuple[str, ...] = ()

    @classmethod
    def of(cls, design: Design, imaged: Sequence[str], given: Sequence[str] | None, min_coverage: float = 0.5) -> Sides:
        """Those that are given, else what all brains have.

        Args:
            design: the brains.
            imaged: of each brain the side that was imaged: left, right or both.
            given: by the user.
            min_coverage: share of a region that must have been imaged.

        Raises `InputError` where a side is given that was not imaged of a brain.
        """
        brains = {side: [b for b, s in zip(design.brains, imaged, strict=True) if s == side] for side in _ORDER}
        halves = brains[LEFT] + brains[RIGHT]
        told = "; ".join(f"{_NAMES[side]} of {', '.join(names)}" for side, names in brains.items() if names)
        compared = tuple(dict.fromkeys(given)) if given else (compared_side(imaged),)
        for side in compared:
            _refuse_unseen(side, brains, told, min_coverage)
        if given:
            why = f"{', '.join(compared)}, as given" + (f" (imaged: {told})" if halves else "")
        elif not halves:
            why = "both sides of all brains"
        elif compared == (IMAGED,):
            why = f"of each brain the side that was imaged: {told}. Densities are of that side"
        else:
            why = f"the {compared[0]} side, which all brains have; imaged: {told}"
        return cls(compared, why, _mixed_up(design, imaged, compared))


_ORDER = (BOTH, LEFT, RIGHT)
_NAMES = {BOTH: "both sides", LEFT: "the left", RIGHT: "the right"}

HALF = 0.5 - EDGE
"""Share of a region that half a brain surely has: a threshold below it keeps half brains."""


def _refuse_unseen(side: str, brains: Mapping[str, Sequence[str]], told: str, min_coverage: float) -> None:
    """Raise where brains do not have the side, or have half of what is compared, so that chance leaves regions out."""
    lacking = {LEFT: brains[RIGHT], RIGHT: brains[LEFT], BOTH: [*brains[LEFT], *brains[RIGHT]]}.get(side, [])
    if not lacking or (side == BOTH and min_coverage < HALF):
        return
    why = (
        "about half of every region is there, so that chance decides which regions reach --min-coverage "
        f"{min_coverage:g}"
        if side == BOTH
        else "there is nothing to compare"
    )
    raise InputError(
        f"--hemisphere {side} is asked for, but {_NAMES[side]} of {', '.join(lacking)} "
        f"{'were' if side == BOTH else 'was'} not imaged: {why} (imaged: {told}). Leave --hemisphere out to compare "
        "what all brains have, or take these brains out of the design"
    )


def _mixed_up(design: Design, imaged: Sequence[str], compared: tuple[str, ...]) -> tuple[str, ...]:
    """Groups that were imaged on different sides cannot be told from the sides."""
    if IMAGED not in compared or len(set(imaged)) == 1:
        return ()
    sides = [[float(side == one) for side in imaged] for one in dict.fromkeys(imaged)][1:]
    together = np.column_stack([design.matrix, *sides])
    if np.linalg.matrix_rank(together) == together.shape[1]:
        return ()
    return (
        "the side that was imaged goes with the groups or the covariates: what differs between left and right cannot "
        "be told from what differs between groups",
    )
