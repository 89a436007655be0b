"""The files were also read by brainglobe-utils 0.11.2: `get_cells` reads and writes again the lines of cells.xml (but
1 for each coordinate 0, which it does not write), and `summarise_points_by_atlas_region`, given our coordinates and
volumes.csv on the atlas allen_mouse_100um, gives our all_points.csv byte for byte and our summary.csv.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import brainglobe_atlasapi
import numpy as np
import pandas as pd
import pytest

from pipelines.export import export_run, finished
from pipelines.workspace import RunFolder
from tests.finished_run import ATLAS_SPACE, ONTOLOGY, write_run
from volumetric.atlas.loader import load_atlas
from volumetric.atlas.ontology import Ontology, Region

HEADER = (
    "coordinate_raw_axis_0,coordinate_raw_axis_1,coordinate_raw_axis_2,"
    "coordinate_atlas_axis_0,coordinate_atlas_axis_1,coordinate_atlas_axis_2,structure_name,hemisphere\n"
)
ALL_POINTS = f"""{HEADER}0,0,7,0,0,0,"Area, first part",left
4,2,2,1,2,0,"Area, second part",right
9,8,7,3,1,3,root,right
"""
SUMMARY = """structure_name,left_cell_count,right_cell_count,total_cells,left_volume_mm3,right_volume_mm3,\
total_volume_mm3,left_cells_per_mm3,right_cells_per_mm3
"Area, first part",1,0,1,0.125,0.125,0.25,8.0,0.0
"Area, second part",0,1,1,0.0,2.0,2.0,,0.5
root,0,1,1,0.5,0.25,0.75,0.0,4.0
"""
VOLUMES = """structure_name,left_volume_mm3,right_volume_mm3,total_volume_mm3
"Area, second part",0.0,2.0,2.0
"Area, first part",0.125,0.125,0.25
root,0.5,0.25,0.75
"""


def markers(path: Path) -> list[tuple[int, ...]]:
    """(z, y, x) of the cells of a Cell Counter file."""
    root = ElementTree.parse(path).getroot()
    assert root.tag == "CellCounter_Marker_File"
    assert root.findtext("Image_Properties/Image_Filename") == "placeholder.tif"
    assert root.findtext("Marker_Data/Current_Type") == "1"
    assert [kind.findtext("Type") for kind in root.findall("Marker_Data/Marker_Type")] == ["2"]
    found = root.findall("Marker_Data/Marker_Type/Marker")
    return [tuple(int(marker.findtext(f"Marker{axis}", "")) for axis in "ZYX") for marker in found]


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_five_cells_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(finished, "PIECE_ROWS", rows)
    said = export_run(write_run(tmp_path / "run"), "brainglobe", tmp_path / "out")
    out = tmp_path / "out"
    assert "3 of 5 cells lie in atlas regions; the 2 outside are left out of all but cells.xml" in said
    assert markers(out / "cells.xml") == [(0, 0, 7), (3, 12, 100), (4, 2, 2), (9, 8, 6), (9, 8, 7)]
    assert (out / "all_points.csv").read_text() == ALL_POINTS
    assert (out / "summary.csv").read_text() == SUMMARY
    assert (out / "volumes.csv").read_text() == VOLUMES
    points = np.load(out / "points.npy")
    assert points.tolist() == [[10, 20, 25], [39, 81, 49], [70, 40, 175]]
    table = pd.read_csv(out / "all_points.csv")
    assert np.array_equal(np.floor(points / ATLAS_SPACE.spacing_um), table.filter(like="atlas"))
    assert len((out / "README.txt").read_text().splitlines()) == 3


def test_cells_xml_to_the_letter(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", raw_vox=[(1, 2, 3)], region=[0], side=[0], atlas_um=[[np.nan] * 3])
    export_run(run, "brainglobe", tmp_path / "out")
    assert (tmp_path / "out" / "cells.xml").read_text() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<CellCounter_Marker_File>\n"
        "  <Image_Properties>\n"
        "    <Image_Filename>placeholder.tif</Image_Filename>\n"
        "  </Image_Properties>\n"
        "  <Marker_Data>\n"
        "    <Current_Type>1</Current_Type>\n"
        "    <Marker_Type>\n"
        "      <Type>2</Type>\n"
        "      <Marker>\n"
        "        <MarkerX>3</MarkerX>\n"
        "        <MarkerY>2</MarkerY>\n"
        "        <MarkerZ>1</MarkerZ>\n"
        "      </Marker>\n"
        "    </Marker_Type>\n"
        "  </Marker_Data>\n"
        "</CellCounter_Marker_File>\n"
    )


def test_without_cells_there_are_files_all_the_same(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", raw_vox=[], region=[], side=[], atlas_um=[], probability=[])
    export_run(run, "brainglobe", tmp_path / "out")
    assert markers(tmp_path / "out" / "cells.xml") == []
    assert (tmp_path / "out" / "all_points.csv").read_text() == HEADER
    assert np.load(tmp_path / "out" / "points.npy").shape == (0, 3)
    assert pd.read_csv(tmp_path / "out" / "summary.csv")["total_cells"].tolist() == [0, 0, 0]


def test_two_structures_of_one_name_are_one_row(tmp_path: Path) -> None:
    regions = [r if r.region_id != 10 else Region(10, "B5", "root", 20) for r in ONTOLOGY.regions]
    export_run(write_run(tmp_path / "run", ontology=Ontology(tuple(regions))), "brainglobe", tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "summary.csv").set_index("structure_name")
    assert table.loc["root", ["left_cell_count", "right_cell_count", "total_volume_mm3"]].tolist() == [0, 2, 2.75]
    assert len(table) == 2


def test_the_real_atlas_names_what_we_name(tmp_path: Path, data_dir: Path) -> None:
    """BrainGlobe's own lookup, of voxels and of um, gives the structure and side of each of 400 cells."""
    run, inside = random_run(tmp_path / "run", data_dir)
    export_run(run, "brainglobe", tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "all_points.csv")
    points = np.load(tmp_path / "out" / "points.npy")
    assert len(table) == len(points) == inside > 100
    atlas = brainglobe_atlasapi.BrainGlobeAtlas(
        "allen_mouse_200um", brainglobe_dir=data_dir / "atlas", check_latest=False
    )
    for row, um in zip(table.itertuples(index=False), points, strict=True):
        voxel = row[3:6]
        assert atlas.structures[int(atlas.structure_from_coords(voxel))]["name"] == row.structure_name
        assert atlas.structures[int(atlas.structure_from_coords(um, microns=True))]["name"] == row.structure_name
        assert atlas.hemisphere_from_coords(um, microns=True, as_string=True) == row.hemisphere


