"""A finished run as the exports read it: its record, its region table, and its cells in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipelines.report.regions import read_regions
from pipelines.workspace import RunFolder
from volumetric.errors import InputError
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.storage.atomic import read_json
from volumetric.storage.tables import iterate_table

PIECE_ROWS = 250_000


@dataclass(frozen=True)
class FinishedRun:
    """What a run found.

    Args:
        folder: where it lies.
        regions: `regions.csv`, three rows a region.
        cells: rows of `cells.parquet`.
        in_atlas: how many of them lie in a region.
        atlas: the name of the atlas.
        atlas_space: its voxels, um.
        channel: the name of the channel that shows the cells.
    """

    folder: RunFolder
    regions: pd.DataFrame
    cells: int
    in_atlas: int
    atlas: str
    atlas_space: VoxelSpace
    channel: str

    @property
    def outside(self) -> int:
        return self.cells - self.in_atlas

    def pieces(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        """Columns of the cells, in order, at most `PIECE_ROWS` rows at a time."""
        return iterate_table(self.folder.cells, PIECE_ROWS, columns)

    def sides(self, columns: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Columns of the region table on the left and on the right, one row a region, indexed by its id."""
        by_side = self.regions.set_index("region_id").groupby("hemisphere")
        left, right = (by_side.get_group(side)[columns] for side in ("left", "right"))
        return left, right


def open_finished(folder: RunFolder) -> FinishedRun:
    """Open a run that has finished.

    Raises `InputError` where the folder is no run, the run has not finished, or its tables do not belong together.
    """
    for path in (folder.record, folder.regions, folder.cells):
        if not path.is_file():
            raise InputError(_unfinished(folder, path.name))
    regions = read_regions(folder.regions)
    try:
        record: Mapping[str, Any] = read_json(folder.record)
        run = FinishedRun(
            folder=folder,
            regions=regions,
            cells=int(record["cells"]["total"]),
            in_atlas=int(record["cells"]["in_atlas"]),
            atlas=str(record["atlas"]["name"]),
            atlas_space=VoxelSpace(um3(record["atlas"]["resolution_um"])),
            channel=str(record["volume"]["signal"]),
        )
        lengths = [(len(piece), int((piece["region_id"] > 0).sum())) for piece in run.pieces(["region_id"])]
        rows, inside = (sum(column) for column in zip(*lengths, strict=True))
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise InputError(
            f"{folder.path} cannot be exported, its run.json or cells.parquet is damaged or of an older version: "
            f"{error!r}. Remove the damaged file and repeat its `volumetric count`, which goes on where it stopped"
        ) from error
    counted = int(run.regions.loc[run.regions["hemisphere"] == "both", "count_own"].sum())
    if (rows, inside, counted) != (run.cells, run.in_atlas, run.in_atlas):
        raise InputError(
            f"the files of {folder.path} are not of one run: cells.parquet has {rows} cells, {inside} of them in "
            f"regions, regions.csv counts {counted}, and run.json says {run.cells} and {run.in_atlas}. Repeat its "
            "`volumetric count`"
        )
    return run


def _unfinished(folder: RunFolder, missing: str) -> str:
    if not folder.path.is_dir():
        return f"there is no folder {folder.path}: give the run folder that `volumetric count --out` wrote"
    if any(path.exists() for path in (folder.path / ".work", folder.record, folder.cells)):
        return (
            f"{folder.path} is not a finished run: there is no {missing}. Repeat its `volumetric count`, which goes on "
            "where it stopped"
        )
    return (
        f"{folder.path} is not a run folder: there is no {missing}. Give the folder that `volumetric count --out` wrote"
    )
