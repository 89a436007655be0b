"""Zarr is used where it lies: nothing is copied, and what it lacks is made beside the results."""

from __future__ import annotations

from pathlib import Path

import numcodecs
import numpy as np
import pandas as pd
import pytest
import zarr
from rich.console import Console

from pipelines import overview
from pipelines.cli import main
from pipelines.config import Resources
from pipelines.stage import run
from pipelines.volume import in_place, open_or_convert
from tests.small_brain import phantom, write_files
from volumetric.geometry.box import Box
from volumetric.geometry.space import VoxelSpace
from volumetric.imaging.pooling import mean_pool
from volumetric.storage.levels import plan_levels

VOXEL_UM = (5.0, 2.0, 2.0)


def files_of(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("channels", [0, 2])
def test_the_overview_of_a_bare_array_is_the_pyramid_it_lacks(tmp_path: Path, version: int, channels: int) -> None:
    shape = (20, 600, 1100)
    stack = np.random.default_rng(0).integers(0, 60000, (channels, *shape) if channels else shape).astype(np.uint16)
    zarr.create_array(str(tmp_path / "a.zarr"), data=stack, chunks=(1,) * bool(channels) + (7, 200, 300),
                      zarr_format=version)  # fmt: skip
    before = files_of(tmp_path / "a.zarr")
    opened = open_or_convert(tmp_path / "a.zarr", tmp_path / "work", Resources(), voxel_um=VOXEL_UM)
    run(opened.stages, Resources(), Console(quiet=True))
    levels = plan_levels(shape, VoxelSpace(VOXEL_UM))
    assert [level.shape for level in opened.volume.levels] == [level.shape for level in levels]
    for channel in range(max(1, channels)):
        expected = stack[channel] if channels else stack
        for number, level in enumerate(levels):
            expected = mean_pool(expected, level.step)
            assert opened.volume.levels[number].space == level.space
            assert (opened.volume.read(Box.of_shape(level.shape), number, channel) == expected).all()
    assert files_of(tmp_path / "a.zarr") == before


def test_a_volume_with_coarse_levels_needs_no_overview(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), data=np.ones((20, 300, 300), np.uint16))
    volume = in_place(tmp_path / "a.zarr", VOXEL_UM, None)
    assert overview.stages(volume, tmp_path, Resources()) == ()
    assert overview.completed(volume, tmp_path) == volume


@pytest.mark.slow
def test_cells_of_a_bare_array_are_those_of_the_slices_it_came_from(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    brain = phantom()
    stack = brain.render(0, brain.shape[0])["signal"]
    zarr.create_array(str(tmp_path / "brain.zarr"), data=stack, chunks=(16, 128, 128))
    before = files_of(tmp_path / "brain.zarr")
    size = ["--voxel-um", *(f"{v:g}" for v in files.voxel_um)]
    command("detect", str(tmp_path / "brain.zarr"), *size, "--out", str(tmp_path / "a.parquet"))
    command("detect", str(files.slices / "signal"), *size, "--out", str(tmp_path / "b.parquet"))
    assert files_of(tmp_path / "brain.zarr") == before
    found, expected = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in "ab")
    assert len(found) > 100
    pd.testing.assert_frame_equal(found, expected)


def command(*arguments: str) -> None:
    """Run a command, which must end well."""
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code == 0


def test_bytes_in_the_other_order_are_the_same_numbers(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 60000, (8, 90, 100)).astype(">u2")
    zarr.create_array(str(tmp_path / "a.zarr"), data=stack, zarr_format=2)
    volume = in_place(tmp_path / "a.zarr", VOXEL_UM, None)
    found = volume.read(Box.of_shape(volume.shape))
    assert volume.dtype == "uint16"
    assert found.dtype == np.uint16
    assert (found == stack).all()


def test_a_damaged_chunk_of_another_program_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stack = np.random.default_rng(0).integers(0, 60000, (8, 90, 100)).astype(np.uint16)
    gzip = numcodecs.GZip()
    zarr.create_array(str(tmp_path / "a.zarr"), data=stack, chunks=(8, 45, 50), zarr_format=2, compressors=gzip)
    chunk = tmp_path / "a.zarr" / "0.1.0"
    chunk.write_bytes(chunk.read_bytes()[:1000])
    with pytest.raises(SystemExit) as stopped:
        main(["info", str(tmp_path / "a.zarr"), "--verify"])
    assert stopped.value.code == 1
    assert "0.1.0" in "".join(capsys.readouterr().out.split())


def test_channels_with_one_name_are_numbered(tmp_path: Path) -> None:
    group = zarr.create_group(str(tmp_path / "a.ome.zarr"))
    group.create_array("0", data=np.ones((2, 4, 40, 40), np.uint16))
    axes = [{"name": "c", "type": "channel"}, *({"name": a, "type": "space", "unit": "micrometer"} for a in "zyx")]
    scale = [{"type": "scale", "scale": [1.0, *VOXEL_UM]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    channels = [{"label": "GFP"}, {"label": "GFP"}]
    image = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}], "omero": {"channels": channels}}
    group.attrs["ome"] = image
    assert in_place(tmp_path / "a.ome.zarr", None, None).channels == ("channel0", "channel1")


def test_voxels_that_are_no_numbers_leave_valid_metadata(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).random((8, 90, 100)).astype(np.float32)
    stack[3, 4, 5] = np.nan
    np.save(tmp_path / "a.npy", stack)
    command("ingest", str(tmp_path / "a.npy"), str(tmp_path / "a.ome.zarr"), "--voxel-um", "5", "2", "2")
    text = (tmp_path / "a.ome.zarr" / "zarr.json").read_text()
    assert "NaN" not in text