def test_sums_are_those_of_the_region_table(tmp_path: Path, data_dir: Path) -> None:
    run, inside = random_run(tmp_path / "run", data_dir)
    export_run(run, "brainglobe", tmp_path / "out")
    regions = pd.read_csv(run.regions, keep_default_na=False).set_index(["name", "hemisphere"])
    points, summary = (pd.read_csv(tmp_path / "out" / name) for name in ("all_points.csv", "summary.csv"))
    assert summary["total_cells"].sum() == inside
    for side in ("left", "right"):
        own = regions.xs(side, level="hemisphere")["count_own"]
        counted = points[points["hemisphere"] == side]["structure_name"].value_counts()
        assert counted.to_dict() == own[own > 0].to_dict()
        shown = summary.set_index("structure_name")[f"{side}_cell_count"]
        assert shown[shown > 0].to_dict() == own[own > 0].to_dict()


def random_run(path: Path, data_dir: Path) -> tuple[RunFolder, int]:
    """400 cells anywhere in the real atlas' array, some of them outside the brain."""
    atlas = load_atlas("allen_mouse_200um", data_dir / "atlas")
    um = np.random.default_rng(0).uniform(0, 1, (400, 3)) * atlas.extent_um
    region, side = atlas.lookup(um)
    side[region == 0] = 0
    volumes = np.full((len(atlas.ontology.ids), 2), 0.5)
    um[region == 0] = np.nan
    run = write_run(
        path,
        ontology=atlas.ontology,
        space=atlas.space,
        volume_mm3=volumes,
        raw_vox=np.nan_to_num(um),
        region=region,
        side=side,
        atlas_um=um,
    )
    return run, int(np.count_nonzero(region))
