"""The voxel size: what files say of it, in any unit, and what holds where the user says otherwise."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from pipelines.config import Resources
from pipelines.volume import convert, voxel_size
from tests.image_formats import FORMATS, SHAPE, SPACING, characters, image, imaris
from tests.unit.test_geometry_lengths import OME
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


@pytest.mark.parametrize(("unit", "factor"), OME.items())
def test_ome_sizes_are_taken_in_every_unit_of_its_schema(tmp_path: Path, unit: str, factor: float | None) -> None:
    values = {axis: size / (factor or 1) for axis, size in zip("zyx", SPACING, strict=True)}
    source = ome_source(tmp_path, **sizes(**values), **{f"PhysicalSize{axis}Unit": unit for axis in "ZYX"})
    assert source.spacing_um == (None if factor is None else pytest.approx(SPACING))


@pytest.mark.parametrize("value", ["NaN", "INF", "-1", "0", "five"])
def test_an_ome_size_that_is_no_size_is_not_taken(tmp_path: Path, value: str) -> None:
    ome_source(tmp_path, **sizes(z=5, y=0.7, x=0.123456))
    content = (tmp_path / "a.ome.tif").read_bytes()
    (tmp_path / "a.ome.tif").write_bytes(content.replace(b"0.123456", value.encode().ljust(8)))
    assert open_source(tmp_path / "a.ome.tif").voxel.sizes_um == (5.0, 0.7, None)


def test_an_ome_size_may_have_a_decimal_comma(tmp_path: Path) -> None:
    ome_source(tmp_path, **sizes(z=5, y=0.7, x=0.123456))
    content = (tmp_path / "a.ome.tif").read_bytes()
    (tmp_path / "a.ome.tif").write_bytes(content.replace(b"0.123456", b"0,650000"))
    assert open_source(tmp_path / "a.ome.tif").spacing_um == SPACING


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        *((unit, 1.0) for unit in ("um", "micron", "microns", "Micron", "micrometer", "\\u00B5m", "\\u03BCm")),
        *(("nm", 1e-3), ("mm", 1e3), ("cm", 1e4), ("inch", 25400.0), ("meter", 1e6), ("m", 1e6), ("Angstrom", 1e-4)),
    ],
)
def test_imagej_sizes_are_taken_in_their_unit(tmp_path: Path, unit: str, factor: float) -> None:
    source = imagej_source(tmp_path, spacing=3.0, unit=unit)
    assert source.spacing_um == pytest.approx((3.0 * factor, 0.25 * factor, 0.5 * factor))


@pytest.mark.parametrize("unit", ["µm", "μm", "Âµm"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_imagej_may_write_a_mu_in_any_encoding(tmp_path: Path, unit: str, encoding: str) -> None:
    imagej_source(tmp_path, spacing=3.0, unit="_unit_of_x_")
    said = unit.encode(encoding, errors="replace").ljust(len("_unit_of_x_"))
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content.replace(b"_unit_of_x_", said))
    assert open_source(tmp_path / "a.tif").spacing_um == pytest.approx((3.0, 0.25, 0.5))


def test_imagej_has_a_unit_of_its_own_for_z_and_for_y(tmp_path: Path) -> None:
    source = imagej_source(tmp_path, spacing=0.005, unit="micron", yunit="nm", zunit="mm")
    assert source.spacing_um == pytest.approx((5.0, 0.25e-3, 0.5))


@pytest.mark.parametrize("spacing", [0.0, -5.0, np.nan, np.inf])
def test_an_imagej_slice_distance_that_is_none_is_not_taken(tmp_path: Path, spacing: float) -> None:
    assert imagej_source(tmp_path, spacing=spacing, unit="um").voxel.sizes_um == (None, 0.25, 0.5)


@pytest.mark.parametrize(
    ("pixels", "unit", "expected_um"),
    [
        ((1e4 / 0.65, 1e4 / 0.65), "centimeter", 0.65),
        ((25400 / 0.65, 25400 / 0.65), "inch", 0.65),
        ((1000, 1000), "centimeter", 10.0),
        *((((dpi, dpi), "inch", None)) for dpi in (1, 72, 96, 100, 150, 300, 600, 1200, 2400, 4800)),
        *((((dpi / 2.54, dpi / 2.54), "centimeter", None)) for dpi in (72, 96, 300, 1200)),
        ((1, 1), "centimeter", None),
        ((2, 2), "none", None),
    ],
)
def test_resolution_tags_are_taken_where_they_are_a_microscopes(
    tmp_path: Path, pixels: tuple[float, float], unit: str, expected_um: float | None
) -> None:
    options: dict[str, Any] = {"resolution": pixels, "resolutionunit": unit}
    tifffile.imwrite(tmp_path / "a.tif", image()[0], photometric="minisblack", **options)
    _, y, x = open_source(tmp_path / "a.tif").voxel.sizes_um
    assert (y, x) == ((None, None) if expected_um is None else pytest.approx((expected_um, expected_um), rel=1e-4))


def test_what_is_known_of_a_voxel_is_filled_in_where_the_rest_is_asked_for(tmp_path: Path) -> None:
    source = imagej_source(tmp_path, unit="um")
    with pytest.raises(InputError, match=r"not the distance of the slices\. Give --voxel-um Z 0\.25 0\.5"):
        voxel_size(source, None)
    assert voxel_size(source, (5.0, 0.25, 0.5)) == ((5.0, 0.25, 0.5), ())
    size, warnings = voxel_size(source, (5.0, 2.0, 2.0))
    assert size == (5.0, 2.0, 2.0)
    assert "--voxel-um says 5 x 2 x 2 um but the images' own metadata say ? x 0.25 x 0.5 um" in warnings[0]


@pytest.mark.parametrize("unit", ["pixel", "", "voxels", "unknown"])
def test_a_unit_that_is_no_length_is_said_where_the_size_is_asked_for(tmp_path: Path, unit: str) -> None:
    source = imagej_source(tmp_path, spacing=3.0, unit=unit)
    with pytest.raises(InputError, match=r"give --voxel-um .* ImageJ's metadata gives z 3"):
        voxel_size(source, None)
    assert voxel_size(source, SPACING) == (SPACING, ())


@pytest.mark.parametrize("metadata", [{}, {"unit": "um"}, {"spacing": 3.0}, {"spacing": 3.0, "unit": "pixel"}])
def test_imagej_sizes_without_unit_or_slice_distance_are_not_taken(tmp_path: Path, metadata: dict[str, Any]) -> None:
    assert imagej_source(tmp_path, **metadata).spacing_um is None


@pytest.mark.parametrize("value", [[1.0, 2.0], [1, 0, 1], [1, np.nan, 1], [1, np.inf, 1], ["a", "b", "c"], "5 2 2", 3])
def test_an_hdf5_voxel_size_that_makes_no_sense_is_not_taken(tmp_path: Path, value: object) -> None:
    assert hdf5_source(tmp_path, value).spacing_um is None


def test_an_imaris_extent_without_a_length_unit_is_not_taken(tmp_path: Path) -> None:
    assert open_source(imaris(tmp_path, unit="pixel").path).spacing_um is None


@pytest.mark.parametrize(("unit", "factor"), [("nm", 1e3), ("µm", 1), ("m", 1e-6), ("inch", 1 / 25400), ("cm", 1e-4)])
def test_an_imaris_extent_is_taken_in_its_unit(tmp_path: Path, unit: str, factor: float) -> None:
    path = imaris(tmp_path, unit=unit).path
    with h5py.File(path, "a") as file:
        for axis, (length, size) in enumerate(zip(SHAPE[::-1], SPACING[::-1], strict=True)):
            file["DataSetInfo/Image"].attrs[f"ExtMin{axis}"] = characters("0")
            file["DataSetInfo/Image"].attrs[f"ExtMax{axis}"] = characters(f"{length * size * factor:.12g}")
    assert open_source(path).spacing_um == pytest.approx(SPACING, rel=1e-6)


@pytest.mark.parametrize("unit", ["", None])
def test_an_imaris_extent_without_a_unit_is_not_taken(tmp_path: Path, unit: str | None) -> None:
    path = imaris(tmp_path).path
    with h5py.File(path, "a") as file:
        del file["DataSetInfo/Image"].attrs["Unit"]
        if unit is not None:
            file["DataSetInfo/Image"].attrs["Unit"] = characters(unit)
    assert open_source(path).spacing_um is None


def test_an_imaris_image_padded_to_chunks_has_the_size_of_its_data_set_info(tmp_path: Path) -> None:
    path = imaris(tmp_path).path
    with h5py.File(path, "a") as file:
        for axis, length in zip("ZYX", SHAPE, strict=True):
            file["DataSetInfo/Image"].attrs[axis] = characters(str(length))
            for channel in range(2):
                del file[f"DataSet/ResolutionLevel 0/TimePoint 0/Channel {channel}"].attrs[f"ImageSize{axis}"]
    source = open_source(path)
    assert source.shape == SHAPE
    assert source.spacing_um == pytest.approx(SPACING)
    assert source.doubts == ()


def test_an_imaris_image_that_says_no_size_is_doubted(tmp_path: Path) -> None:
    path = imaris(tmp_path).path
    with h5py.File(path, "a") as file:
        for axis, channel in itertools.product("ZYX", range(2)):
            del file[f"DataSet/ResolutionLevel 0/TimePoint 0/Channel {channel}"].attrs[f"ImageSize{axis}"]
    assert "may be padded with zeros" in open_source(path).doubts[0]


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
