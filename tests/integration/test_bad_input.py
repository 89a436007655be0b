"""What a user gets wrong: one readable message, exit 2, before any work, and nothing left behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipelines.cli import main
from volumetric.atlas.folder import write_atlas_folder
from volumetric.phantom.atlas import procedural_atlas


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("atlases") / "small"
    write_atlas_folder(procedural_atlas(), folder)
    return folder


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    folder = tmp_path / "slices"
    folder.mkdir()
    for number in range(20):
        page = np.random.default_rng(number).integers(100, 900, (64, 80)).astype(np.uint16)
        tifffile.imwrite(folder / f"brain_{number:03}.tif", page)
    return folder


def fails(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run the command; it must exit with 2 and say one paragraph without a traceback."""
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in arguments])
    message = capsys.readouterr().err
    assert stopped.value.code == 2, message
    assert "Traceback" not in message
    return " ".join(message.split())


def count(slices: Path, atlas: Path | str, out: Path, *changes: object) -> list[object]:
    flags: dict[str, list[object]] = {
        "--voxel-um": [5, 2, 2],
        "--orientation": ["psl"],
        "--atlas": [atlas],
        "--out": [out],
    }
    rest = list(changes)
    while rest:
        flag = str(rest.pop(0))
        values: list[object] = []
        while rest and not str(rest[0]).startswith("--"):
            values.append(rest.pop(0))
        flags[flag] = values
    return ["count", slices, *(part for flag, values in flags.items() if values for part in (flag, *values))]


def drop(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def put(name: str, array: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: tifffile.imwrite(folder / name, array)


def cut(name: str) -> Callable[[Path], None]:
    def shorten(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return shorten


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "there is nothing at"),
        (empty, "no images found"),
        (put("brain_004.tif", np.zeros((64, 81), np.uint16)), "brain_004.tif is 64 x 81 uint16"),
        (put("brain_004.tif", np.zeros((64, 80), np.uint8)), "brain_004.tif is 64 x 80 uint8"),
        (drop("brain_007.tif"), "missing between brain_006.tif and brain_008.tif"),
        (cut("brain_011.tif"), "brain_011.tif"),
    ],
    ids=["missing folder", "no images", "mixed shapes", "mixed dtypes", "gap", "truncated"],
)
def test_wrong_images(
    slices: Path,
    atlas: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], None],
    message: str,
) -> None:
    damage(slices)
    assert message in fails(capsys, *count(slices, atlas, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--voxel-um", 0, 2, 2), "three positive numbers"),
        (("--voxel-um", 5, -2, 2), "three positive numbers"),
        (("--voxel-um",), "the voxel size is missing"),
        (("--voxel-um", 5, 2), "needs three numbers, Z Y X in um, got 2 (5 2)"),
        (("--orientation", "xyz"), "unknown orientation 'xyz'"),
        (("--orientation",), "the orientation is missing"),
        (("--memory", "lots"), "expected a size such as 8GB"),
        (("--memory", "600MB"), "Raise --memory"),
        (("--memory", "900TB"), "this machine has"),
        (("--signal", "gfp"), "there is no channel 'gfp'"),
        (("--preset", "best"), "Invalid value"),
        (("--model", "nowhere.safetensors"), "nowhere.safetensors"),
        (("--config", "nowhere.toml"), "there is no settings file"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_wrong_flags(
    slices: Path,
    atlas: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: tuple[object, ...],
    message: str,
) -> None:
    assert message in fails(capsys, *count(slices, atlas, tmp_path / "run", *change))
    assert not (tmp_path / "run").exists()


def test_an_unknown_atlas_names_the_known_ones(
    slices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], data_dir: Path
) -> None:
    message = fails(capsys, *count(slices, "allen_moose_50um", tmp_path / "run", "--atlas-dir", data_dir / "atlas"))
    assert "allen_moose_50um" in message
    assert "allen_mouse_50um" in message
    assert not (tmp_path / "run").exists()


def test_several_channels_need_a_choice(
    slices: Path, atlas: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    brain = tmp_path / "brain"
    shutil.copytree(slices, brain / "red")
    shutil.copytree(slices, brain / "green")
    assert "green, red" in fails(capsys, *count(brain, atlas, tmp_path / "run"))


def test_a_place_that_holds_something_else(
    slices: Path, atlas: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "cells.parquet").write_text("mine")
    assert "was not made by this command" in fails(capsys, *count(slices, atlas, tmp_path / "run"))
    assert (tmp_path / "run" / "cells.parquet").read_text() == "mine"


def test_a_disk_too_small(
    slices: Path, atlas: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    assert "are free there" in fails(capsys, *count(slices, atlas, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_settings_file_with_an_unknown_key(
    slices: Path, atlas: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.toml").write_text("[count]\nvoxelsize = 3\n")
    message = fails(capsys, *count(slices, atlas, tmp_path / "run", "--config", tmp_path / "run.toml"))
    assert "voxelsize" in message


def test_an_unfinished_volume_is_called_unfinished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "brain.ome.zarr.partial").mkdir()
    assert "is not finished" in fails(capsys, "info", tmp_path / "brain.ome.zarr")
