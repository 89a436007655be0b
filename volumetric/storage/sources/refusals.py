"""Folders whose files are not the slices of one channel, all of them, once each: refused with what is there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from volumetric.errors import InputError
from volumetric.storage.sources.channel_pattern import suggested_for_words, suggested_pattern
from volumetric.storage.sources.names import MOST_CHANNELS, READINGS, STAGE_DIGITS, Column, split
from volumetric.storage.sources.orders import Order

LISTED = 5

STITCH = "stitch them first, for example with BigStitcher (in Fiji) or TeraStitcher, and give the stitched slices"
TILES = ("unstitched tiles", STITCH)
VIEWS = ("views (sides of light, or angles)", "fuse them first, for example with BigStitcher in Fiji")
SEPARATE = "if they are brains, tiles or channels, put each into a folder of its own"

STAGE_STEP = 100
"""From one tile to the next, in names that say where the stage stood: tenths of micrometres, or micrometres."""

COPY = re.compile(r"^(?:copy of )?(.+?)(?:[ _-]*copy(?: ?\d+| ?\(\d+\))?| ?\(\d+\))?$", re.IGNORECASE)
"""A name that a system gives to a copy, and the name of what was copied."""


def refuse_series(files: Sequence[Path], order: Order) -> None:
    """Raise `InputError` where the files are in order but are no slices of one brain, or not one channel's."""
    first = order.columns[0]
    times = [column for column in order.columns if column.role == "time"]
    if len(order.columns) == 1:
        if first.role in {"tile", "view"} and first.name not in {"x", "y"}:
            _refuse(files, [first], *(TILES if first.role == "tile" else VIEWS))
        if first.role == "channel" and len(files) <= MOST_CHANNELS:
            _refuse(files, [first], "channels", "give the path of one of them, or a folder of slices for each")
    elif times:
        _refuse(files, times, "time points", "give one of them in a folder of its own")
    elif all(column.step >= STAGE_STEP and column.is_padded(STAGE_DIGITS) for column in order.columns):
        _refuse(files, order.columns, *TILES)
    elif first.role == "slice":
        _refuse(files, list(order.columns[1:]), f"images for each {first.name}", SEPARATE)
    elif first.role != "section" and len(first.distinct) < len(order.columns[-1].distinct):
        _refuse(files, [first], "series of names", SEPARATE)


def refuse_twice(files: Sequence[Path], columns: tuple[Column, ...]) -> None:
    """Raise `InputError` where two names have the same numbers."""
    seen: dict[tuple[int, ...], Path] = {}
    for i, path in enumerate(files):
        other = seen.setdefault(tuple(c.values[i] for c in columns), path)
        if other is not path:
            raise InputError(
                f"{other.name} and {path.name} have the same numbers: remove one of them from {path.parent}"
            )


def refuse_groups(files: Sequence[Path], columns: tuple[Column, ...]) -> None:
    """Raise `InputError` where a number in the names counts tiles, views or channels."""
    groups = [column for column in columns if column.groups]
    tiles = [column for column in groups if column.role == "tile"]
    views = [column for column in groups if column.role == "view"]
    channels = [column for column in groups if column.role == "channel"]
    if tiles:
        _refuse(files, tiles, *TILES)
    if views:
        _refuse(files, views, *VIEWS)
    if channels:
        pattern = suggested_pattern([path.stem for path in files], channels[0])
        _refuse(
            files,
            channels,
            "channels",
            f'put each into a folder of its own, or read them with --channel-pattern "{pattern}"',
        )


