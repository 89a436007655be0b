from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from volumetric.atlas.cells import Acronyms, side_codes, with_regions
from volumetric.atlas.labels import Assignment
from volumetric.atlas.ontology import Ontology, Region
from volumetric.errors import InputError
from volumetric.geometry.space import VoxelSpace
from volumetric.points.table import COLUMNS, cells_table

ONTOLOGY = Ontology((Region(997, "root", "root", None), Region(8, "grey", "Grey", 997), Region(12, "NA", "n", 8)))


def cells(n: int) -> pd.DataFrame:
    names = ("z_vox", "y_vox", "x_vox", "score", "probability", "radius_px", "intensity", "background")
    found = pd.DataFrame({name: np.random.default_rng(0).random(n) for name in names})
    found["n_slices"] = 2
    return cells_table(found, VoxelSpace((5.0, 1.0, 1.0)))


def test_every_cell_gets_what_belongs_to_its_region() -> None:
    region = np.array([12, 0, 997, 8, 12], np.uint32)
    side = np.array([1, 2, 2, 1, 2], np.uint8)
    at = np.arange(15.0).reshape(5, 3)
    table = pa.Table.from_pandas(cells(5), preserve_index=False)
    found = with_regions(table, Assignment(region, side, at, np.zeros(len(region), bool)), Acronyms.of(ONTOLOGY))
    assert found.column_names == list(COLUMNS)
    assert found["acronym"].to_pylist() == ["NA", None, "root", "grey", "NA"]
    assert found["hemisphere"].to_pylist() == ["left", None, "right", "left", "right"]
    assert found["region_id"].to_pylist() == region.tolist()
    assert found["in_atlas"].to_pylist() == [True, False, True, True, True]
    assert found["atlas_y_um"].to_pylist() == [1.0, None, 7.0, 10.0, 13.0]
    assert found["z_um"].equals(table["z_um"])
    assert side_codes(found["hemisphere"]).tolist() == [1, 0, 2, 1, 2]


def test_no_cells_are_a_table_too() -> None:
    nothing = Assignment(np.zeros(0, np.uint32), np.zeros(0, np.uint8), np.zeros((0, 3)), np.zeros(0, bool))
    table = pa.Table.from_pandas(cells(0), preserve_index=False)
    found = with_regions(table, nothing, Acronyms.of(ONTOLOGY))
    assert found.num_rows == 0
    assert found.column_names == list(COLUMNS)


def test_a_table_without_its_columns_is_refused() -> None:
    nothing = Assignment(np.zeros(0, np.uint32), np.zeros(0, np.uint8), np.zeros((0, 3)), np.zeros(0, bool))
    table = pa.Table.from_pandas(cells(0), preserve_index=False).drop_columns(["score"])
    with pytest.raises(InputError, match="score"):
        with_regions(table, nothing, Acronyms.of(ONTOLOGY))
