"""Layouts as real tiles have them, each region its own, and the file that keeps them.

    {"format": "volumetric layout", "version": 2,
     "regions": [{"name", "tiles", "process": {...}, "counts": {...}, "marks": {...}, "marked": {...}}], "made": {...}}

A region's own numbers need enough cells: with few it has its own counts, but how cells lie and look as in all tiles.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.storage.atomic import read_json, write_json
from volumetric.synthesis.fit_process import LEAST_PAIRS, fit, pairs_within
from volumetric.synthesis.layout import Layout, outline, without_contained
from volumetric.synthesis.marked import Marked, fit_marked
from volumetric.synthesis.marks import LEAST_CELLS, Marks, fit_marks
from volumetric.synthesis.pair_correlation import Pattern
from volumetric.synthesis.point_process import PointProcess
from volumetric.synthesis.tile_counts import TileCounts, fit_counts

Floats = npt.NDArray[np.float64]

FORMAT, VERSION = "volumetric layout", 2
EVERYWHERE = "all"
"""Region of tiles that have none."""

OWN_PAIRS, OWN_CELLS = 100, 50
"""Pairs of near cells, and measured cells, from which a region is told by itself."""


@dataclass(frozen=True)
class KnownTile:
    """What layouts are told from.

    Args:
        pattern: where its cells lie.
        measured: (n, 2) radius px and light of the cells (`marks.measure`), NaN where not known.
        region: it was cut in.
        marked: (n,) whether people marked them, or None where they are what people marked.
    """

    pattern: Pattern
    measured: Floats
    region: str = EVERYWHERE
    marked: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class RegionLayout:
    """The layouts of one region: how many cells, where, and how they look.

    Args:
        name: of the region.
        tiles: it was told from; regions are drawn in proportion.
        process: where cells lie.
        counts: how many.
        marks: how large and bright they are.
        marked: how likely people mark them, or None where they mark all.
    """

    name: str
    tiles: int
    process: PointProcess
    counts: TileCounts
    marks: Marks
    marked: Marked | None = None

    def sample(self, shape: tuple[int, int], rng: np.random.Generator) -> Layout:
        """A layout for a tile (y, x)."""
        return self.of_cells(self.counts.sample(shape[0] * shape[1], rng), shape, rng)

    def of_cells(self, count: int, shape: tuple[int, int], rng: np.random.Generator) -> Layout:
        """A layout of so many cells, less those that lie wholly within others."""
        places = self.process.simulate(count, shape, rng)[0]
        radius, light = self.marks.sample(count, rng)
        outlines = tuple(outline(yx, float(r), rng) for yx, r in zip(places, radius, strict=True))
        sure = None if self.marked is None else self.marked.of(light)
        return without_contained(Layout(places, radius, light, outlines, sure), shape)


@dataclass(frozen=True)
class FittedLayout:
    """Layouts learnt from tiles with known cells, of one region or several; raises `InputError` for none."""

    regions: tuple[RegionLayout, ...]

    def __post_init__(self) -> None:
        names = [one.name for one in self.regions]
        if not names or len(set(names)) < len(names) or min(one.tiles for one in self.regions) < 1:
            raise InputError(f"layouts are of one region or more, each named once and told from a tile; got {names}")

    def sample(self, shape: tuple[int, int], rng: np.random.Generator) -> Layout:
        """A layout for a tile (y, x) of a region drawn by the number of its tiles."""
        tiles = np.asarray([one.tiles for one in self.regions], dtype=np.float64)
        return self.regions[int(rng.choice(len(tiles), p=tiles / tiles.sum()))].sample(shape, rng)

    def only(self, region: str) -> FittedLayout:
        """The layouts of one region; raises `InputError` where it is not known."""
        found = tuple(one for one in self.regions if one.name == region)
        if not found:
            raise InputError(f"no layouts of region {region}: there are {', '.join(one.name for one in self.regions)}")
        return FittedLayout(found)


def enough(tiles: Sequence[KnownTile], reach_px: float) -> bool:
    """Whether layouts can be told from these tiles."""
    measured = sum(int(np.isfinite(one.measured).all(axis=1).sum()) for one in tiles)
    return pairs_within([one.pattern for one in tiles], reach_px) >= LEAST_PAIRS and measured >= LEAST_CELLS


def fit_layout(tiles: Sequence[KnownTile], reach_px: float) -> FittedLayout:
    """Layouts from tiles; raises `InputError` where they have too few cells to tell anything."""
    look = fit_marks(np.concatenate([one.measured for one in tiles]))
    together = fit([one.pattern for one in tiles], reach_px, diameter_px=look.diameter_px)
    marked = _marked(tiles)
    regions = []
    for name in sorted({one.region for one in tiles}):
        own = [one for one in tiles if one.region == name]
        patterns = [one.pattern for one in own]
        measured = np.concatenate([one.measured for one in own])
        alone = len(own) < len(tiles) and pairs_within(patterns, reach_px) >= OWN_PAIRS
        seen = np.isfinite(measured).all(axis=1).sum() >= OWN_CELLS
        marks = fit_marks(measured) if seen else look
        counts = np.asarray([len(one.yx) for one in patterns])
        regions.append(
            RegionLayout(
                name,
                len(own),
                fit(patterns, reach_px, diameter_px=marks.diameter_px) if alone else together,
                fit_counts(counts, [one.area_px for one in patterns]) if counts.any() else TileCounts((0.0,), (1.0,)),
                marks,
                (_marked(own) if seen else None) or marked,
            )
        )
    return FittedLayout(tuple(regions))


def _marked(tiles: Sequence[KnownTile]) -> Marked | None:
    known = [(one.measured[:, 1], one.marked) for one in tiles if one.marked is not None]
    if not known:
        return None
    light, marked = (np.concatenate(part) for part in zip(*known, strict=True))
    return fit_marked(light, marked.astype(np.bool_))


def write_layout(path: Path, layout: FittedLayout, made: Mapping[str, Any]) -> None:
    """Write layouts to a JSON file, with a record of what they were made from."""
    regions = [asdict(one) for one in layout.regions]
    write_json(path, {"format": FORMAT, "version": VERSION, "regions": regions, "made": dict(made)})


def read_layout(path: Path) -> FittedLayout:
    """Layouts of a file; raises `InputError` where there is none, it is damaged, or of another version."""
    try:
        record = read_json(path)
    except FileNotFoundError as error:
        raise InputError(f"there are no layouts at {path}: expected a file of `volumetric fit-layout`") from error
    except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is damaged or no file of layouts ({error})") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise InputError(f"{path} is no file of layouts: expected one of `volumetric fit-layout`")
    if record.get("version") != VERSION:
        raise InputError(f"{path} has version {record.get('version')} of layouts, this program reads {VERSION}")
    try:
        return FittedLayout(tuple(_region(one) for one in record["regions"]))
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}. Make it again with `volumetric fit-layout`") from error


def _region(record: Mapping[str, Any]) -> RegionLayout:
    counts, marks, marked = record["counts"], record["marks"], record["marked"]
    return RegionLayout(
        str(record["name"]),
        int(record["tiles"]),
        PointProcess(**record["process"]),
        TileCounts(tuple(counts["per_mpx"]), tuple(counts["weights"])),
        Marks(
            tuple(marks["mean"]),
            tuple(marks["deviation"]),
            float(marks["correlation"]),
            tuple(marks["radius_px"]),
            tuple(marks["light"]),
        ),
        marked and Marked(tuple(marked["light"]), tuple(marked["share"])),
    )
