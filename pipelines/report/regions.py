"""The region table as a tree of rows, each with its place in the hierarchy and a colour made from it."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.csv_file import FIRST_LINE, read_csv
from pipelines.report.planes import Rgb
from volumetric.errors import InputError
from volumetric.storage.handwritten import is_missing

SIDES = ("left", "right", "both")
NUMBERS = ("count_own", "count", "expected", "expected_low", "expected_high")
SHARES = ("volume_own_mm3", "volume_mm3", "coverage", "density_per_mm3")
_TEXT = ("acronym", "name", "hemisphere")

_AGAIN = (
    "It may have been saved again by a spreadsheet: put back the file that the run wrote, with the same "
    "`volumetric count`, and open copies only"
)

OFF = 8.0
"""How many times a density may be what count and volume give: misread marks change a number tenfold or more."""

_KNOWN = ("region_id", "depth", "count_own", "count")
"""Columns in which every row has a whole number."""

Figures = Mapping[str, float | None]


@dataclass(frozen=True)
class RegionRow:
    """One region: figures of the whole (`both`), the left and the right; None where a figure is not known."""

    region_id: int
    acronym: str
    name: str
    parent_id: int | None
    depth: int
    leaf: bool
    colour: Rgb
    both: Figures
    left: Figures
    right: Figures

    @property
    def css(self) -> str:
        """The colour as CSS."""
        return "#" + "".join(f"{round(255 * c):02x}" for c in self.colour)


def read_regions(path: Path) -> pd.DataFrame:
    """`regions.csv` with numbers as numbers, also where a spreadsheet saved it again; an acronym such as `NA` is text.

    Raises `InputError` where it is missing, lacks a column or holds what is no number, and where a density is far from
    that of its count and volume: a spreadsheet that takes points for marks of thousands saves other numbers.
    """
    columns = ("region_id", "parent_id", "depth", *NUMBERS, *SHARES)
    if not path.is_file():
        raise InputError(f"there is no region table at {path}: finish the run first, with the same `volumetric count`")
    table = read_csv(path, "region table", (*columns, *_TEXT), text=_TEXT, row="region")
    for name in columns:
        table[name] = _numbers(table[name], path)
    for name in _KNOWN:
        if table[name].mod(1).eq(0).all():
            table[name] = table[name].astype("int64")
    ratio = table["density_per_mm3"] * table["volume_mm3"] / table["count"].where(table["count"] > 0)
    off = (ratio > OFF) | (ratio < 1 / OFF)
    if off.any():
        line, row = table.index[off][0] + FIRST_LINE, table[off].iloc[0]
        raise InputError(
            f"{path} is damaged: in line {line}, {row['acronym']} ({row['hemisphere']}) has {row['count']:g} cells in "
            f"{row['volume_mm3']:g} mm3 but {row['density_per_mm3']:g} per mm3. {_AGAIN}"
        )
    return table.reset_index(drop=True)


def _numbers(column: pd.Series[str], path: Path) -> npt.NDArray[np.float64]:
    missing = column.map(is_missing)
    numbers = pd.to_numeric(column.mask(missing), errors="coerce")
    wrong = column[numbers.isna() & ~(missing & (column.name not in _KNOWN))]
    if len(wrong):
        raise InputError(
            f"{path} is damaged: {column.name} is {wrong.iloc[0]!r} in line {wrong.index[0] + FIRST_LINE}, where a "
            f"number must be. {_AGAIN}"
        )
    return numbers.to_numpy(np.float64)


def region_rows(table: pd.DataFrame) -> list[RegionRow]:
    """Rows depth first, children in the order of the table."""
    figures: dict[int, dict[str, Figures]] = {}
    facts: dict[int, tuple[str, str, int | None]] = {}
    for record in table.to_dict("records"):
        number = int(record["region_id"])
        parent = None if pd.isna(record["parent_id"]) else int(record["parent_id"])
        facts.setdefault(number, (record["acronym"], record["name"], parent))
        figures.setdefault(number, {})[record["hemisphere"]] = {
            name: None if pd.isna(record[name]) else float(record[name]) for name in (*NUMBERS, *SHARES)
        }
    children: dict[int | None, list[int]] = {}
    for number, (_, _, parent) in facts.items():
        children.setdefault(parent if parent in facts else None, []).append(number)
    colours = tree_colours(children)
    nothing: Figures = dict.fromkeys((*NUMBERS, *SHARES))
    rows = []
    for number, depth in _walk(children):
        acronym, name, parent = facts[number]
        left, right, both = (figures[number].get(side, nothing) for side in ("left", "right", "both"))
        rows.append(
            RegionRow(
                region_id=number,
                acronym=acronym,
                name=name,
                parent_id=parent if parent in facts else None,
                depth=depth,
                leaf=number not in children,
                colour=colours[number],
                both=both,
                left=left,
                right=right,
            )
        )
    return rows


def tree_colours(children: Mapping[int | None, Sequence[int]]) -> dict[int, Rgb]:
    """A colour for each region: kin have kindred hues.

    The circle of hues is split among the children of a region by their number of leaves, and so on downwards
    (Tennekes and de Jonge 2014, Tree Colors); a region's hue is the middle of its part.
    """
    leaves: dict[int, int] = {}
    for number, _ in reversed(_walk(children)):
        leaves[number] = sum(leaves[child] for child in children.get(number, ())) or 1
    colours: dict[int, Rgb] = {}
    parts: list[tuple[int | None, float, float]] = [(None, 0.0, 1.0)]
    while parts:
        parent, start, stop = parts.pop()
        total = sum(leaves[child] for child in children.get(parent, ()))
        for child in children.get(parent, ()):
            end = start + (stop - start) * leaves[child] / total
            colours[child] = colorsys.hls_to_rgb((start + end) / 2, 0.62, 0.8)
            parts.append((child, start, end))
            total, start = total - leaves[child], end
    return colours


def shown_depth(rows: Sequence[RegionRow], limit: int = 24) -> int:
    """How many levels of the hierarchy a first look shows: as many as give at most `limit` rows, at least one."""
    depth = 0
    while sum(row.depth <= depth + 1 for row in rows) <= limit and any(row.depth > depth for row in rows):
        depth += 1
    return depth


def top_regions(rows: Sequence[RegionRow], number: int = 20) -> list[RegionRow]:
    """The finest regions with most cells, most first."""
    counted = [row for row in rows if row.leaf and (row.both["count"] or 0) > 0]
    return sorted(counted, key=lambda row: (-(row.both["count"] or 0), row.region_id))[:number]


def brain_total(rows: Sequence[RegionRow], side: str, figure: str) -> float | None:
    """A figure summed over the roots; None where it is not known."""
    values = [getattr(row, side)[figure] for row in rows if row.depth == 0]
    known = [value for value in values if value is not None and math.isfinite(value)]
    return sum(known) if known else None


def _walk(children: Mapping[int | None, Sequence[int]]) -> list[tuple[int, int]]:
    """(region, depth) depth first."""
    found: list[tuple[int, int]] = []
    stack = [(number, 0) for number in reversed(children.get(None, ()))]
    while stack:
        number, depth = stack.pop()
        found.append((number, depth))
        stack += [(child, depth + 1) for child in reversed(children.get(number, ()))]
    return found
