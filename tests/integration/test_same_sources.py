"""What one command takes all take, and what one refuses all refuse, with the same words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import typer
import zarr

from pipelines.cli import main
from pipelines.cli.app import app
from tests.image_formats import FORMATS, image
from tests.unit.test_ngff import root, write
from tests.unit.test_sources_axes import bare
from tests.unit.test_sources_bigdataviewer import write as write_bdv
from volumetric.atlas.folder import write_atlas_folder
from volumetric.phantom.atlas import procedural_atlas
from volumetric.storage.sources import open_source

COMMANDS = ("ingest", "register", "detect", "count")
BUILT = typer.main.get_command(app)
SIZE = ("--voxel-um", "5", "0.7", "0.65")


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("atlases") / "small"
    write_atlas_folder(procedural_atlas(), folder)
    return folder


@pytest.fixture(autouse=True)
def built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Typer builds all commands for each call, which takes longer than what is tested here."""
    monkeypatch.setattr("pipelines.cli.app.app", BUILT)


def command(name: str, source: Path, atlas: Path, out: Path, *more: str, channel: str | None = None) -> list[str]:
    """A command's dry run; `count` is told a channel, which the others choose themselves."""
    register = ["--atlas", str(atlas), "--orientation", "psl", "--out", str(out / "registration")]
    rest = {
        "ingest": [str(out / "brain.ome.zarr")],
        "detect": ["--out", str(out / "cells.parquet")],
        "register": register,
        "count": [*register[:-1], str(out / "run"), *(["--signal", channel] if channel else [])],
    }[name]
    return [name, str(source), *rest, *more, "--dry-run"]


