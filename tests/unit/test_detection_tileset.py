"""Folders of tiles with known cells, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from volumetric.detection.tileset import read_tiles, read_unlabelled
from volumetric.errors import InputError

VOXEL = (5.0, 2.0, 2.0)


def tile(folder: Path, name: str, shape=(4, 20, 30), cells=((1.0, 5.0, 6.5),), **columns: list[float]) -> None:
    folder.mkdir(exist_ok=True)
    tifffile.imwrite(folder / f"{name}.tif", np.full(shape, 7, np.uint16), photometric="minisblack")
    table = pd.DataFrame(np.reshape(cells, (-1, 3)), columns=["z", "y", "x"])
    table.assign(**columns).to_csv(folder / f"{name}_cells.csv", index=False)


def test_a_folder_of_volumes(tmp_path: Path) -> None:
    tile(tmp_path, "mouse_b_2", cells=[(1, 2, 3), (3, 19, 29)], confidence=[0.5, 1.0])
    tile(tmp_path, "mouse_b_10", cells=[])
    tile(tmp_path, "other", cells=[(0, 0, 0)])
    tifffile.imwrite(tmp_path / "other_mask.tif", np.zeros((4, 20, 30), np.uint8), photometric="minisblack")
    tifffile.imwrite(tmp_path / "unmarked.tif", np.zeros((4, 20, 30), np.uint8), photometric="minisblack")
    tiles = read_tiles(tmp_path, VOXEL)
    assert [(t.name, t.brain, len(t.cells_um)) for t in tiles] == [
        ("mouse_b_2", "mouse_b", 2),
        ("mouse_b_10", "mouse_b", 0),
        ("other", "other", 1),
    ]
    assert tiles[0].cells_um.tolist() == [[5, 4, 6], [15, 38, 58]]
    assert tiles[0].confidence is not None
    assert tiles[0].confidence.tolist() == [0.5, 1]
    assert tiles[0].image.dtype == np.uint16


def test_slices_need_no_z_and_may_have_heatmaps(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a_1.tif", np.zeros((20, 30), np.uint8))
    (tmp_path / "a_1_cells.csv").write_text("y,x\n3,4\n")
    tifffile.imwrite(tmp_path / "a_2.tif", np.zeros((20, 30), np.uint8))
    heat = np.zeros((20, 30), np.float32)
    heat[3, 4] = 0.75
    tifffile.imwrite(tmp_path / "a_2_heatmap.tif", heat)
    points, soft = read_tiles(tmp_path, VOXEL)
    assert points.image.shape == (1, 20, 30)
    assert points.cells_um.tolist() == [[0, 6, 8]]
    assert soft.heatmap is not None
    assert soft.heatmap[0, 3, 4] == np.float32(0.75)
    with pytest.raises(InputError, match="a_2 has no cells"):
        _ = soft.cells_um


def test_brains_and_voxels_may_be_told(tmp_path: Path) -> None:
    tile(tmp_path, "a_1")
    tile(tmp_path, "a_2")
    (tmp_path / "tiles.csv").write_text("tile,brain,z_um,y_um,x_um\na_1,m7,6,1.5,1.5\na_2,m8,,,\n")
    one, two = read_tiles(tmp_path, VOXEL)
    assert (one.brain, one.space.spacing_um) == ("m7", (6, 1.5, 1.5))
    assert (two.brain, two.space.spacing_um) == ("m8", VOXEL)


def test_the_truth_may_lie_elsewhere(tmp_path: Path) -> None:
    tile(tmp_path / "images", "a_1")
    tile(tmp_path / "experts", "a_1", cells=[(0, 1, 2), (1, 2, 3)])
    assert len(read_tiles(tmp_path / "images", VOXEL, tmp_path / "experts")[0].cells_um) == 2


def test_unlabelled_tiles_are_images_alone(tmp_path: Path) -> None:
    tile(tmp_path, "a_1")
    (tmp_path / "a_1_cells.csv").write_text("not looked at")
    for name in ("a_2", "a_2_heatmap", "a_2_mask"):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.zeros((20, 30), np.uint8))
    (tmp_path / "tiles.csv").write_text("tile,brain\na_2,m7\n")
    tiles = read_unlabelled(tmp_path, VOXEL)
    assert [(t.name, t.brain, t.cells, t.heatmap) for t in tiles] == [
        ("a_1", "a", None, None),
        ("a_2", "m7", None, None),
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no image in"):
        read_unlabelled(tmp_path / "empty", VOXEL)
    with pytest.raises(InputError, match="no folder of tiles"):
        read_unlabelled(tmp_path / "nowhere", VOXEL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y,x\n1,2\n", "lacks z"),
        ("z,y,x\n1,2,300\n", "line 2.*outside its tile"),
        ("z,y,x\n1,2,x\n", "no number"),
        ("z,y,x\n1,2,nan\n", "outside its tile"),
        ("z,y,x,confidence\n1,2,3,1.5\n", "confidence is 0 to 1"),
        ("", "cannot be read as CSV"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path: Path, text: str, message: str) -> None:
    tile(tmp_path, "a_1")
    (tmp_path / "a_1_cells.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_tiles(tmp_path, VOXEL)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder of tiles"):
        read_tiles(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no tile with known cells"):
        read_tiles(tmp_path)
    tile(tmp_path, "a_1")
    with pytest.raises(InputError, match="voxel size"):
        read_tiles(tmp_path)
    tifffile.imwrite(tmp_path / "a_1_heatmap.tif", np.zeros((4, 20, 30), np.float32), photometric="minisblack")
    with pytest.raises(InputError, match="must be one slice"):
        read_tiles(tmp_path, VOXEL)
    flat = tmp_path / "flat"
    flat.mkdir()
    tifffile.imwrite(flat / "b_1.tif", np.zeros((20, 30), np.uint8))
    tifffile.imwrite(flat / "b_1_heatmap.tif", np.full((20, 30), 2, np.float32))
    with pytest.raises(InputError, match="values of 0 to 1"):
        read_tiles(flat, VOXEL)
