"""What people and spreadsheets write into cells: numbers as in many countries, and marks of what is missing."""

from __future__ import annotations

import re
from collections.abc import Sequence

MISSING = frozenset(
    (
        *("", "na", "n/a", "n.a.", "#n/a", "#na", "nan", "null", "-", "--", "\u2013", "\u2014", ".", "?"),
        *("#div/0!", "#ref!", "#value!", "#name?", "#num!", "#null!"),
    )
)
"""Marks that mean that a cell says nothing, in small letters; the last ones are a spreadsheet's errors."""

_SPACES = " \u00a0\u202f\u2009"
_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MARKED = {
    point: re.compile(
        rf"[+-]?(?:[0-9]+|[0-9]{{1,3}}([{group}'\u2019{_SPACES}])[0-9]{{3}}(?:\1[0-9]{{3}})*)?"
        rf"(?:{re.escape(point)}[0-9]*)?(?:[eE][+-]?[0-9]+)?"
    )
    for point, group in ((".", ","), (",", r"\."))
}
"""A number with its decimal mark, its thousands in groups or not."""


class UnclearNumbersError(ValueError):
    """A column of numbers that can be read in two ways; the text says why."""


def is_missing(cell: str) -> bool:
    """Whether a cell says nothing: it is empty, `NA`, `N/A`, `-` or the like."""
    return cell.strip().lower() in MISSING


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with a decimal point or comma, its thousands in groups or not."""
    return any(_read(cell, point) is not None for point in _MARKED)


def with_points(cells: Sequence[str], *, comma_separates: bool) -> list[str]:
    """A column with its numbers as Python reads them; a column that is not of numbers as it was.

    One column has one decimal mark. `1,234` alone is a decimal where commas do not separate the cells of the file: it
    comes from a country that writes so. Where they do, it may as well be a thousand.

    Args:
        cells: text; missing ones stay.
        comma_separates: whether the cells of the file are separated by commas.

    Raises `UnclearNumbersError` where a column mixes decimal marks, or does not tell decimals from thousands.

    >>> with_points(["23,1", "1.024,5", "NA"], comma_separates=False)
    ['23.1', '1024.5', 'NA']
    """
    known = [cell for cell in cells if not is_missing(cell)]
    if all(_PLAIN.fullmatch(cell) for cell in known) or not all(is_number(cell) for cell in known):
        return list(cells)
    read = {point: [_read(cell, point) for cell in known] for point in _MARKED}
    whole = [point for point, numbers in read.items() if None not in numbers]
    if not whole:
        point, comma = (next(c for c, n in zip(known, read[mark], strict=True) if n is None) for mark in (",", "."))
        raise UnclearNumbersError(f"has both decimal points ({point}) and decimal commas ({comma}): write all alike")
    if len(whole) == 2 and read["."] != read[","] and comma_separates:
        unclear = next(c for c, a, b in zip(known, read["."], read[","], strict=True) if a != b)
        raise UnclearNumbersError(
            f"says {unclear}, which may be a decimal or thousands: write it without marks for thousands, and with a "
            "decimal point"
        )
    mark = whole[0] if len(whole) == 1 else ","
    return [cell if is_missing(cell) else str(_read(cell, mark)) for cell in cells]


def _read(cell: str, point: str) -> str | None:
    """The number as Python reads it; None where the cell is none with this decimal mark."""
    text = cell.strip().replace("\u2212", "-")
    if not re.search("[0-9]", text) or not _MARKED[point].fullmatch(text):
        return None
    return re.sub(rf"[^0-9eE+{re.escape(point)}-]", "", text).replace(point, ".")