def outcome(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> tuple[int, str]:
    """The exit status, and what was said but for the plan."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    return int(stopped.value.code or 0), " ".join(capsys.readouterr().err.split())


def arrays(folder: Path, *, dtype: str = "uint16", kind: str = "npy") -> Path:
    voxels = image()[0].astype(dtype)
    if kind == "npy":
        np.save(folder / "a.npy", voxels)
    else:
        zarr.create_array(str(folder / "a.zarr"), data=voxels)
    return folder / f"a.{kind}"


def formats(name: str) -> Callable[[Path], Path]:
    return lambda folder: FORMATS[name](folder).path


def series(folder: Path, slices: list[int], *, ome: bool = False) -> Path:
    with tifffile.TiffWriter(folder / "a.tif", ome=ome) as tif:
        for count in slices:
            tif.write(np.ones((count, 22, 34), np.uint16), photometric="minisblack")
    return folder / "a.tif"


def two_channels(folder: Path) -> Path:
    """In one folder."""
    (folder / "x").mkdir()
    for z in range(5):
        for c in range(2):
            tifffile.imwrite(folder / "x" / f"b_Z{z:03}_C{c}.tif", np.full((22, 34), 100 + c, np.uint16))
    return folder / "x"


def stray(folder: Path) -> Path:
    path = FORMATS["channel folders"](folder).path
    tifffile.imwrite(path / "preview.tif", np.ones((22, 34), np.uint16))
    return path


def of_no_kind(folder: Path) -> Path:
    (folder / "a.czi").write_bytes(b"ZISRAWFILE" + bytes(90))
    return folder / "a.czi"


TAKEN: Mapping[str, Callable[[Path], Path]] = {
    **{
        name: formats(name)
        for name in (
            "slices",
            "channel folders",
            "stack zlib",
            "ome czyx",
            "imagej",
            "hdf5",
            "hdf5 several",
            "imaris",
            "npy four axes",
            "zarr 2",
            "zarr 3 sharded",
            "ome-zarr 0.4",
            "ome-zarr 0.5",
        )
    },
    "OME-Zarr without a unit": lambda folder: write(folder / "a.zarr", unit=None),
    "OME-Zarr in pixels": lambda folder: write(folder / "a.zarr", unit="pixel"),
    "bioformats2raw": lambda folder: root(folder / "a.zarr", ["0"]),
    "BigDataViewer": lambda folder: write_bdv(folder / "a.h5", setups=2),
    "uint32 npy": partial(arrays, dtype="uint32"),
    "uint32 zarr": partial(arrays, dtype="uint32", kind="zarr"),
    "float64 npy": partial(arrays, dtype="float64"),
    "float64 zarr": partial(arrays, dtype="float64", kind="zarr"),
    "a stack in pieces": lambda folder: series(folder, [5, 5, 5]),
    "a scene": lambda folder: Path(f"{series(folder, [5, 6], ome=True)}:1"),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_what_one_command_takes_all_take(
    tmp_path: Path, atlas: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path = TAKEN[kind](tmp_path)
    channels = open_source(path).channels
    channel = channels[0] if len(channels) > 1 else None
    for name in COMMANDS:
        found = outcome(capsys, command(name, path, atlas, tmp_path / "out", *SIZE, channel=channel))
        assert found[0] == 0, (name, found)
        assert "--voxel-um says" not in found[1]
    assert not (tmp_path / "out").exists()


REFUSED: Mapping[str, tuple[Callable[[Path], Path], tuple[str, ...], str]] = {
    "no size": (formats("slices"), (), "the voxel size is missing: give --voxel-um"),
    "no size of an array": (formats("zarr 3"), (), "the voxel size is missing: give --voxel-um"),
    "no unit": (lambda folder: write(folder / "a.zarr", unit=None), (), "z 5.0, y 0.7, x 0.65 without a unit"),
    "complex npy": (partial(arrays, dtype="complex64"), SIZE, "holds complex64 values"),
    "complex zarr": (partial(arrays, dtype="complex64", kind="zarr"), SIZE, "holds complex64 values"),
    "bool zarr": (partial(arrays, dtype="bool", kind="zarr"), SIZE, "holds bool values"),
    "channels last": (lambda folder: bare(folder, "zyxc", "npy"), SIZE, "--axes zyxc"),
    "channels last zarr": (lambda folder: bare(folder, "zyxc", "zarr"), SIZE, "--axes zyxc"),
    "several images": (lambda folder: root(folder / "a.zarr", ["0", "1"]), SIZE, "holds 2 images (0, 1)"),
    "a later version": (lambda folder: write(folder / "a.zarr", "0.9"), SIZE, "is OME-Zarr 0.9"),
    "time points": (lambda folder: write_bdv(folder / "a.h5", times=2), SIZE, "holds 2 time points"),
    "a negative size": (formats("ome-zarr 0.5"), ("--voxel-um", "5", "-1", "1"), "three positive numbers"),
    "no order": (lambda folder: bare(folder, "zyx", "h5"), (*SIZE, "--axes", "zz"), "is no order of axes"),
    "two scenes": (lambda folder: series(folder, [5, 5], ome=True), SIZE, "a.tif:1 (5 x 22 x 34 uint16"),
    "channels in one folder": (two_channels, SIZE, '--channel-pattern "_C{c}"'),
    "a stray image": (stray, SIZE, "holds images itself (preview.tif) and in folders (background, signal)"),
    "another format": (of_no_kind, SIZE, "is a Zeiss CZI file, which is not read"),
    "axes of slices": (formats("slices"), (*SIZE, "--axes", "zyx"), "of a kind that says itself what its axes are"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_one_command_refuses_all_refuse(
    tmp_path: Path, atlas: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    make, flags, said = REFUSED[kind]
    path = make(tmp_path)
    found = {name: outcome(capsys, command(name, path, atlas, tmp_path / "out", *flags)) for name in COMMANDS}
    for name, (status, message) in found.items():
        assert status == 2, (name, message)
        assert said in message, name
    assert len({re.sub(r"\s+", " ", message) for _, message in found.values()}) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["ome czyx", "imaris", "ome-zarr 0.4", "ome-zarr 0.5"])
def test_a_flag_that_contradicts_the_images_is_used_and_said_by_all(
    tmp_path: Path, atlas: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path = FORMATS[kind](tmp_path).path
    for name in COMMANDS:
        flags = ("--voxel-um", "5", "2", "2")
        status, message = outcome(capsys, command(name, path, atlas, tmp_path / "out", *flags, channel="signal"))
        assert status == 0, message
        assert "warning: --voxel-um says 5 x 2 x 2 um but the images' own metadata say 5 x 0.7 x 0.65 um" in message


@pytest.mark.parametrize("kind", ["npy", "h5", "zarr"])
def test_axes_may_be_said_to_all(tmp_path: Path, atlas: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    image_ = np.ones((5, 22, 34, 2), np.uint16)
    path = tmp_path / f"a.{kind}"
    if kind == "npy":
        np.save(path, image_)
    elif kind == "zarr":
        zarr.create_array(str(path), data=image_)
    else:
        with h5py.File(path, "w") as file:
            file["raw"] = image_
    for name in COMMANDS:
        arguments = command(name, path, atlas, tmp_path / "out", *SIZE, "--axes", "zyxc", channel="channel1")
        assert outcome(capsys, arguments) == (0, ""), name


def test_an_axes_flag_that_contradicts_is_said_before_the_work(
    tmp_path: Path, atlas: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), data=np.ones((40, 40, 40), np.uint16), dimension_names=tuple("xyz"))
    for name in COMMANDS:
        arguments = command(name, tmp_path / "a.zarr", atlas, tmp_path / "out", *SIZE, "--axes", "zyx")
        status, message = outcome(capsys, arguments)
        assert status == 0
        assert "--axes says zyx but its dimension names of" in message


def test_channels_in_one_folder_may_be_said_to_all(
    tmp_path: Path, atlas: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = two_channels(tmp_path)
    for name in COMMANDS:
        arguments = command(name, path, atlas, tmp_path / "out", *SIZE, "--channel-pattern", "_C{c}", channel="1")
        assert outcome(capsys, arguments) == (0, ""), name
    settings = tmp_path / "run.toml"
    settings.write_text("[ingest]\nchannel_pattern = '_C{c}'\n[count]\nchannel_pattern = '_C{c}'\n")
    for name in COMMANDS:
        arguments = command(name, path, atlas, tmp_path / "out", *SIZE, "--config", str(settings), channel="1")
        assert outcome(capsys, arguments) == (0, ""), name
