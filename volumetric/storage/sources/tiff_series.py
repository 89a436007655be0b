"""Which images of a TIFF are read, where it holds several series: pieces are joined, small copies left out.

A file written in pieces holds series of one grid, one after another. Scenes of an OME-TIFF are images of their own,
even
where they are alike: one of them is chosen, as `FILE:1` (ADR 0028).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tifffile

from volumetric.errors import InputError
from volumetric.storage.sources.source import words
from volumetric.storage.sources.tiff_page import Page

LISTED = 8

SMALLER = 0.75
"""Largest share of rows and of columns at which a single image beside slices is a small copy, not one of them."""

ALIKE = 0.05
"""Relative difference of the factors of rows and columns, which are rounded, of a copy of lower resolution."""

Series = tifffile.TiffPageSeries


@dataclass(frozen=True)
class Chosen:
    """The series that make one image, in the order of slices, the number of the first in the file, and what is worth
    saying of them."""

    series: tuple[Series, ...]
    number: int
    text: str
    doubts: tuple[str, ...] = ()


def choose_series(path: Path, tif: tifffile.TiffFile, wanted: int | None) -> Chosen:
    """What is to be read of a TIFF; raises `InputError` that lists its images where a choice is needed."""
    found: list[Series] = list(tif.series)
    if wanted is not None:
        if wanted >= len(found):
            raise InputError(f"{path} has no image number {wanted}: it holds {_listed(path, found)}")
        return Chosen((found[wanted],), wanted, f"image {wanted} of {len(found)}")
    if len(found) == 1:
        return Chosen((found[0],), 0, "")
    main = max(found, key=lambda one: one.size)
    copies = [one for one in found if one is not main and is_small_copy(one, main)]
    kept = [one for one in found if one not in copies]
    left_out = tuple(
        f"an image of {words(tuple(one.shape), str(one.dtype))} in {path.name} is taken for a small copy and left out"
        for one in copies[:LISTED]
    )
    if len(kept) == 1:
        return Chosen((main,), found.index(main), f"image {found.index(main)} of {len(found)}", left_out)
    if tif.is_ome or not _of_one_grid(kept):
        why = "are scenes of an OME-TIFF" if tif.is_ome else "do not fit together"
        single = all(_planes(one) == 1 for one in kept)
        way = "; if they are the slices of one stack, save them as one image in Fiji" if single else ""
        raise InputError(
            f"{path} holds {len(kept)} images that {why}: {_listed(path, found)}. Give one of them, for example as "
            f"{path}:{found.index(kept[0])}{way}"
        )
    pieces = [_planes(one) for one in kept]
    if set(pieces) == {1}:
        return Chosen(tuple(kept), 0, f"{len(kept)} slices, written one by one", left_out)
    each = Counter(pieces).most_common(1)[0][0]
    joined = f"{sum(pieces)} slices in {len(kept)} pieces" + (f" of {each}" if len(set(pieces)) == 1 else "")
    return Chosen(
        tuple(kept),
        0,
        joined,
        (*left_out, f"{path.name} was written in pieces: {joined} are joined in the order of the file"),
    )


def is_small_copy(one: Series, main: Series) -> bool:
    """Whether a series is a thumbnail, or a copy of lower resolution, of another."""
    key, full = one.keyframe, main.keyframe
    if key.is_reduced and not full.is_reduced:
        return True
    edges = [a / b for a, b in zip(key.shape[:2], full.shape[:2], strict=True)]
    if max(edges) > SMALLER:
        return False
    alike = abs(edges[0] - edges[1]) <= ALIKE * max(edges)
    return _planes(one) == 1 or (_planes(one) == _planes(main) and alike and one.kind != "ome")


def _planes(series: Series) -> int:
    key: Page = series.keyframe
    return int(series.size // max(1, math.prod(key.shape)))


def _of_one_grid(series: Sequence[Series]) -> bool:
    """Whether all are grey slices of one size and data type, without channels."""
    grids = {(one.keyframe.shape, str(one.dtype)) for one in series}
    outer = ["".join(a for a, n in zip(one.axes, one.shape, strict=True) if a not in "YX" and n > 1) for one in series]
    return len(grids) == 1 and all(len(axes) <= 1 and axes != "C" for axes in outer)


def _listed(path: Path, series: Sequence[Series]) -> str:
    shown = (
        f"{path.name}:{i} ({words(tuple(one.shape), str(one.dtype))}{f', {one.name}' if one.name else ''})"
        for i, one in enumerate(series[:LISTED])
    )
    return "; ".join(shown) + ("; and more" if len(series) > LISTED else "")
