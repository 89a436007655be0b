"""Where a user stands and where results go: folders by any path, and places that cannot be written to."""

from __future__ import annotations

import builtins
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from pipelines.cli import main
from tests.small_brain import write_coarse_atlas
from volumetric.errors import InputError, OutputError
from volumetric.storage.sources import open_source
from volumetric.storage.writable import check_writable


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coarse_atlas(tmp_path_factory.mktemp("places") / "atlas")


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    folder = tmp_path / "a brain.1 µ"
    folder.mkdir()
    for number in range(6):
        tifffile.imwrite(folder / f"s{number}.tif", np.full((64, 80), number, np.uint16))
    return folder


def count(source: object, atlas: Path, out: Path) -> list[str]:
    flags = ["--voxel-um", "5", "2", "2", "--orientation", "psl", "--atlas", str(atlas), "--dry-run"]
    return ["count", str(source), "--out", str(out), *flags]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    captured = capsys.readouterr()
    return int(stopped.value.code or 0), captured.out + captured.err


def test_a_folder_is_called_by_its_name_however_it_is_given(
    slices: Path, tmp_path: Path, atlas: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (slices / "below").mkdir()
    (tmp_path / "link").symlink_to(slices)
    monkeypatch.chdir(slices)
    ways = (".", "./", "./.", str(slices) + "/", f"../{slices.name}", "below/..")
    assert {open_source(Path(way)).channels for way in ways} == {(slices.name,)}
    assert open_source(tmp_path / "link").channels == ("link",)
    monkeypatch.chdir(slices / "below")
    assert open_source(Path("..")).channels == (slices.name,)
    monkeypatch.chdir(slices)
    code, text = run(capsys, *count(".", atlas, tmp_path / "run"))
    assert code == 0, text


def test_a_channel_without_a_name_is_refused_before_the_work(
    slices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("ingest", str(slices), str(tmp_path / "v.ome.zarr"), "--voxel-um", "5", "2", "2", "--channel", " ")
    code, text = run(capsys, *arguments)
    assert code == 2
    assert "a channel without a name" in text
    assert not (tmp_path / "v.ome.zarr").exists()


@pytest.fixture
def forbid(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """Let the system refuse to make or change anything below a folder; of root, who runs tests, rights hold nothing."""

    def refuse_below(folder: Path, number: int) -> None:
        def refuse(path: object) -> None:
            if isinstance(path, str | Path) and Path(os.path.abspath(path)).is_relative_to(folder):
                raise OSError(number, os.strerror(number), str(path))

        real_open, real_mkdir, real_builtin = os.open, os.mkdir, builtins.open

        def open_(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                refuse(path)
            return real_open(path, flags, *rest, **named)

        def mkdir(path: Any, *rest: Any, **named: Any) -> None:
            refuse(path)
            real_mkdir(path, *rest, **named)

        def builtin(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
            if set(mode) & set("wax+"):
                refuse(file)
            return real_builtin(file, mode, *rest, **named)

        monkeypatch.setattr(os, "open", open_)
        monkeypatch.setattr(os, "mkdir", mkdir)
        monkeypatch.setattr(builtins, "open", builtin)

    return refuse_below


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("out", ["run", "new/deep/run", "there"])
def test_a_place_that_cannot_be_written_to_is_said_before_the_work(
    slices: Path,
    atlas: Path,
    tmp_path: Path,
    forbid: Callable[[Path, int], None],
    capsys: pytest.CaptureFixture[str],
    number: int,
    out: str,
) -> None:
    disk = tmp_path / "disk"
    (disk / "there").mkdir(parents=True)
    forbid(disk, number)
    code, text = run(capsys, *count(slices, atlas, disk / out))
    assert code == 2
    assert "nothing can be written to" in text
    assert os.strerror(number) in text
    assert "the program failed" not in text


def test_reading_in_place_writes_nothing_beside_the_volume(
    tmp_path: Path, forbid: Callable[[Path, int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    disk = tmp_path / "disk"
    zarr.create_array(str(disk / "a.zarr"), data=np.ones((8, 64, 64), np.uint16))
    forbid(disk, errno.EROFS)
    place = str(disk / "a.zarr")
    code, text = run(
        capsys, "detect", place, "--voxel-um", "5", "2", "2", "--out", str(tmp_path / "c.parquet"), "--dry-run"
    )
    assert code == 0, text
    code, text = run(capsys, "detect", place, "--voxel-um", "5", "2", "2", "--out", str(disk / "c.parquet"))
    assert code == 2
    assert "nothing can be written to" in text


def test_places_that_are_no_folders(
    slices: Path, atlas: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    for out, what in (
        ("notes.txt", "is a file"),
        ("notes.txt/run", "is a file"),
        ("lost", "a link to what is not there"),
    ):
        code, text = run(capsys, *count(slices, atlas, tmp_path / out))
        assert code == 2
        assert what in text
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_place_is_asked_without_leaving_a_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "deep")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="is a file"):
        check_writable(Path(__file__))


def test_an_input_that_may_not_be_read_is_named(
    slices: Path, monkeypatch: pytest.MonkeyPatch, atlas: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(path: Path) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path / "s3.tif"))

    monkeypatch.setattr("volumetric.storage.sources.folder.tiffs_in", denied)
    with pytest.raises(InputError, match=r"s3.tif cannot be read: permission denied"):
        open_source(slices)
    monkeypatch.undo()

    def unreadable(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(atlas / "annotation.tiff"))

    monkeypatch.setattr("volumetric.atlas.loader.read_atlas_folder", unreadable)
    code, text = run(capsys, *count(slices, atlas, tmp_path / "run"))
    assert code == 2
    assert "annotation.tiff cannot be read or written: Permission denied. Change its permissions" in text


def test_work_goes_on_from_copied_inputs(slices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other times, another place, another name; with another pixel it is refused."""
    flags = ("--voxel-um", "5", "2", "2")
    out = str(tmp_path / "v.ome.zarr")
    assert run(capsys, "ingest", str(slices), out, *flags)[0] == 0
    copied = Path(shutil.copytree(slices, tmp_path / "moved", copy_function=shutil.copyfile))
    code, text = run(capsys, "ingest", str(copied), out, *flags)
    assert code == 0
    assert "was complete before" in text.replace("\n", " ")
    image = tifffile.imread(copied / "s2.tif")
    image[5, 5] += 1
    tifffile.imwrite(copied / "s2.tif", image)
    code, text = run(capsys, "ingest", str(copied), out, *flags)
    assert code == 2
    assert "inputs.source" in text


def test_two_channels_must_cover_one_space(atlas: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, shape in (("a", (16, 64, 80)), ("b", (16, 64, 80)), ("c", (16, 64, 120))):
        zarr.create_array(str(tmp_path / f"{name}.zarr"), data=np.ones(shape, np.uint16))
    for other, expected in (("b", 0), ("c", 2)):
        flags = ["--register-on", str(tmp_path / f"{other}.zarr")]
        code, text = run(capsys, *count(tmp_path / "a.zarr", atlas, tmp_path / "run"), *flags)
        assert code == expected, text
    assert "do not cover the same space" in text.replace("\n", " ")