def _refuse(files: Sequence[Path], columns: Sequence[Column], what: str, advice: str) -> NoReturn:
    members: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for i, path in enumerate(files):
        members[tuple(f"{c.name}{c.written[i]}" for c in columns)].append(path)
    listed = ", ".join(
        f"{' '.join(name)} ({_files(len(paths))}, as {paths[0].name})" for name, paths in list(members.items())[:LISTED]
    )
    more = ", ..." if len(members) > LISTED else ""
    raise InputError(f"{files[0].parent} holds {len(members)} {what} in one folder: {listed}{more}. {_capital(advice)}")


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def refuse_missing(files: tuple[Path, ...], keys: tuple[tuple[int, ...], ...], order: Order) -> NoReturn:
    """Raise `InputError` with the files beside each gap; `files` are in order, `keys` are theirs."""
    everything = sorted([*keys, *order.missing])
    by_key = dict(zip(keys, files, strict=True))
    gaps: list[tuple[Path | None, Path | None, int]] = []
    before: Path | None = None
    run = 0
    for key in everything:
        if key in by_key:
            if run:
                gaps.append((before, by_key[key], run))
            before, run = by_key[key], 0
        else:
            run += 1
    if run:
        gaps.append((before, None, run))
    listed = "; ".join(_gap(*gap) for gap in gaps[:LISTED]) + ("; and more" if len(gaps) > LISTED else "")
    total = len(order.missing)
    how = (
        f"the number that varies goes in steps of {order.columns[0].step * order.columns[0].unit:g}"
        if len(order.columns) == 1
        else "each first number should come with each second one"
    )
    raise InputError(
        f"slices are missing {listed}. {total} of {len(everything)} are not in {files[0].parent}: {how}. Add the "
        "missing files, or renumber the files if nothing is missing"
    )


def _gap(before: Path | None, after: Path | None, count: int) -> str:
    number = f" ({count})" if count > 1 else ""
    if before is None or after is None:
        edge = f"before {after.name}" if after is not None else f"after {before.name if before else ''}"
        return f"{edge}{number}"
    return f"between {before.name} and {after.name}{number}"


def refuse_irregular(files: Sequence[Path], order: Order) -> NoReturn:
    """Raise `InputError` with the first step that is not as the others."""
    column = order.columns[0]
    at = sorted(range(len(files)), key=column.values.__getitem__)
    for i, j in pairwise(at):
        if len(order.columns) == 1 and column.values[j] - column.values[i] != column.step:
            raise InputError(
                f"slices are missing between {files[i].name} and {files[j].name}, or the names are not numbered "
                f"evenly: the numbers go from {column.written[i]} to {column.written[j]} where steps of "
                f"{column.step * column.unit:g} are usual. Add the missing files, or renumber them if nothing is "
                "missing"
            )
    raise InputError(
        f"the numbers in the names in {files[0].parent} show no order: number the files in the order of slices"
    )


def refuse_unlike(files: Sequence[Path]) -> None:
    """Raise `InputError` where names differ in more than their numbers, unless each differs from all others."""
    folder = files[0].parent
    stems = {path.stem.lower(): path for path in files}
    for path in files:
        found = COPY.fullmatch(path.stem)
        if found and found[1].lower() != path.stem.lower() and found[1].lower() in stems:
            raise InputError(
                f"{path.name} looks like a copy of {stems[found[1].lower()].name}: remove one of them from {folder}"
            )
    families: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for path in files:
        families[split(path.stem, READINGS[0])[0]].append(path)
    if len(families) == len(files):
        return
    ranked = sorted(families.values(), key=len, reverse=True)
    main, others = ranked[0], ranked[1:]
    series = [family for family in ranked if len(family) > 1 and 2 * len(family) >= len(main)]
    if len(series) > 1:
        listed = ", ".join(f"{len(family)} as {family[0].name}" for family in series[:LISTED])
        pattern = suggested_for_words([family[0].stem for family in series])
        way = f', or, if they are channels, read them with --channel-pattern "{pattern}"' if pattern else ""
        raise InputError(f"{folder} holds {len(series)} series of names: {listed}. {_capital(SEPARATE)}{way}")
    strays = [path for family in others for path in family]
    raise InputError(
        f"{', '.join(path.name for path in strays[:LISTED])}{' and more' if len(strays) > LISTED else ''} in {folder} "
        f"{'is' if len(strays) == 1 else 'are'} not named as the other files ({main[0].name}): move what is no slice "
        "elsewhere, or name all alike"
    )
