"""The files were also opened by napari 0.9.2 with napari-ome-zarr 0.10.0: a points layer with its features, an image,
and a labels layer with the colour of every region and, at each cell of allen_mouse_100um, the label of its region.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaozarrs
import zarr

from pipelines.export import export_run
from pipelines.export import finished as finished_module
from tests.unit.test_report_html import make_run
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.storage.atomic import remove
from volumetric.storage.omezarr import open_ome_zarr
from volumetric.storage.tables import read_table, write_table


def read_points(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """As napari's reader does: columns axis-* are coordinates, the others but `index` features, of texts."""
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:4] == ["index", "axis-0", "axis-1", "axis-2"]
    table = np.array(rows)
    assert table[:, 0].astype(int).tolist() == list(range(len(rows)))
    return table[:, 1:4].astype(float), {name: table[:, i] for i, name in enumerate(header) if i > 3}


def test_cells_are_points_in_um(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run", cells=300)
    monkeypatch.setattr(finished_module, "PIECE_ROWS", 77)
    said = export_run(run, "napari", tmp_path / "out")
    cells = read_table(run.cells)
    at, features = read_points(tmp_path / "out" / "points.csv")
    assert np.array_equal(at, cells[["z_um", "y_um", "x_um"]])
    assert features["cell_id"].astype(int).tolist() == cells["cell_id"].tolist()
    assert features["hemisphere"].tolist() == cells["hemisphere"].fillna("").tolist()
    assert "probability" not in features
    assert f"the {(~cells['in_atlas']).sum()} outside are kept, without a region" in said
    assert len((tmp_path / "out" / "README.txt").read_text().splitlines()) == 3


def test_a_calibrated_probability_is_a_feature(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", cells=50)
    cells = read_table(run.cells)
    cells["probability"] = np.linspace(0, 1, 50)
    write_table(run.cells, cells)
    export_run(run, "napari", tmp_path / "out")
    features = read_points(tmp_path / "out" / "points.csv")[1]
    assert np.array_equal(features["probability"].astype(float), np.linspace(0, 1, 50))


def test_regions_lie_over_the_image_in_colour(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", cells=300)
    export_run(run, "napari", tmp_path / "out")
    brain = tmp_path / "out" / "brain.ome.zarr"
    yaozarrs.validate_zarr_store(str(brain))
    yaozarrs.validate_zarr_store(str(brain / "labels" / "regions"))
    image, labels = open_ome_zarr(brain), open_ome_zarr(brain / "labels" / "regions")
    source, stored = open_ome_zarr(run.volume), open_ome_zarr(run.registration / "labels.ome.zarr")
    assert image.space == source.space
    assert labels.space == stored.space
    assert np.array_equal(image.read(Box.of_shape(image.shape)), source.read(Box.of_shape(source.shape)))
    regions = labels.read(Box.of_shape(labels.shape))
    assert np.array_equal(regions, stored.read(Box.of_shape(stored.shape)))

    at, features = read_points(tmp_path / "out" / "points.csv")
    here = np.floor(at / labels.space.spacing_um).astype(int)  # how this run's cells got their regions
    assert np.array_equal(regions[tuple(here.T)], features["region_id"].astype(int))

    ome = zarr.open_group(str(brain / "labels" / "regions"), mode="r").attrs.asdict()["ome"]
    shown = {entry["label-value"]: entry["rgba"] for entry in ome["image-label"]["colors"]}
    table = pd.read_csv(run.regions, keep_default_na=False)
    assert set(shown) == {0, *table["region_id"]}
    assert shown[0][3] == 0
    assert len({tuple(rgba) for rgba in shown.values()}) == len(shown)
    assert {entry["acronym"] for entry in ome["image-label"]["properties"]} == set(table["acronym"])
    assert "omero" not in ome


def test_without_its_image_a_run_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", cells=10)
    remove(run.volume)
    with pytest.raises(InputError, match=r"volume\.ome\.zarr"):
        export_run(run, "napari", tmp_path / "out")
    assert not (tmp_path / "out").exists()
