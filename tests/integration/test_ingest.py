"""Conversion: what is written is what was read, valid for others, and the same however it was cut or run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import ome_zarr_models
import pytest
import tifffile
import yaozarrs

import volumetric
from pipelines import ingest
from pipelines.config import Resources
from volumetric.blocks.execute import Execution, execute
from volumetric.errors import TaskError
from volumetric.geometry.box import Box
from volumetric.geometry.space import VoxelSpace
from volumetric.imaging.pooling import mean_pool
from volumetric.storage.levels import plan_levels
from volumetric.storage.omezarr import open_ome_zarr
from volumetric.storage.sources import open_source
from volumetric.storage.volume import Volume


def write_slices(folder: Path, stack: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    for number, page in enumerate(stack):
        tifffile.imwrite(folder / f"s{number:03}.tif", page)
    return folder


def convert(source: Path, out: Path, voxel_um: tuple[float, float, float], **run: object) -> Volume:
    config = ingest.Config(voxel_um=voxel_um, orientation="psl")
    work = out.parent / f".{out.name}.work"
    execute(ingest.plan(open_source(source), out, work, config, Resources()), work, Execution(**run))
    return open_ome_zarr(out)


@pytest.mark.parametrize(
    ("shape", "voxel_um"),
    [((40, 70, 300), (5.0, 2.0, 2.0)), ((37, 1100, 290), (5.0, 0.7, 0.7)), ((50, 33, 520), (50.0, 40.0, 40.0))],
)
def test_a_volume_holds_the_source_and_the_means_of_it(
    tmp_path: Path, shape: tuple[int, int, int], voxel_um: tuple[float, float, float]
) -> None:
    stack = np.random.default_rng(0).integers(0, 60000, shape).astype(np.uint16)
    volume = convert(write_slices(tmp_path / "slices", stack), tmp_path / "brain.ome.zarr", voxel_um)
    expected = stack
    for number, level in enumerate(plan_levels(shape, volume.space)):
        expected = mean_pool(expected, level.step)
        assert volume.levels[number].space == level.space
        assert (volume.read(Box.of_shape(level.shape), number) == expected).all()
    assert volume.orientation == "psl"


def test_other_programs_accept_the_volume(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 60000, (20, 300, 280)).astype(np.uint16)
    volume = convert(write_slices(tmp_path / "slices", stack), tmp_path / "brain.ome.zarr", (5.0, 2.0, 2.0))
    image = ome_zarr_models.open_ome_zarr(str(volume.path))
    assert len(image.attributes.ome.multiscales[0].datasets) == len(volume.levels)
    yaozarrs.validate_zarr_store(str(volume.path))


def test_a_volume_opens_as_a_labelled_array(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 60000, (20, 30, 280)).astype(np.uint16)
    convert(write_slices(tmp_path / "slices", stack), tmp_path / "brain.ome.zarr", (5.0, 2.0, 2.0))
    image = volumetric.open_volume(tmp_path / "brain.ome.zarr", level=1)
    assert image.dims == ("z", "y", "x")
    assert image.x.to_numpy()[:2].tolist() == [1.0, 5.0]
    assert (image.to_numpy() == mean_pool(stack, (1, 2, 2))).all()


def test_levels_halve_z_only_when_voxels_are_nearly_isotropic() -> None:
    levels = plan_levels((2600, 16000, 11000), VoxelSpace((5.0, 0.7, 0.7)))
    assert [level.step for level in levels[1:4]] == [(1, 2, 2)] * 3
    assert all(level.step == (2, 2, 2) for level in levels[4:])
    assert [level.shard[1] for level in levels[:5]] == [1024, 512, 256, 128, 128]
    assert max(levels[-1].shape) <= 256


def test_an_unfinished_volume_does_not_bear_its_name(tmp_path: Path) -> None:
    stack = np.zeros((20, 30, 40), np.uint16)
    source = open_source(write_slices(tmp_path / "slices", stack))
    plan = ingest.plan(
        source, tmp_path / "brain.ome.zarr", tmp_path / "work", ingest.Config(voxel_um=(5, 2, 2)), Resources()
    )
    tifffile.imwrite(tmp_path / "slices" / "s003.tif", np.zeros((9, 9), np.uint16))
    with pytest.raises(TaskError, match="z 0:16"):
        execute(plan, tmp_path / "work", Execution())
    assert not (tmp_path / "brain.ome.zarr").exists()
