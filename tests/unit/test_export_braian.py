"""The table was also read by braian 1.0.5, whose `AnimalBrain.from_csv` found the marker, its metric, both hemispheres
and their sums for the 839 regions of allen_mouse_100um, and wrote it again with the same values.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.export import export_run
from tests.finished_run import ONTOLOGY, write_run
from volumetric.atlas.ontology import Ontology, Region
from volumetric.errors import InputError

TABLE = """sum,size (mm³),cFos (cells)
Left: root,0.625,1
Left: NA,0.125,1
Left: B5,,
Left: far,,
Right: root,2.375,2
Right: NA,2.125,1
Right: B5,2.0,1
Right: far,,
"""


def test_the_table_by_hand(tmp_path: Path) -> None:
    run = write_run(tmp_path / "mouse 7")
    said = export_run(run, "braian", tmp_path / "out")
    assert "3 of 5 cells" in said
    assert (tmp_path / "out" / "mouse 7_sum.csv").read_text(encoding="utf-8") == TABLE
    assert "'mouse 7_sum.csv', 'mouse 7'" in (tmp_path / "out" / "README.txt").read_text()


def test_as_braian_reads_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", channel="GFP (488)", probability=0.5)
    export_run(run, "braian", tmp_path / "out", name="m1")
    table = pd.read_csv(tmp_path / "out" / "m1_sum.csv", header=0, index_col=0)
    assert table.index.name == "sum"
    assert table.index.str.match("(Left|Right): ").all()
    columns = [re.findall(r"(.+) \((.+)\)$", column) for column in table.columns]
    assert columns == [[("size", "mm³")], [("GFP (488)", "cells")]]
    regions = pd.read_csv(run.regions, keep_default_na=False).set_index(["acronym", "hemisphere"])
    for acronym in ("root", "NA"):
        both = table.loc[f"Left: {acronym}"] + table.loc[f"Right: {acronym}"]
        assert both.tolist() == regions.loc[(acronym, "both"), ["volume_mm3", "count"]].tolist()


def test_cells_where_nothing_was_measured_stay(tmp_path: Path) -> None:
    export_run(write_run(tmp_path / "run", volume_mm3=np.zeros((4, 2))), "braian", tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "run_sum.csv", index_col=0)
    assert table.loc["Right: root", "cFos (cells)"] == 2
    assert table["size (mm³)"].isna().all()


@pytest.mark.parametrize("channel", ["size", "area"])
def test_a_channel_is_never_taken_for_the_size(tmp_path: Path, channel: str) -> None:
    export_run(write_run(tmp_path / "run", channel=channel), "braian", tmp_path / "out")
    header = (tmp_path / "out" / "run_sum.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == f"sum,size (mm³),{channel} cells (cells)"


def test_shared_acronyms_are_refused(tmp_path: Path) -> None:
    regions = [r if r.region_id != 30 else Region(30, "B5", "other", 997) for r in ONTOLOGY.regions]
    run = write_run(tmp_path / "run", ontology=Ontology(tuple(regions)))
    with pytest.raises(InputError, match="several regions of the atlas 'small' share B5"):
        export_run(run, "braian", tmp_path / "out")


@pytest.mark.parametrize("name", ["a/b", "/"])
def test_a_name_that_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="give another with --name"):
        export_run(write_run(tmp_path / "run"), "braian", tmp_path / "out", name=name)
