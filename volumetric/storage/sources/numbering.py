"""Which files of a folder are its slices, in which order: told by their names alone.

The number that varies is the slice. Where none is different in every name, several are: `section_001_02` is a plane
of a
section. The files must then fill the grid of all sections and planes. Numbers that count channels, tiles, views or
times are no slices: such folders are refused with what is in them (ADR 0028).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from natsort import natsorted

from volumetric.errors import InputError
from volumetric.storage.sources.channel_pattern import suggested_pattern
from volumetric.storage.sources.names import MOST_CHANNELS, READINGS, Column, columns_of
from volumetric.storage.sources.orders import Order, orders
from volumetric.storage.sources.refusals import (
    LISTED,
    refuse_groups,
    refuse_irregular,
    refuse_missing,
    refuse_series,
    refuse_twice,
    refuse_unlike,
)

DATE = r"(?:19|20)\d\d[-_.]?\d\d[-_.]?\d\d[ _T-]*"
CLOCK = re.compile(
    rf"(?<!\d)(?:{DATE})?\d\d[-:h._]\d\d[-:m._]\d\d(?:[.,_]?\d{{3}})?(?!\d)"
    rf"|(?<!\d){DATE}\d{{4}}(?:\d\d)?(?:[.,_]?\d{{3}})?(?!\d)"
    r"|(?<!\d)1\d{9}(?:\d{3})?(?!\d)"
)
"""A time of day with or without its date, or seconds of a computer's clock."""


@dataclass(frozen=True)
class Numbering:
    """Slices in their order.

    Args:
        files: one a slice.
        keys: the numbers of each, which rise; empty where the names carry none.
        text: what there is, for people.
        doubts: what is to be looked at.
    """

    files: tuple[Path, ...]
    keys: tuple[tuple[int, ...], ...]
    text: str
    doubts: tuple[str, ...] = ()


def number_slices(files: Sequence[Path]) -> Numbering:
    """The files of one channel in the order of its slices.

    Raises `InputError` that names the files where slices are missing or given twice, where the names are of several
    channels, tiles, views, times or series, and where they show no order.
    """
    files = natsorted(files)
    if len(files) == 1:
        return Numbering((files[0],), (), f"one file, {files[0].name}")
    stems = [path.stem for path in files]
    readings = [columns for reading in READINGS if (columns := columns_of(stems, reading)) is not None]
    if not readings:
        refuse_unlike(files)
        return _unnumbered(files)
    if not readings[0]:
        raise InputError(f"{files[0].name} and {files[1].name} have one name but for their ending: remove one of them")
    refuse_twice(files, readings[0])
    refuse_groups(files, readings[0])
    found = [order for columns in readings for order in orders(columns, len(files))]
    best = min(found, key=lambda order: order.rank)
    if best.irregular or len(best.columns) > 1:
        in_time = _by_time(files, readings[0])
        if in_time is not None:
            return in_time
    if best.irregular:
        refuse_irregular(files, best)
    refuse_series(files, best)
    return _ordered(files, best)


def _ordered(files: Sequence[Path], order: Order) -> Numbering:
    keys = order.keys(len(files))
    sequence = sorted(range(len(files)), key=keys.__getitem__)
    sorted_files = tuple(files[i] for i in sequence)
    sorted_keys = tuple(keys[i] for i in sequence)
    if order.missing:
        refuse_missing(sorted_files, sorted_keys, order)
    first, last = sorted_files[0].name, sorted_files[-1].name
    text = f"{len(files)} files, {first} to {last}"
    if len(order.columns) == 1:
        column = order.columns[0]
        low, high = (round(value * column.unit, 9) for value in (column.distinct[0], column.distinct[-1]))
        step = (column.distinct[-1] - column.distinct[0]) * column.unit / (len(files) - 1)
        text = f"{text}, numbered {low:.12g} to {high:.12g} in steps of {step:.6g}"
        return Numbering(sorted_files, sorted_keys, text, _doubts_of_role(files, column))
    inner = order.columns[-1]
    shown = sorted(set(zip(inner.values, inner.written, strict=True)))
    names = ", ".join(written for _, written in shown[:LISTED]) + (", ..." if len(shown) > LISTED else "")
    few = len(shown) <= MOST_CHANNELS
    of_each = f"{len(shown)} ({names}) for each {order.columns[0].name or 'first number'}"
    way = (
        f'--channel-pattern "{suggested_pattern([path.stem for path in files], inner)}"' if few else "a folder for each"
    )
    return Numbering(
        sorted_files,
        sorted_keys,
        f"{text}, {of_each}",
        (
            f"the slices are taken in the order of two numbers in their names, {of_each}: "
            f"{', '.join(path.name for path in sorted_files[:3])}, ... If the second number is a channel, give {way}",
        ),
    )


def _doubts_of_role(files: Sequence[Path], column: Column) -> tuple[str, ...]:
    if column.role not in {"channel", "tile", "time"}:
        return ()
    return (
        f"the number that varies in the names, as in {files[0].name}, is marked as a {column.role} ({column.name}): "
        f"the {len(files)} files are taken as slices",
    )


def _by_time(files: Sequence[Path], columns: tuple[Column, ...]) -> Numbering | None:
    """The order of times of day in the names, where nothing else tells the files apart."""
    varying = [column for column in columns if len(column.distinct) > 1]
    even = all(len(set(map(len, column.written))) == 1 for column in varying)
    if not even or len({CLOCK.sub("", path.stem) for path in files}) > 1:
        return None
    keys = [tuple(column.values[i] for column in varying) for i in range(len(files))]
    sequence = sorted(range(len(files)), key=keys.__getitem__)
    ordered = tuple(files[i] for i in sequence)
    return Numbering(
        ordered,
        (),
        f"{len(files)} files, {ordered[0].name} to {ordered[-1].name}, by the times in their names",
        (
            f"only times tell the names apart, as in {ordered[0].name}: the slices are taken in their order, and it "
            "cannot be seen whether one is missing",
        ),
    )


def _unnumbered(files: Sequence[Path]) -> Numbering:
    if any(re.search(r"\d", path.stem) for path in files):
        listed = ", ".join(path.name for path in files[:LISTED])
        raise InputError(
            f"the names in {files[0].parent} show no order ({listed}{', ...' if len(files) > LISTED else ''}): number "
            "the files in the order of the slices, alike but for the number"
        )
    return Numbering(
        tuple(files),
        (),
        f"{len(files)} files, {files[0].name} to {files[-1].name}, by name",
        (
            f"the names carry no numbers, so the slices are taken in the order of names, {files[0].name} to "
            f"{files[-1].name}, and it cannot be seen whether one is missing",
        ),
    )
