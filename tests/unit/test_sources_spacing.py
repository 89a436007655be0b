"""The voxel size: what files say of it, in any unit, and what holds where the user says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from pipelines.config import Resources
from pipelines.volume import convert, voxel_size
from tests.image_formats import FORMATS, SPACING, characters, image, imaris
from volumetric.errors import InputError
from volumetric.storage.sources import Source, open_source


def ome_source(folder: Path, **metadata: Any) -> Source:
    tifffile.imwrite(folder / "a.ome.tif", image()[0], photometric="minisblack", metadata={"axes": "ZYX", **metadata})
    return open_source(folder / "a.ome.tif")


def imagej_source(folder: Path, **metadata: Any) -> Source:
    stack, pixels = image()[0], (2.0, 4.0)
    tifffile.imwrite(folder / "a.tif", stack, imagej=True, resolution=pixels, metadata={"axes": "ZYX", **metadata})
    return open_source(folder / "a.tif")


def hdf5_source(folder: Path, value: object) -> Source:
    with h5py.File(folder / "a.h5", "w") as file:
        file["raw"] = image()[0]
        file["raw"].attrs["element_size_um"] = value
    return open_source(folder / "a.h5")


def sizes(**values: float) -> dict[str, float]:
    return {f"PhysicalSize{axis.upper()}": value for axis, value in values.items()}


def test_each_ome_axis_has_its_own_unit(tmp_path: Path) -> None:
    units = {"PhysicalSizeZUnit": "mm", "PhysicalSizeYUnit": "nm"}
    source = ome_source(tmp_path, **sizes(z=0.005, y=700, x=0.65), **units)
    assert source.spacing_um == pytest.approx(SPACING)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        sizes(y=1, x=1),
        sizes(z=0, y=1, x=1),
        sizes(z=-2, y=1, x=1),
        {**sizes(z=2, y=1, x=1), "PhysicalSizeZUnit": "pixel"},
    ],
    ids=["none", "two axes", "zero", "negative", "no length"],
)
def test_an_ome_voxel_size_that_is_not_whole_is_not_taken(tmp_path: Path, metadata: dict[str, Any]) -> None:
    assert ome_source(tmp_path, **metadata).spacing_um is None


@pytest.mark.parametrize(
    ("unit", "factor"), [("um", 1), ("micron", 1), ("\\u00B5m", 1), ("nm", 1e-3), ("mm", 1e3), ("cm", 1e4)]
)
def test_imagej_sizes_are_taken_in_their_unit(tmp_path: Path, unit: str, factor: float) -> None:
    source = imagej_source(tmp_path, spacing=3.0, unit=unit)
    assert source.spacing_um == pytest.approx((3.0 * factor, 0.25 * factor, 0.5 * factor))


@pytest.mark.parametrize("metadata", [{}, {"unit": "um"}, {"spacing": 3.0}, {"spacing": 3.0, "unit": "pixel"}])
def test_imagej_sizes_without_unit_or_slice_distance_are_not_taken(tmp_path: Path, metadata: dict[str, Any]) -> None:
    assert imagej_source(tmp_path, **metadata).spacing_um is None


@pytest.mark.parametrize("value", [[1.0, 2.0], [1, 0, 1], [1, np.nan, 1], [1, np.inf, 1], ["a", "b", "c"], "5 2 2", 3])
def test_an_hdf5_voxel_size_that_makes_no_sense_is_not_taken(tmp_path: Path, value: object) -> None:
    assert hdf5_source(tmp_path, value).spacing_um is None


def test_an_imaris_extent_without_a_length_unit_is_not_taken(tmp_path: Path) -> None:
    assert open_source(imaris(tmp_path, unit="pixel").path).spacing_um is None


@pytest.mark.parametrize("end", ["-10", "-20", "nan", "inf"])
def test_an_imaris_extent_of_nothing_is_not_taken(tmp_path: Path, end: str) -> None:
    path = imaris(tmp_path).path
    with h5py.File(path, "a") as file:
        file["DataSetInfo/Image"].attrs["ExtMax1"] = characters(end)
    assert open_source(path).spacing_um is None


STATED = ("ome czyx", "imagej", "hdf5", "imaris", "ome-zarr 0.4", "ome-zarr 0.5")


@pytest.mark.parametrize("name", STATED)
def test_without_a_flag_the_files_own_size_is_taken(tmp_path: Path, name: str) -> None:
    size, warnings = voxel_size(open_source(FORMATS[name](tmp_path).path), None)
    assert size == pytest.approx(SPACING, rel=1e-4)
    assert warnings == ()


@pytest.mark.parametrize("name", STATED)
def test_a_flag_that_contradicts_the_files_wins_and_is_said(tmp_path: Path, name: str) -> None:
    size, warnings = voxel_size(open_source(FORMATS[name](tmp_path).path), (5.0, 2.0, 2.0))
    assert size == (5.0, 2.0, 2.0)
    assert len(warnings) == 1
    assert "5 x 2 x 2 um but the images' own metadata say 5 x 0.7 x 0.65 um" in warnings[0]


def test_a_flag_that_agrees_but_for_rounding_is_not_worth_a_word(tmp_path: Path) -> None:
    given = (5.01, 0.7, 0.652)
    assert voxel_size(open_source(FORMATS["imaris"](tmp_path).path), given) == (given, ())


def test_without_flag_and_statement_the_size_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the voxel size is missing: give --voxel-um"):
        voxel_size(open_source(FORMATS["slices"](tmp_path).path), None)


@pytest.mark.parametrize(("flag", "expected"), [(None, SPACING), ((5.0, 2.0, 2.0), (5.0, 2.0, 2.0))])
def test_the_volume_has_the_size_decided_on(tmp_path: Path, flag: Any, expected: tuple[float, ...]) -> None:
    source = open_source(FORMATS["imaris"](tmp_path).path)
    opened = convert(source, tmp_path / "out.ome.zarr", tmp_path / "work", Resources(), voxel_um=flag)
    assert opened.volume.space.spacing_um == pytest.approx(expected)
    assert bool(opened.warnings) == (flag is not None)
