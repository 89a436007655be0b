"""The sheet of a cohort: what its cells mean, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.cohort.sheet import Row, read_sheet
from volumetric.errors import InputError


def sheet(folder: Path, *lines: str) -> tuple[Row, ...]:
    path = folder / "brains.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_sheet(path)


def test_cells_become_settings_of_the_row_alone(tmp_path: Path) -> None:
    (tmp_path / "atlas").mkdir()
    first, second = sheet(
        tmp_path,
        "brain;source;Voxel-um;orientation;atlas;signal;register-on;exclude mask;model;keep_poor;group;Age weeks",
        "m1;raw/m1;5 0.7 0.7;psl;atlas;venus;rfp;masks/m1.tif;cfos;yes;control;8",
        "m2;/data/m2.zarr;;;allen_mouse_50um;;;;mine.safetensors;;drug;9",
        ";;;;;;;;;;;",
    )
    assert (first.line, first.brain, first.source) == (2, "m1", tmp_path / "raw" / "m1")
    assert first.settings() == {
        "voxel_um": (5.0, 0.7, 0.7),
        "orientation": "psl",
        "atlas": str(tmp_path / "atlas"),
        "signal": "venus",
        "register_on": "rfp",
        "exclude_mask": tmp_path / "masks" / "m1.tif",
        "model": Path("cfos"),
        "keep_poor": "yes",
    }
    assert first.others == {"group": "control", "Age weeks": "8"}
    assert second.source == Path("/data/m2.zarr")
    assert second.settings() == {"atlas": "allen_mouse_50um", "model": tmp_path / "mine.safetensors"}


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("brain,source,z_um,y_um,x_um", "m1,raw,5,0.7,0.7"),
        ("brain;source;Z um;Y um;X um", "m1;raw;5;0,7;0,7"),
        ("brain;source;voxel_um", "m1;raw;5 0,7 0,7"),
        ("brain;source;voxel_um", "m1;raw;5 x 0,7 x 0,7"),
        ("brain;source;voxel_um", "m1;raw;5, 0.7, 0.7"),
    ],
)
def test_the_voxel_size_as_it_is_written(tmp_path: Path, header: str, cells: str) -> None:
    (row,) = sheet(tmp_path, header, cells)
    assert row.settings() == {"voxel_um": (5.0, 0.7, 0.7)}


def test_another_volume_is_a_path_and_a_channel_is_a_name(tmp_path: Path) -> None:
    for name in ("red.zarr", "green"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "zarr.json").write_text("{}")
    (row,) = sheet(tmp_path, "brain,source,signal,register_on", "m1,raw,green,red.zarr")
    assert row.settings() == {"signal": "green", "register_on": str(tmp_path / "red.zarr")}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("brain,group", "there is no column `source`"),
        ("brain,source,orientaton", "is the column `orientaton` meant to be `orientation`"),
        ("brain,source,voxel", "is the column `voxel` meant to be `voxel_um`"),
        ("brain,source,memory", "give --memory to the command"),
        ("brain,source,path", "name the column of the images `source`"),
        ("brain,source,signal,Signal", "the column `signal` stands there twice"),
        ("brain,source,,group", "a column has no name"),
    ],
)
def test_a_header_that_is_not_clear(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(InputError, match=r"the header of the sheet .* is not clear") as error:
        sheet(tmp_path, header, ",".join("abcdef"[: header.count(",") + 1]))
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["strain", "group", "sex", "batch", "age_weeks", "brain_weight", "region", "notes"])
def test_other_columns_are_not_taken_for_options(tmp_path: Path, name: str) -> None:
    (row,) = sheet(tmp_path, f"brain,source,{name}", "m1,raw,b1")
    assert row.others == {name: "b1"}


def test_all_wrong_names_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        sheet(tmp_path, "brain,source", "m1,a", "../m2,b", "M1,c", ",d")
    assert str(error.value).splitlines()[1:] == [
        "  line 3: '../m2' cannot be the name of a folder: use letters, digits, `-`, `_` and `.`",
        "  line 4: 'M1' stands in line 2 already: each brain is one line",
        "  line 5: the brain has no name: use letters, digits, `-`, `_` and `.`",
    ]


@pytest.mark.parametrize(
    ("header", "cells", "message"),
    [
        ("brain,source,voxel_um", "m1,raw,5 0.7", "voxel_um needs three numbers, Z Y X"),
        ("brain;source;voxel_um", "m1;raw;5, 0,7, 0,7", "voxel_um needs three numbers, Z Y X, for example 5 0.7 0.7"),
        ("brain;source;voxel_um", "m1;raw;5 0.7 0,7", "voxel_um needs three numbers, Z Y X, for example 5 0.7 0.7"),
        ("brain,source,z_um,y_um,x_um", "m1,raw,5,0.7,", "either in the column voxel_um or in all of z_um, y_um, x_um"),
        ("brain,source,voxel_um,z_um", "m1,raw,5 1 1,5", "either in the column voxel_um or in all of z_um, y_um, x_um"),
    ],
)
def test_cells_that_cannot_be_read(tmp_path: Path, header: str, cells: str, message: str) -> None:
    (row,) = sheet(tmp_path, header, cells)
    with pytest.raises(InputError, match=message):
        row.settings()


def test_all_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    (row,) = sheet(tmp_path, "brain,source,exclude_mask,landmarks", "m1,raw,mask.zarr,marks.csv")
    (tmp_path / "marks.csv").touch()
    said = row.missing(besides=f"there are no images at {tmp_path / 'raw'}")
    assert said == [f"the column `exclude_mask` says {tmp_path / 'mask.zarr'}, where nothing is"]
    assert len(row.missing(besides="no atlas")) == 2


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("brain,source",), "lacks rows"),
        (("brain,source", ","), "lists no brain"),
        (("brain,source,voxel_um", "m1,raw,5,0.7,0.7"), "more cells than its header names"),
    ],
)
def test_a_sheet_that_is_none(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sheet(tmp_path, *lines)
