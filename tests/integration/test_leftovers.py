"""Outputs removed by hand: what lies hidden beside them does not stand in the way, and costs no work that is kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipelines.cli import main
from volumetric.geometry.box import Box
from volumetric.storage.omezarr import open_ome_zarr

SHAPE = (6, 48, 64)


def slices(folder: Path, seed: int) -> Path:
    folder.mkdir()
    for number, page in enumerate(stack(seed)):
        tifffile.imwrite(folder / f"s{number:03}.tif", page)
    return folder


def stack(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(100, 900, SHAPE).astype(np.uint16)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in arguments])
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


def ingest(source: Path, out: Path, *more: object) -> int:
    return run("ingest", source, out, "--voxel-um", 5, 2, 2, *more)


def detect(source: Path, out: Path, *more: object) -> int:
    return run("detect", source, "--out", out, "--voxel-um", 5, 2, 2, "--model", "phantom", *more)


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return slices(tmp_path / "first", 1)


@pytest.fixture
def second(tmp_path: Path) -> Path:
    return slices(tmp_path / "second", 2)


def test_a_removed_volume_makes_room_for_another(first: Path, second: Path, tmp_path: Path) -> None:
    out = tmp_path / "brain.ome.zarr"
    assert ingest(first, out) == 0
    shutil.rmtree(out)
    assert ingest(second, out, "--dry-run") == 0
    assert not out.exists()
    assert ingest(second, out) == 0
    assert (open_ome_zarr(out).read(Box.of_shape(SHAPE)) == stack(2)).all()


def test_a_removed_volume_makes_room_for_other_settings(first: Path, tmp_path: Path) -> None:
    out = tmp_path / "brain.ome.zarr"
    assert ingest(first, out) == 0
    shutil.rmtree(out)
    assert ingest(first, out, "--codec", "lz4") == 0
    assert out.exists()


def test_removed_cells_make_room_for_those_of_other_images(first: Path, second: Path, tmp_path: Path) -> None:
    out = tmp_path / "cells.parquet"
    assert detect(first, out) == 0
    work = tmp_path / ".cells.parquet.work"
    out.unlink()
    assert detect(second, out, "--dry-run") == 0
    assert (open_ome_zarr(work / "volume.ome.zarr").read(Box.of_shape(SHAPE)) == stack(1)).all()
    assert detect(second, out) == 0
    assert out.exists()
    assert (open_ome_zarr(work / "volume.ome.zarr").read(Box.of_shape(SHAPE)) == stack(2)).all()


def forget(path: Path) -> None:
    """As a run that was stopped before its last task."""
    record = json.loads((path / "plan.json").read_text())
    last = list(record["tasks"])[-1]
    shutil.rmtree(path / last)


@pytest.mark.parametrize("remove", [shutil.rmtree, lambda out: None], ids=["removed", "there"])
def test_what_is_kept_is_refused_with_one_plain_command(
    first: Path,
    second: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    remove: Callable[[Path], None],
) -> None:
    out = tmp_path / "my brain.ome.zarr"
    assert ingest(first, out) == 0
    work = tmp_path / ".my brain.ome.zarr.work"
    remove(out)
    if not out.exists():
        forget(work)  # unfinished work may be hours of it
    assert ingest(second, out) == 2
    said = capsys.readouterr().err
    assert "inputs.source: another one, or it was changed or copied since" in said
    command = " ".join(f"'{path}'" for path in ([out] if out.exists() else []) + [work])
    assert f"rm -r {command}" in " ".join(said.split())
    assert ("not finished" in said) == (not out.exists())
