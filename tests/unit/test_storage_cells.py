"""Cells of other tools, and cells of another volume."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.export.job import export_run
from pipelines.workspace import RunFolder
from tests.finished_run import write_run
from volumetric.errors import InputError
from volumetric.geometry.space import VoxelSpace
from volumetric.points.table import COLUMNS
from volumetric.storage.cells import open_cells
from volumetric.storage.tables import write_table
from volumetric.storage.volume_record import KEY, VolumeRecord, refuse_other

VOLUME = VolumeRecord("abc", "brain.ome.zarr", (40, 60, 80), VoxelSpace((5.0, 2.0, 2.0), (0.0, 1.0, 0.0)))
ZYX = np.array([(3.0, 10.0, 70.0), (12.0, 0.0, 5.0), (39.0, 59.0, 0.0)])
UM = VOLUME.space.to_um(ZYX)


MARKER = "<Marker><MarkerX>{:g}</MarkerX><MarkerY>{:g}</MarkerY><MarkerZ>{:g}</MarkerZ></Marker>"


def xml(path: Path, types: dict[int, np.ndarray]) -> None:
    kinds = ""
    for kind, zyx in types.items():
        markers = "".join(MARKER.format(x, y, z) for z, y, x in zyx)
        kinds += f"<Marker_Type><Type>{kind}</Type>{markers}</Marker_Type>"
    root = "CellCounter_Marker_File"
    path.write_text(f'<?xml version="1.0"?>\n<{root}><Marker_Data>{kinds}</Marker_Data></{root}>')


def yml(path: Path, types: dict[int, np.ndarray]) -> None:
    rows = [
        {"x": float(x), "y": float(y), "z": float(z), "type": kind, "metadata": {}}
        for kind, zyx in types.items()
        for z, y, x in zyx
    ]
    path.write_text(yaml.safe_dump({"CellCounter_Marker_File": True, "candidate_cells": rows}, sort_keys=False))


NAMED = {
    ("z_um", "y_um", "x_um"): (UM, None),
    ("z_vox", "y_vox", "x_vox"): (ZYX, None),
    ("Z (µm)", "Y (µm)", "X (µm)"): (UM, None),
    ("Position Z [um]", "Position Y [um]", "Position X [um]"): (UM, None),
    ("z_mm", "y_mm", "x_mm"): (UM / 1000, None),
    ("coordinate_raw_axis_0", "coordinate_raw_axis_1", "coordinate_raw_axis_2"): (ZYX, None),
    ("Z", "Y", "X"): (ZYX, "voxel"),
    ("z", "y", "x"): (UM, "um"),
    ("axis-0", "axis-1", "axis-2"): (UM, "um"),
    ("centroid-0", "centroid-1", "centroid-2"): (ZYX, "voxel"),
}


def um_of(path: Path, **how: object) -> np.ndarray:
    source = open_cells(path, VOLUME, **how)  # type: ignore[arg-type]
    table = pd.concat([piece.to_pandas() for piece in source.pieces(2)])
    assert list(table) == list(COLUMNS)
    assert table["cell_id"].tolist() == list(range(len(table)))
    assert json.loads(source.metadata[KEY])["identity"] == "abc"
    return table[["z_um", "y_um", "x_um"]].to_numpy()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("names", NAMED, ids=lambda names: names[0])
def test_columns_say_what_they_are_in_any_order(tmp_path: Path, names: tuple[str, ...], separator: str) -> None:
    places, unit = NAMED[names]
    table = pd.DataFrame(places, columns=list(names))
    table["note"] = "a"
    path = tmp_path / "cells.csv"
    decimal = "," if separator == ";" else "."
    table[["note", *names[::-1]]].to_csv(path, sep=separator, decimal=decimal, encoding="utf-8-sig")
    assert np.allclose(um_of(path, unit=unit), UM)
    table.to_parquet(tmp_path / "cells.parquet")
    assert np.allclose(um_of(tmp_path / "cells.parquet", unit=unit), UM)


@pytest.mark.parametrize("write", [xml, yml], ids=["xml", "yaml"])
def test_markers_of_a_cell_counter(tmp_path: Path, write: Callable[[Path, dict[int, np.ndarray]], None]) -> None:
    path = tmp_path / "cells"
    for types in ({2: ZYX}, {1: ZYX}, {1: ZYX[:1] + 1, 2: ZYX}):
        write(path, types)
        assert np.allclose(um_of(path), UM)
    assert "1 others are left out" in " ".join(open_cells(path, VOLUME).notes)
    assert np.allclose(um_of(path, cell_type=1), VOLUME.space.to_um(ZYX[:1] + 1))
    write(path, {3: ZYX, 4: ZYX[:2]})
    with pytest.raises(InputError, match=r"3 of type 3, 2 of type 4: say with --cell-type"):
        open_cells(path, VOLUME)
    assert np.allclose(um_of(path, cell_type=3), UM)
    with pytest.raises(InputError, match="no markers of type 7"):
        open_cells(path, VOLUME, cell_type=7)
    write(path, {})
    assert len(um_of(path)) == 0


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.floats(0.5, 20)] * 3))
def test_voxels_of_another_image_of_the_same_space(voxel_um: tuple[float, float, float]) -> None:
    """A point in the middle of the image is there in voxels of any size."""
    middle = (np.array(VOLUME.view.low_um) + VOLUME.view.high_um) / 2
    extent = np.array(VOLUME.view.high_um) - VOLUME.view.low_um
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "points.npy"
        np.save(path, [extent / voxel_um / 2 - 0.5])
        assert np.allclose(um_of(path, unit="voxel", voxel_um=voxel_um), middle)


def test_an_array_needs_its_unit(tmp_path: Path) -> None:
    np.save(tmp_path / "points.npy", UM)
    assert np.allclose(um_of(tmp_path / "points.npy", unit="um"), UM)
    with pytest.raises(InputError, match=r"voxels or um: give --unit voxel"):
        open_cells(tmp_path / "points.npy", VOLUME)
    with pytest.raises(InputError, match="means nothing"):
        open_cells(tmp_path / "points.npy", VOLUME, unit="um", voxel_um=(1, 1, 1))


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    def refused(name: str, content: bytes, what: str, **how: object) -> None:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=what) as caught:
            open_cells(tmp_path / name, VOLUME, **how)  # type: ignore[arg-type]
        assert name in str(caught.value)

    refused("cells.xlsx", b"PK\x03\x04 sheet", "Save the sheet as CSV")
    refused("cells.json", b'{"x": 1}', r"no table of cells that can be read .* Give cells.parquet")
    refused("cells.ims", b"\x89HDF\r\n\x1a\n", "no table of cells that can be read")
    refused("cells.parquet", b"PAR1 broken", "not a readable Parquet")
    refused("cells.xml", b"<html></html>", "XML of another kind, <html>")
    refused("cells.xml", b"<CellCounter_Marker_File><Mark", "is damaged")
    refused("cells.yml", b"CellCounter_Marker_File: true\ncandidate_cells: [1]", "cannot be read as BrainGlobe's cells")
    refused("cells.csv", b"a,b\n1,2\n", "no three columns of places, only a, b: expected columns z_um")
    refused("cells.csv", b"", "no three columns|cannot be read as CSV")
    refused("cells.csv", b"z_um,y_um,x_um\n1,2,3\n1,,3\n", "line 3: a place is three numbers")
    refused("cells.csv", b"axis-0,axis-1,axis-2,axis-3\n1,2,3,4\n", "points of 4 axes", unit="um")
    refused(
        "cells.csv", b"coordinate_atlas_axis_0,coordinate_atlas_axis_1,coordinate_atlas_axis_2\n1,2,3\n", "no three"
    )
    refused("cells.csv", b"z_um,y_um,x_um\n1,2,3\n", "leave the flag out", unit="voxel")
    refused("cells.csv", b"z_um,y_um,x_um\n1,2,3\n", "no types of markers", cell_type=2)
    refused("cells.csv", b"z_um,y_um,x_um\n9999,2,3\n", r"1 of 1 cells lie outside the registered image")
    np.save(tmp_path / "flat.npy", np.zeros(3))
    with pytest.raises(InputError, match=r"expected numbers of \(n, 3\)"):
        open_cells(tmp_path / "flat.npy", VOLUME, unit="um")
    with pytest.raises(InputError, match=r"no table of cells at .*nothing"):
        open_cells(tmp_path / "nothing", VOLUME)


def test_what_was_exported_comes_back(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", raw_vox=ZYX, region=[20, 0, 10], side=[1, 0, 2], atlas_um=np.ones((3, 3)))
    export_run(RunFolder(run.path), "brainglobe", tmp_path / "brainglobe")
    volume = replace(VOLUME, space=VoxelSpace((5.0, 2.0, 2.0)))
    for name, inside in (("cells.xml", ZYX), ("all_points.csv", ZYX[[0, 2]])):
        source = open_cells(tmp_path / "brainglobe" / name, volume)
        again = pd.concat([piece.to_pandas() for piece in source.pieces(100)])
        assert np.array_equal(again[["z_vox", "y_vox", "x_vox"]].to_numpy(), inside)


def test_another_volume_is_refused_with_both_named(tmp_path: Path) -> None:
    refuse_other(VOLUME, VOLUME, same_space=False)
    refuse_other(VOLUME, replace(VOLUME, path="moved.ome.zarr"), same_space=False)
    other = replace(VOLUME, identity="xyz", path="other.ome.zarr")
    with pytest.raises(InputError, match=r"of brain.ome.zarr .*identity abc.* of other.ome.zarr .*xyz.*--same-space"):
        refuse_other(VOLUME, other, same_space=False)
    refuse_other(VOLUME, other, same_space=True)
    coarse = replace(other, shape=(20, 15, 20), space=VOLUME.space.coarser((2, 4, 4)))
    refuse_other(VOLUME, coarse, same_space=True)
    for odd in (replace(other, shape=(40, 60, 90)), replace(other, space=VoxelSpace((5.0, 2.2, 2.0), (0.0, 1.0, 0.0)))):
        for same_space in (True, False):
            with pytest.raises(InputError, match="do not cover the same space"):
                refuse_other(VOLUME, odd, same_space=same_space)
        with pytest.raises(InputError, match="do not cover the same space"):
            refuse_other(replace(VOLUME, identity=None), odd, same_space=False)


def test_a_table_of_our_own_says_its_volume(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    table = pd.DataFrame({name: [] for name in COLUMNS})
    write_table(path, table, {"identity": "run", KEY: VOLUME.text})
    source = open_cells(path, VOLUME)
    assert (source.identity, source.volume, source.notes) == ("run", VOLUME, ())
    with pytest.raises(InputError, match="says itself where its cells lie"):
        open_cells(path, VOLUME, unit="um")
    write_table(path, table, {"identity": "run"})
    assert "does not say which volume" in open_cells(path, VOLUME).notes[0]
