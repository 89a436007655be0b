"""`volumetric assign` alone: its own cells, cells of another volume, and cells that went through another tool."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pipelines.cli import main
from pipelines.export.napari import AXES
from tests.finished_run import DETECTED
from tests.small_brain import phantom, write_true_registration
from volumetric.atlas.folder import write_atlas_folder
from volumetric.geometry.box import index3
from volumetric.points.table import cells_table
from volumetric.storage.atomic import read_json, write_json
from volumetric.storage.tables import table_metadata, write_table
from volumetric.storage.volume_record import KEY, VolumeRecord


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom's own map and cells, as registration and detection would leave them, and as napari has the cells."""
    folder = tmp_path_factory.mktemp("assign")
    write_atlas_folder(phantom().atlas, folder / "atlas")
    write_true_registration(folder / "registration", phantom().atlas)
    quality = read_json(folder / "registration" / "quality.json")
    quality["volume"] |= {"identity": "the brain", "path": "brain.ome.zarr"}
    write_json(folder / "registration" / "quality.json", quality)
    vox = phantom().space.to_vox(phantom().cells[["z_um", "y_um", "x_um"]].to_numpy())
    found = pd.DataFrame(vox, columns=["z_vox", "y_vox", "x_vox"]).assign(**DETECTED)
    table = cells_table(found, phantom().space)
    write_table(folder / "cells.parquet", table, {"identity": "found", KEY: record(folder).text})
    table[list(AXES)].rename(columns=AXES).to_csv(folder / "napari.csv")
    return folder


def record(folder: Path) -> VolumeRecord:
    return VolumeRecord.from_json(read_json(folder / "registration" / "quality.json")["volume"])


def assign(brain: Path, cells: Path, out: Path, *flags: str) -> int:
    given = ("--registration", str(brain / "registration"), "--atlas", str(brain / "atlas"), "--out", str(out))
    with pytest.raises(SystemExit) as stopped:
        main(["assign", str(cells), *given, *flags])
    return int(stopped.value.code or 0)


def regions(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "regions.csv", keep_default_na=False)


def test_cells_that_went_through_napari_give_the_same_table(
    brain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert assign(brain, brain / "cells.parquet", tmp_path / "own") == 0
    assert "of them in atlas regions" in capsys.readouterr().out
    assert assign(brain, brain / "napari.csv", tmp_path / "other") == 2
    assert "give --unit voxel" in capsys.readouterr().err.replace("\n", " ")
    assert assign(brain, brain / "napari.csv", tmp_path / "other", "--unit", "um") == 0
    own, other = regions(tmp_path / "own"), regions(tmp_path / "other")
    pd.testing.assert_frame_equal(own.drop(columns=["expected"]), other.drop(columns=["expected"]))
    assert (own.loc[own["count_own"] > 0, "volume_own_mm3"].astype(float) > 0).all()
    kept = json.loads(table_metadata(tmp_path / "own" / "cells.parquet")[KEY])
    assert VolumeRecord.from_json(kept) == record(brain)
    assert assign(brain, tmp_path / "own" / "cells.parquet", tmp_path / "again") == 0, (
        "a finished table can be assigned"
    )
    pd.testing.assert_frame_equal(regions(tmp_path / "again"), own)


def test_cells_of_another_volume_are_refused(brain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_parquet(brain / "cells.parquet")
    other = replace(record(brain), identity="another brain", path="other.ome.zarr")
    write_table(tmp_path / "cells.parquet", table, {"identity": "found", KEY: other.text})
    assert assign(brain, tmp_path / "cells.parquet", tmp_path / "out") == 2
    said = capsys.readouterr().err.replace("\n", " ")
    assert all(part in said for part in ("other.ome.zarr", "brain.ome.zarr", "--same-space"))
    assert not (tmp_path / "out").exists()
    assert assign(brain, tmp_path / "cells.parquet", tmp_path / "out", "--same-space") == 0
    larger = replace(other, shape=index3(2 * n for n in other.shape))
    write_table(tmp_path / "cells.parquet", table, {"identity": "found", KEY: larger.text})
    assert assign(brain, tmp_path / "cells.parquet", tmp_path / "larger", "--same-space") == 2
    assert "do not cover the same space" in capsys.readouterr().err.replace("\n", " ")
