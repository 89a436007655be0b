"""Names of groups that may be one name, written once with a slip of the pen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from volumetric.errors import InputError


def refuse_misspelt(groups: Sequence[str]) -> None:
    """Raise `InputError` where the only brain of a group seems to belong to a larger one.

    Args:
        groups: one name a brain.
    """
    for name, other in alike(groups):
        sizes = Counter(groups)
        if min(sizes[name], sizes[other]) == 1 < max(sizes[name], sizes[other]):
            alone, larger = sorted((name, other), key=lambda group: sizes[group])
            raise InputError(
                f"the group {alone!r} has one brain and is spelled almost as {larger!r}, which has {sizes[larger]}: "
                "write it alike if it is the same group, or give it a name that cannot be taken for the other"
            )


def alike(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of different names one or two slips apart; those that differ in a number, in the
    last letter or by an ending such as `treated` and `untreated` are not."""
    different = list(dict.fromkeys(names))
    return [(a, b) for i, a in enumerate(different) for b in different[i + 1 :] if _is_slip(a.casefold(), b.casefold())]


def _is_slip(a: str, b: str) -> bool:
    numbered = re.sub("[0-9]+", "#", a) == re.sub("[0-9]+", "#", b)
    lettered = len(a) == len(b) and a[:-1] == b[:-1]  # such as group A and group B
    if numbered or lettered or min(len(a), len(b)) < 4:
        return False
    slips = edits(a, b)
    return slips == 1 or (slips == 2 and min(len(a), len(b)) >= 5 and a not in b and b not in a)


def edits(a: str, b: str) -> int:
    """Letters left out, added, changed or swapped with the next (optimal string alignment distance).

    >>> edits("control", "contorl"), edits("control", "cntrl")
    (1, 2)
    """
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, start=1):
        last, before, row = before, row, [i]
        for j, other in enumerate(b, start=1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if last and j > 1 and letter == b[j - 2] and other == a[i - 2]:
                best = min(best, last[j - 2] + 1)
            row.append(best)
    return row[-1]
