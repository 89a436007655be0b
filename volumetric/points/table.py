"""The cells table: its columns, their types and how detections become rows of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from volumetric.errors import InputError
from volumetric.geometry.space import VoxelSpace

COLUMNS = {
    "cell_id": "int64",
    "z_um": "float64",
    "y_um": "float64",
    "x_um": "float64",
    "z_vox": "float64",
    "y_vox": "float64",
    "x_vox": "float64",
    "score": "float64",
    "probability": "float64",
    "n_slices": "int64",
    "region_id": "int64",
    "acronym": "object",
    "hemisphere": "object",
    "atlas_z_um": "float64",
    "atlas_y_um": "float64",
    "atlas_x_um": "float64",
    "in_atlas": "bool",
    "radius_um": "float64",
    "intensity": "float64",
    "background": "float64",
}
"""Column -> type of `cells.parquet`, in order. `probability` is null while the model is uncalibrated; `region_id` is 0
and `acronym`, `hemisphere` and the atlas coordinates are null where no region is assigned."""

COUNTS = "counts"
"""Key of the table's metadata under which the detector's model of counts is kept, if it has one."""


def cells_table(found: pd.DataFrame, space: VoxelSpace, first_id: int = 0) -> pd.DataFrame:
    """Rows of the cells table for linked detections, with no region assigned yet.

    Args:
        found: columns z_vox, y_vox, x_vox, score, probability, n_slices, radius_px, intensity, background.
        space: of the voxels; `radius_px` is taken along x and y.
        first_id: `cell_id` of the first row.
    """
    rows = pd.DataFrame(index=pd.RangeIndex(len(found)))
    rows["cell_id"] = np.arange(first_id, first_id + len(found))
    voxels = found[["z_vox", "y_vox", "x_vox"]].to_numpy(dtype=np.float64)
    for axis, um in zip("zyx", space.to_um(voxels).T, strict=True):
        rows[f"{axis}_um"] = um
    for name in ("z_vox", "y_vox", "x_vox", "score", "probability", "n_slices", "intensity", "background"):
        rows[name] = found[name].to_numpy()
    rows["radius_um"] = found["radius_px"].to_numpy() * (space.spacing_um[1] + space.spacing_um[2]) / 2
    for name in ("atlas_z_um", "atlas_y_um", "atlas_x_um"):
        rows[name] = np.nan
    rows["region_id"], rows["in_atlas"] = 0, False
    rows["acronym"], rows["hemisphere"] = None, None
    return ordered(rows)


def ordered(cells: pd.DataFrame) -> pd.DataFrame:
    """The table with its columns in order and of their types; raises `InputError` where one is missing."""
    missing = [name for name in COLUMNS if name not in cells]
    if missing:
        raise InputError(f"the cells table lacks the columns {', '.join(missing)}")
    return cells[list(COLUMNS)].astype(COLUMNS)
