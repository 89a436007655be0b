"""The region table as a tree of rows, each with its place in the hierarchy and a colour made from it."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipelines.report.planes import Rgb
from volumetric.errors import InputError

SIDES = ("left", "right", "both")
NUMBERS = ("count_own", "count", "expected", "expected_low", "expected_high")
SHARES = ("volume_own_mm3", "volume_mm3", "coverage", "density_per_mm3")
_TEXT = ("acronym", "name", "hemisphere")

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
    """`regions.csv` with numbers as numbers; an acronym such as `NA` stays text. Raises `InputError`."""
    columns = ("region_id", "parent_id", "depth", *NUMBERS, *SHARES)
    if not path.is_file():
        raise InputError(f"there is no region table at {path}: finish the run first, with the same `volumetric count`")
    table = pd.read_csv(
        path,
        keep_default_na=False,
        na_values={name: ["", "nan", "NaN"] for name in columns},
        dtype=dict.fromkeys(_TEXT, str),
    )
    missing = [name for name in (*columns, *_TEXT) if name not in table]
    if missing:
        raise InputError(f"{path} lacks the columns {', '.join(missing)}")
    return table


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
