"""A volume says when a file of it is torn, altered or gone, and just that file's unit is written again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import ome_zarr_models
import pytest
import tifffile
import yaozarrs
import zarr

from pipelines.cli import main
from volumetric.errors import InputError
from volumetric.geometry.box import Box, index3
from volumetric.storage.omezarr import open_ome_zarr

SHAPE = (40, 1100, 300)


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    folder = tmp_path / "slices"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(SHAPE[0]):
        tifffile.imwrite(folder / f"s{number:03}.tif", rng.integers(1, 60000, SHAPE[1:]).astype(np.uint16))
    return folder


def run(*arguments: object) -> int:
    try:
        main([str(a) for a in arguments])
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def ingest(slices: Path, out: Path, *more: object) -> int:
    return run("ingest", slices, out, "--voxel-um", 5, 2, 2, *more)


def contents(volume: Path) -> dict[str, bytes]:
    return {str(p.relative_to(volume)): p.read_bytes() for p in volume.rglob("*") if p.is_file()}


def tear(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 4
    file.write_bytes(bytes(content))


def lose(file: Path) -> None:
    file.unlink()


def random_box(rng: np.random.Generator) -> Box:
    sides = [sorted(rng.choice(n + 1, 2, replace=False)) for n in SHAPE]
    return Box(index3(a for a, _ in sides), index3(b for _, b in sides))


@pytest.mark.parametrize("damage", [tear, flip, lose])
@pytest.mark.parametrize("place", ["0/c/0/1/1/0", "1/c/0/2/0/0", "2/c/0/0/1/0"])
def test_damage_is_named_and_mended(
    slices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: object, place: str
) -> None:
    out = tmp_path / "brain.ome.zarr"
    assert ingest(slices, out) == 0
    assert run("info", out, "--verify") == 0
    before = contents(out)
    assert place in before
    damage(out / place)
    capsys.readouterr()
    assert run("info", out, "--verify") == 1
    said = capsys.readouterr()
    assert place in said.out
    assert "1 damaged or missing" in said.err
    assert "--repair" in said.err
    kept = {p: (out / p).stat().st_mtime_ns for p in before if p.startswith("0/") and p != place}
    assert ingest(slices, out, "--repair") == 0
    assert contents(out) == before
    assert run("info", out, "--verify") == 0
    rewritten = [p for p, time in kept.items() if (out / p).stat().st_mtime_ns != time]
    assert len(rewritten) < len(kept) / 2, "only the unit of the damaged file may be written again"


def test_damaged_voxels_are_never_read_as_numbers(slices: Path, tmp_path: Path) -> None:
    out = tmp_path / "brain.ome.zarr"
    assert ingest(slices, out) == 0
    flip(out / "0/c/0/1/0/0")
    volume = open_ome_zarr(out)
    with pytest.raises(InputError, match=r"is damaged within .* the checksum of the chunk"):
        volume.read(Box((16, 0, 0), (32, 1024, 300)))
    tear(out / "0/c/0/1/0/0")
    with pytest.raises(InputError, match=r"is damaged within .* the checksum of the index is wrong"):
        volume.read(Box((16, 0, 0), (17, 1, 1)))
    os.truncate(out / "0/c/0/1/0/0", 10)
    with pytest.raises(InputError, match=r"is damaged within .* too short to hold its index"):
        volume.read(Box((16, 0, 0), (17, 1, 1)))
    assert volume.read(Box((0, 0, 0), (16, 1024, 300))).min() > 0


def test_a_chunk_without_checksum_is_not_read_beyond_its_end(slices: Path, tmp_path: Path) -> None:
    out = tmp_path / "brain.ome.zarr"
    assert ingest(slices, out, "--ngff", "0.4", "--no-shards") == 0
    volume = open_ome_zarr(out)
    file = volume.shard_file(0, Box((8, 256, 0), (16, 512, 256)))
    for length in (file.stat().st_size - 1, 16, 3):
        os.truncate(file, length)
        with pytest.raises(InputError, match="is damaged within"):
            volume.read(Box((8, 256, 0), (9, 257, 1)))


def test_an_incomplete_volume_is_not_counted(slices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "brain.ome.zarr"
    assert ingest(slices, out) == 0
    lose(out / "0/c/0/2/1/0")
    assert run("info", out) == 1
    assert "is incomplete" in capsys.readouterr().err
    assert run("detect", out, "--out", tmp_path / "cells.parquet") == 2
    assert "0/c/0/2/1/0 is missing" in "".join(capsys.readouterr().err.split("\n"))
    assert not (tmp_path / "cells.parquet").exists()


def test_a_repair_from_other_images_is_refused(
    slices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "brain.ome.zarr"
    assert ingest(slices, out) == 0
    lose(out / "0/c/0/2/1/0")
    tifffile.imwrite(slices / "s003.tif", np.ones(SHAPE[1:], np.uint16))
    assert ingest(slices, out, "--repair") == 2
    assert "was made from other images" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--no-shards",),
        ("--ngff", "0.4"),
        ("--codec", "lz4"),
        ("--codec", "zstd-3"),
        ("--ngff", "0.4", "--codec", "lz4"),
    ],
    ids=" ".join,
)
def test_every_encoding_is_read_back_and_accepted_by_others(
    slices: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    out = tmp_path / "brain.ome.zarr"
    assert ingest(slices, out, *flags) == 0
    stack = np.stack([tifffile.imread(p) for p in sorted(slices.iterdir())])
    volume = open_ome_zarr(out)
    rng = np.random.default_rng(1)
    array = zarr.open_array(volume.levels[0].path, mode="r")
    for box in (Box.of_shape(SHAPE), *(random_box(rng) for _ in range(20))):
        assert (volume.read(box) == stack[box.slices]).all()
        assert (array[0, *box.slices] == stack[box.slices]).all()
    image = ome_zarr_models.open_ome_zarr(str(out))
    attributes = image.attributes
    multiscales = attributes.multiscales if "0.4" in flags else attributes.ome.multiscales
    assert len(multiscales[0].datasets) == len(volume.levels)
    yaozarrs.validate_zarr_store(str(out))
    assert run("info", out, "--verify") == 0


@pytest.mark.parametrize("other", [("--voxel-um", 9, 2, 2), ("--voxel-um", 5, 2, 2, "--orientation", "asr")])
def test_a_finished_volume_of_other_settings_is_refused_and_stays(
    slices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], other: tuple[object, ...]
) -> None:
    out = tmp_path / "brain.ome.zarr"
    assert ingest(slices, out) == 0
    before = contents(out)
    capsys.readouterr()
    assert run("ingest", slices, out, *other) != 0
    said = " ".join(capsys.readouterr().err.split())
    assert "holds another ingest run, which differs in" in said
    assert contents(out) == before


def test_version_04_with_shards_is_refused(slices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ingest(slices, tmp_path / "brain.ome.zarr", "--ngff", "0.4", "--shards") == 2
    assert "has no shards" in " ".join(capsys.readouterr().err.split())


def test_a_volume_that_was_complete_is_said_to_be_so(
    slices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "brain.ome.zarr"
    assert ingest(slices, out) == 0
    before = contents(out)
    capsys.readouterr()
    assert ingest(slices, out) == 0
    assert "nothing was done" in capsys.readouterr().out
    assert contents(out) == before
