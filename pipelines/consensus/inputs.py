"""What a consensus reads: clicks, who was shown what, and the tiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.csv_file import read_csv
from volumetric.crowd.clicks import CLICK_COLUMNS, Crowd, checked
from volumetric.crowd.formats import from_caesar, is_caesar
from volumetric.detection.tileset import ENDINGS, open_image, tile_images
from volumetric.errors import InputError


@dataclass(frozen=True)
class Inputs:
    """A crowd ready for work.

    Args:
        crowd: clicks that fit what was shown, of workers who take part.
        rejected: rows that do not, with the reason.
        images: file of each tile.
        quality_control: names of tiles that everybody is to finish; empty where none are known.
        excluded: workers who take no part, with the reason.
    """

    crowd: Crowd
    rejected: pd.DataFrame
    images: Mapping[str, Path]
    quality_control: tuple[str, ...]
    excluded: Mapping[str, str]


def read_inputs(
    clicks: Path,
    shown: Path | None,
    tiles: Path,
    sets: Path | None = None,
    *,
    qc_only: bool = False,
    most_rejected: float = 1.0,
) -> Inputs:
    """Read and check everything.

    Args:
        clicks: CSV of the contract, or a point extract of Caesar.
        shown: CSV; not needed with a point extract, which says so itself.
        tiles: folder of images.
        sets: CSV with the columns tile and quality_control.
        qc_only: whether skill is told from quality-control tiles alone: who has not finished them takes no part.
        most_rejected: share of the clicks that may make no sense; who made them looks as if they had not clicked.

    Raises `InputError` for what cannot be used.
    """
    images = images_in(tiles)
    shapes = {name: _shape(path) for name, path in images.items()}
    made = read_csv_or_empty(clicks, "table of clicks")
    if is_caesar(made):
        made, seen = from_caesar(made)
        if shown is not None:
            seen = read_csv(shown, "table of shown tiles", ("tile", "worker"))
    elif shown is None:
        raise InputError(
            "who was shown which tile is not known: give --shown SHOWN.csv with the columns tile, worker. Who saw a "
            "tile and did not click is evidence; who never saw it is not"
        )
    else:
        seen = read_csv(shown, "table of shown tiles", ("tile", "worker"))
    crowd, rejected = checked(made, seen, shapes)
    lost = rejected[rejected["table"] == "clicks"]
    if len(lost) > most_rejected * len(made):
        raise InputError(
            f"{len(lost):,} of {len(made):,} clicks make no sense: {reasons(lost)}. Without them their workers would "
            "look as if they had seen and not clicked: mend the table, or allow for it with --most-rejected"
        )
    control = _quality_control(sets)
    unknown = sorted(set(control) - set(shapes))
    if unknown:
        raise InputError(f"there is no image of the quality-control tile {unknown[0]} in {tiles}")
    if qc_only and not control:
        raise InputError(
            "skill is to be told from quality-control tiles but none are known: give --sets SETS.csv with the columns "
            "tile, quality_control"
        )
    excluded = unfinished(crowd, control) if qc_only else {}
    return Inputs(crowd.without(set(excluded)), rejected, images, control, excluded)


def reasons(rejected: pd.DataFrame) -> str:
    """Why rows were left out, how many for each reason, with the first line of each."""
    groups = rejected.groupby("reason", sort=False)["line"]
    return "; ".join(f"{reason} ({len(lines):,}, the first on line {lines.iloc[0]})" for reason, lines in groups)


def images_in(folder: Path) -> dict[str, Path]:
    """The image file of each tile of a folder, by name; raises `InputError` where there are none."""
    found = {path.stem: path for path in tile_images(folder)}
    if not found:
        raise InputError(f"no image in {folder}: expected files NAME with the endings {', '.join(ENDINGS)}")
    return found


def _shape(path: Path) -> tuple[int, int]:
    shape = open_image(path).shape
    if shape[0] != 1:
        raise InputError(f"{path} has {shape[0]} slices: what a crowd clicks on is one")
    return shape[1], shape[2]


def read_csv_or_empty(path: Path, what: str) -> pd.DataFrame:
    """A table that may have no rows: a crowd that clicked nothing has said so."""
    header = _only_line(path)
    if header is not None:
        names = [name.strip() for name in header.replace(";", ",").replace("\t", ",").split(",")]
        return pd.DataFrame({name: pd.Series(dtype=object) for name in names})
    table = read_csv(path, what, ())
    if not is_caesar(table):
        missing = [name for name in CLICK_COLUMNS if name not in table]
        if missing:
            raise InputError(
                f"the {what} {path} lacks {', '.join(missing)}: expected a CSV with the columns tile, worker, x, y "
                "(and order or t_ms), or a point extract of Zooniverse's Caesar"
            )
    return table


def _only_line(path: Path) -> str | None:
    """The header of a table without rows; None for any other file."""
    if not path.is_file():
        return None
    with path.open(encoding="utf-8-sig") as file:
        first, rest = file.readline().strip(), file.readline().strip()
    return first if first and not rest else None


def _quality_control(sets: Path | None) -> tuple[str, ...]:
    if sets is None:
        return ()
    table = read_csv(sets, "table of data sets", ("tile", "quality_control"))
    chosen = table.loc[table["quality_control"].str.strip().str.lower().isin(("true", "1", "yes")), "tile"]
    return tuple(sorted(set(chosen)))


def unfinished(crowd: Crowd, control: tuple[str, ...]) -> dict[str, str]:
    """Workers who were not shown all quality-control tiles, with the reason (method, section 3.2)."""
    numbers = [crowd.tiles.index(tile) for tile in control]
    seen = np.zeros((len(crowd.workers), len(crowd.tiles)), dtype=np.bool_)
    seen[crowd.shown["worker"], crowd.shown["tile"]] = True
    return {
        name: "quality-control tiles not finished: " + ", ".join(crowd.tiles[i] for i in numbers if not seen[worker, i])
        for worker, name in enumerate(crowd.workers)
        if not seen[worker, numbers].all()
    }
