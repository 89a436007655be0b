"""What a crowd did: who was shown which part of which tile, and where they clicked.

Three states are kept apart: a worker clicked a place, saw it and did not click, or was never shown it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import KDTree

from volumetric.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CLICK_COLUMNS = ("tile", "worker", "x", "y")
VIEW = ("left", "top", "width", "height")
"""Of `shown`, where a worker was shown a part of a tile: pixels, from its first one."""

REJECTED_COLUMNS = ("table", "line", "tile", "worker", "x", "y", "reason")
FIRST_LINE = 2
"""Of the first row in a file with a header, as an editor counts."""


@dataclass(frozen=True)
class TileClicks:
    """What happened on one tile.

    Args:
        tile: its name.
        shape: pixels (y, x).
        yx: (n, 2) clicks in pixels, in the order in which they were made.
        worker: (n,) number of who made them.
        views: (m, 4) what was shown: first and past-the-last y, first and past-the-last x, in pixel edges.
        viewer: (m,) number of the worker to whom.
    """

    tile: str
    shape: tuple[int, int]
    yx: Floats
    worker: Ints
    views: Floats
    viewer: Ints

    @cached_property
    def viewers(self) -> Ints:
        """Numbers of those who were shown any of it, ascending."""
        return np.unique(self.viewer)

    def seen(self, places: Floats) -> Bools:
        """(k, n viewers) whether each viewer was shown each of (k, 2) places."""
        y, x = places[:, 0, None], places[:, 1, None]
        y0, y1, x0, x1 = self.views.T
        inside = (y >= y0) & (y < y1) & (x >= x0) & (x < x1)
        seen = np.zeros((len(places), len(self.viewers)), dtype=np.bool_)
        np.logical_or.at(seen.T, np.searchsorted(self.viewers, self.viewer), inside.T)
        return seen

    def without_repeats(self, within_px: float) -> TileClicks:
        """The same, but of clicks of one worker no further apart than `within_px` only the first.

        Double clicks, and clicks on one cell in two overlapping parts of a tile.
        """
        keep = np.ones(len(self.yx), dtype=np.bool_)
        if len(self.yx) > 1 and within_px > 0:
            pairs = KDTree(self.yx).query_pairs(within_px, output_type="ndarray")
            pairs = pairs[self.worker[pairs[:, 0]] == self.worker[pairs[:, 1]]]
            for first, second in pairs[np.lexsort(pairs.T[::-1])]:
                if keep[first]:
                    keep[second] = False
        return TileClicks(self.tile, self.shape, self.yx[keep], self.worker[keep], self.views, self.viewer)


@dataclass(frozen=True)
class Crowd:
    """Clicks that fit what was shown.

    Args:
        tiles: names.
        shapes: (n, 2) int64 pixels (y, x) of each.
        workers: names; a worker's number is the place here.
        clicks: columns tile and worker (numbers), y, x in pixels, in the order in which they were made.
        shown: columns tile and worker (numbers), y0, y1, x0, x1 in pixel edges.
    """

    tiles: tuple[str, ...]
    shapes: Ints
    workers: tuple[str, ...]
    clicks: pd.DataFrame
    shown: pd.DataFrame

    def of_tile(self, number: int) -> TileClicks:
        """What happened on a tile."""
        clicks, shown = (self._rows[name].get(number, self._none[name]) for name in ("clicks", "shown"))
        height, width = self.shapes[number].tolist()
        return TileClicks(
            self.tiles[number],
            (height, width),
            clicks[:, 1:3],
            clicks[:, 0].astype(np.int64),
            shown[:, 1:5],
            shown[:, 0].astype(np.int64),
        )

    @property
    def viewers(self) -> float:
        """Median number of workers to whom a tile was shown, of tiles that were shown at all; 0 for none."""
        shown = self.shown.groupby("tile")["worker"].nunique()
        return float(shown.median()) if len(shown) else 0.0

    def without(self, workers: Collection[str]) -> Crowd:
        """The same without some workers, by name; the others are numbered anew."""
        kept = [name for name in self.workers if name not in workers]
        number = np.array([kept.index(name) if name in kept else -1 for name in self.workers], dtype=np.int64)
        clicks, shown = (
            table[number[table["worker"]] >= 0].assign(worker=lambda rows: number[rows["worker"]])
            for table in (self.clicks, self.shown)
        )
        return Crowd(self.tiles, self.shapes, tuple(kept), clicks.reset_index(drop=True), shown.reset_index(drop=True))

    def __iter__(self) -> Iterator[TileClicks]:
        return (self.of_tile(number) for number in range(len(self.tiles)))

    @cached_property
    def _rows(self) -> Mapping[str, dict[int, Floats]]:
        tables = {"clicks": self.clicks[["tile", "worker", "y", "x"]], "shown": self.shown}
        return {
            name: {int(str(tile)): rows.to_numpy(dtype=np.float64)[:, 1:] for tile, rows in table.groupby("tile")}
            for name, table in tables.items()
        }

    @property
    def _none(self) -> Mapping[str, Floats]:
        return {"clicks": np.empty((0, 3)), "shown": np.empty((0, 5))}


def checked(
    clicks: pd.DataFrame, shown: pd.DataFrame, shapes: Mapping[str, tuple[int, int]], name: str = "clicks"
) -> tuple[Crowd, pd.DataFrame]:
    """The rows that make sense, and a table of those that do not, with the reason.

    Args:
        clicks: columns tile, worker, x, y (pixels; pixel centres are at whole numbers), and if known `order` or `t_ms`,
            by which each worker's clicks are put in order, those without a number last; text is read as numbers.
        shown: columns tile, worker, and perhaps left, top, width, height where it was a part of the tile; what lies
            beyond the tile was not shown.
        shapes: pixels (y, x) of each tile by name.
        name: of the table of clicks, for messages.

    Returns the crowd, and the rejected rows, columns `REJECTED_COLUMNS` with lines as an editor counts them.

    Raises `InputError` where columns are missing or a table has rows but none that makes sense.
    """
    for what, table, needed in ((name, clicks, CLICK_COLUMNS), ("shown", shown, ("tile", "worker"))):
        missing = [column for column in needed if column not in table]
        if missing:
            raise InputError(f"the table of {what} lacks {', '.join(missing)}: expected {', '.join(needed)}")
    parts = any(column in shown for column in VIEW)
    if parts and not all(column in shown for column in VIEW):
        raise InputError(f"parts of tiles need all of {', '.join(VIEW)}: the table of shown tiles has only some")
    clicks, shown = (table.reset_index(drop=True) for table in (clicks, shown))
    tiles = tuple(sorted(shapes))
    seen, lost_views = _views(shown, shapes, parts)
    workers = tuple(sorted(set(seen["worker"])))
    made, lost_clicks = _clicks(clicks, shapes, seen, name)
    number = {"tile": {name: i for i, name in enumerate(tiles)}, "worker": {name: i for i, name in enumerate(workers)}}
    for table in (seen, made):
        for column, numbers in number.items():
            table[column] = table[column].map(numbers).astype(np.int64)
    rejected = pd.concat([lost_clicks, lost_views], ignore_index=True)
    crowd = Crowd(
        tiles,
        np.array([shapes[tile] for tile in tiles], dtype=np.int64).reshape(-1, 2),
        workers,
        made[["tile", "worker", "y", "x"]].reset_index(drop=True),
        seen[["tile", "worker", "y0", "y1", "x0", "x1"]].reset_index(drop=True),
    )
    return crowd, rejected


def _views(
    shown: pd.DataFrame, shapes: Mapping[str, tuple[int, int]], parts: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = _named(shown)
    height, width = _extent(table, shapes)
    if parts:
        left, top, across, down = (_numbers(shown[name]) for name in VIEW)
    else:
        left, top, across, down = np.zeros_like(width), np.zeros_like(height), width, height
    for axis, first, length, size in (("y", top, down, height), ("x", left, across, width)):
        table[f"{axis}0"] = np.maximum(first, 0) - 0.5
        table[f"{axis}1"] = np.minimum(first + length, size) - 0.5
    finite = _finite(table, "y0", "y1", "x0", "x1")
    reason = _first_reason(
        table,
        {
            "no tile or no worker is named": _unnamed(table),
            "there is no such tile": ~table["tile"].isin(list(shapes)),
            "left, top, width and height must be numbers": ~finite,
            "nothing of its tile was shown": (table["y1"] <= table["y0"]) | (table["x1"] <= table["x0"]),
        },
    )
    reason = reason.mask((reason == "") & table.duplicated(keep="first"), "given twice")
    return _split("shown", table.assign(x=np.nan, y=np.nan), reason)


def _clicks(
    clicks: pd.DataFrame, shapes: Mapping[str, tuple[int, int]], seen: pd.DataFrame, name: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = _named(clicks)
    for column in ("x", "y", "order", "t_ms"):
        if column in clicks:
            table[column] = _numbers(clicks[column])
    height, width = _extent(table, shapes)
    finite = _finite(table, "x", "y")
    outside = (table["x"] < -0.5) | (table["y"] < -0.5) | (table["x"] >= width - 0.5) | (table["y"] >= height - 0.5)
    reason = _first_reason(
        table,
        {
            "no tile or no worker is named": _unnamed(table),
            "there is no such tile": ~table["tile"].isin(list(shapes)),
            "x and y must be numbers": ~finite,
            "outside its tile": outside,
            "its worker was not shown this tile": pd.Series(~_pairs(table).isin(_pairs(seen)), index=table.index),
            "its worker was not shown this place of the tile": ~_was_shown(table, seen),
        },
    )
    again = table.duplicated([column for column in ("tile", "worker", "x", "y", "order", "t_ms") if column in table])
    reason = reason.mask((reason == "") & again, "given twice")
    kept, lost = _split(name, table, reason)
    lost = lost.assign(**{axis: clicks.loc[lost.index, axis] for axis in ("x", "y")})
    by = [column for column in ("order", "t_ms") if column in kept]
    return (kept.sort_values(["tile", "worker", *by], kind="stable") if by else kept), lost


def _pairs(table: pd.DataFrame) -> pd.MultiIndex:
    """Tile and worker of each row."""
    return pd.MultiIndex.from_frame(table[["tile", "worker"]])


def _was_shown(clicks: pd.DataFrame, seen: pd.DataFrame) -> pd.Series:
    """Whether any part that its worker was shown holds a click."""
    both = clicks.reset_index(names="row").merge(seen, on=["tile", "worker"], suffixes=("", "_view"))
    inside = (both["y"] >= both["y0"]) & (both["y"] < both["y1"]) & (both["x"] >= both["x0"]) & (both["x"] < both["x1"])
    return clicks.index.to_series().isin(both.loc[inside, "row"])


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """A new table of tile and worker as text, empty where there is none."""
    return pd.DataFrame({name: table[name].astype("string").fillna("").str.strip() for name in ("tile", "worker")})


def _numbers(column: pd.Series) -> Floats:
    """Text read as numbers, NaN for what is none."""
    numbers: Floats = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


def _extent(table: pd.DataFrame, shapes: Mapping[str, tuple[int, int]]) -> tuple[Floats, Floats]:
    """Height and width of each row's tile, NaN where there is no such tile."""
    none = (np.nan, np.nan)
    height, width = np.array([shapes.get(tile, none) for tile in table["tile"]], dtype=np.float64).reshape(-1, 2).T
    return height, width


def _unnamed(table: pd.DataFrame) -> pd.Series:
    return (table["tile"] == "") | (table["worker"] == "")


def _finite(table: pd.DataFrame, *columns: str) -> pd.Series:
    return pd.Series(np.isfinite(table[list(columns)].to_numpy(dtype=np.float64)).all(axis=1), index=table.index)


def _first_reason(table: pd.DataFrame, reasons: Mapping[str, pd.Series]) -> pd.Series:
    reason = pd.Series("", index=table.index, dtype="object")
    for text, applies in reasons.items():
        reason = reason.mask((reason == "") & applies.to_numpy(dtype=np.bool_), text)
    return reason


def _split(name: str, table: pd.DataFrame, reason: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    lines = np.arange(len(table)) + FIRST_LINE
    lost = table.assign(table=name, line=lines, reason=reason)[reason.to_numpy() != ""]
    if len(table) and len(lost) == len(table):
        first = lost.iloc[0]
        raise InputError(
            f"no row of the table of {name} can be used; line {first['line']} (tile {first['tile']!r}, worker "
            f"{first['worker']!r}): {first['reason']}"
        )
    return table[reason.to_numpy() == ""].copy(), lost[list(REJECTED_COLUMNS)]
