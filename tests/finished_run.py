"""The tables and the record of a finished run, for tests of what reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.workspace import RunFolder
from volumetric.atlas.counts import Extent, region_table
from volumetric.atlas.ontology import Ontology, Region
from volumetric.geometry.space import VoxelSpace
from volumetric.points.table import cells_table, ordered
from volumetric.storage.atomic import write_json
from volumetric.storage.tables import write_csv, write_table

ONTOLOGY = Ontology(
    (
        Region(997, "root", "root", None),
        Region(20, "NA", "Area, first part", 997),
        Region(10, "B5", "Area, second part", 20),
        Region(30, "far", "never imaged", 997),
    )
)
ATLAS_SPACE = VoxelSpace((20.0, 40.0, 50.0))
SAMPLE_SPACE = VoxelSpace((5.0, 2.0, 2.0))
VOLUME_MM3 = np.array([[0.5, 0.25], [0.125, 0.125], [0.0, 2.0], [0.0, 0.0]])
"""Own volumes, left and right, in the order of `ONTOLOGY`."""

RAW_VOX = [(0.4, 0.0, 7.0), (3.0, 11.5, 100.25), (4.0, 2.0, 2.0), (9.0, 8.0, 6.4), (9.0, 8.0, 6.6)]
REGION = [20, 0, 10, 0, 997]
SIDE = [1, 0, 2, 0, 2]
ATLAS_UM = [(0.0, 0.0, 0.0), None, (29.0, 61.0, 24.0), None, (60.0, 20.0, 150.0)]
"""Of five cells, two of them outside the atlas."""


DETECTED = {
    "score": 0.8,
    "probability": np.nan,
    "n_slices": 2,
    "radius_px": 3.0,
    "intensity": 300.0,
    "background": 100.0,
}
"""What a detection says besides its place."""


def write_run(
    path: Path,
    *,
    ontology: Ontology = ONTOLOGY,
    space: VoxelSpace = ATLAS_SPACE,
    volume_mm3: npt.NDArray[np.float64] = VOLUME_MM3,
    raw_vox: npt.ArrayLike = RAW_VOX,
    region: npt.ArrayLike = REGION,
    side: npt.ArrayLike = SIDE,
    atlas_um: npt.ArrayLike | None = None,
    probability: npt.ArrayLike = np.nan,
    channel: str = "cFos",
) -> RunFolder:
    """A run folder without image and registration."""
    run = RunFolder(path)
    region, side = np.asarray(region, np.uint32), np.asarray(side, np.uint8)
    if atlas_um is None:
        atlas_um = [(np.nan,) * 3 if um is None else um for um in ATLAS_UM]
    vox = np.asarray(raw_vox, np.float64).reshape(-1, 3)
    cells = cells_table(pd.DataFrame(vox, columns=["z_vox", "y_vox", "x_vox"]).assign(**DETECTED), SAMPLE_SPACE)
    acronym = {0: None} | {r.region_id: r.acronym for r in ontology.regions}
    cells["region_id"], cells["in_atlas"] = region, region > 0
    cells["acronym"] = np.array([acronym[int(i)] for i in region], dtype=object)
    cells["hemisphere"] = np.array([(None, "left", "right")[s] for s in side], dtype=object)
    cells[["atlas_z_um", "atlas_y_um", "atlas_x_um"]] = np.asarray(atlas_um, np.float64).reshape(-1, 3)
    cells["probability"] = np.broadcast_to(np.asarray(probability, np.float64), len(cells))
    write_table(run.cells, ordered(cells))
    voxels = np.rint(volume_mm3 * 1000).astype(np.int64)
    probabilities = cells["probability"].to_numpy()
    write_csv(
        run.regions, region_table(ontology, region, side, Extent(volume_mm3, voxels, voxels), probability=probabilities)
    )
    inside = int(np.count_nonzero(region))
    counts = {"total": len(region), "in_atlas": inside, "outside": len(region) - inside, "counted": inside}
    atlas = {"name": "small", "resolution_um": list(space.spacing_um)}
    write_json(run.record, {"cells": counts, "atlas": atlas, "volume": {"signal": channel}})
    return run
