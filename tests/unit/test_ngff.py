"""OME-Zarr as other programs write it: every version, units, numbers as text, plates and series."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.volume import in_place
from tests.unit.test_geometry_lengths import MICROMETRES, NGFF, OME
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.storage.omezarr import look_at_zarr, open_ome_zarr
from volumetric.storage.sources import open_source, read

SHAPE = (5, 22, 34)
SPACING = (5.0, 0.7, 0.65)
IMAGE = np.random.default_rng(0).integers(1, 60000, (2, *SHAPE)).astype(np.uint16)

Json = dict[str, Any]


def as_it_is(image: Json) -> Json:
    return image


def write(
    path: Path,
    version: str = "0.4",
    change: Callable[[Json], Json] = as_it_is,
    *,
    unit: object = "micrometer",
    scale: tuple[object, ...] = SPACING,
    five: bool = False,
) -> Path:
    """Two channels on two levels, the coarser one of half the rows and columns; `change` is done to the metadata."""
    image = IMAGE[None] if five else IMAGE
    group = zarr.create_group(str(path), zarr_format=3 if version >= "0.5" else 2)
    for level in range(2):
        group.create_array(str(level), data=image[..., :: 2**level, :: 2**level].copy())
    axes: list[Json] = [{"name": "c", "type": "channel"}]
    axes += [{"name": a, "type": "space", **({} if unit is None else {"unit": unit})} for a in "zyx"]
    doubled = [[1, *scale], [1, scale[0], *(2 * float(str(n)) for n in scale[1:])]]
    datasets = [
        {"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": doubled[n]}]} for n in range(2)
    ]
    described = change({"version": version, "axes": axes, "datasets": datasets})
    multiscales = {"multiscales": [described]}
    group.attrs.update({"ome": {"version": version, **multiscales}} if version >= "0.5" else multiscales)
    return path


def without_scales(image: Json) -> Json:
    return {**image, "datasets": [{"path": dataset["path"]} for dataset in image["datasets"]]}


def version_0_1(image: Json) -> Json:
    return {key: value for key, value in without_scales(image).items() if key != "axes"}


def version_0_3(image: Json) -> Json:
    return {**without_scales(image), "axes": list("tczyx")}


def version_0_6(image: Json) -> Json:
    datasets = [
        {
            "path": dataset["path"],
            "coordinateTransformations": [
                {
                    "type": "sequence",
                    "input": dataset["path"],
                    "output": "physical",
                    "transformations": [
                        *dataset["coordinateTransformations"],
                        {"type": "translation", "translation": [0, 10, 20, 30]},
                    ],
                }
            ],
        }
        for dataset in image["datasets"]
    ]
    systems = [{"name": "other", "axes": []}, {"name": "physical", "axes": image["axes"]}]
    return {"version": "0.6", "name": "brain", "coordinateSystems": systems, "datasets": datasets}


def assert_is_the_image(path: Path) -> None:
    source = open_source(path)
    for channel in range(2):
        np.testing.assert_array_equal(read(source, Box.of_shape(SHAPE), channel), IMAGE[channel])


@pytest.mark.parametrize(
    ("version", "change"), [("0.1", version_0_1), ("0.2", version_0_1), ("0.3", version_0_3)], ids=["0.1", "0.2", "0.3"]
)
def test_early_versions_are_read_and_their_voxel_size_asked_for(
    tmp_path: Path, version: str, change: Callable[[Json], Json]
) -> None:
    path = write(tmp_path / "a.zarr", version, change, five=True)
    assert_is_the_image(path)
    with pytest.raises(InputError, match="the voxel size is missing: give --voxel-um"):
        in_place(path, None, None)
    volume = in_place(path, SPACING, None)
    assert [level.space.spacing_um for level in volume.levels] == [SPACING, (5.0, 1.4, 1.3)]
    assert volume.levels[1].space.origin_um == pytest.approx((0.0, 0.35, 0.325))  # a block's centre


def test_version_0_6_is_read_with_its_coordinate_systems(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr", "0.6", version_0_6)
    assert_is_the_image(path)
    volume = in_place(path, None, None)
    assert volume.space.spacing_um == SPACING
    assert volume.space.origin_um == (10.0, 20.0, 30.0)


@pytest.mark.parametrize("version", ["0.7", "1.0"])
def test_a_version_that_is_not_known_is_named(tmp_path: Path, version: str) -> None:
    path = write(tmp_path / "a.zarr", version)
    with pytest.raises(InputError, match=f"is OME-Zarr {version}: 0.1 to 0.6 are read"):
        open_source(path)


@pytest.mark.parametrize("kind", ["affine", "rotation", "scale"])
def test_a_transform_that_is_not_read_is_named(tmp_path: Path, kind: str) -> None:
    transform = {"type": kind, "path": "transforms/0"} if kind == "scale" else {"type": kind, kind: [[1, 0], [0, 1]]}
    dataset = {"path": "0", "coordinateTransformations": [transform]}
    path = write(tmp_path / "a.zarr", change=lambda image: {**image, "datasets": [dataset]})
    with pytest.raises(InputError, match=rf"of the kind '{kind}'"):
        open_source(path)


ALL_UNITS = [
    *((unit, size) for unit, size in {**OME, **NGFF}.items() if size),
    *((unit, 1.0) for unit in MICROMETRES if isinstance(unit, str)),
]


@settings(max_examples=30, deadline=None)
@given(unit=st.sampled_from(ALL_UNITS))
def test_sizes_are_taken_in_their_unit(tmp_path_factory: pytest.TempPathFactory, unit: tuple[str, float]) -> None:
    name, factor = unit
    scale = tuple(size / factor for size in SPACING)
    path = write(tmp_path_factory.mktemp("u") / "a.zarr", unit=name, scale=scale)
    assert in_place(path, None, None).space.spacing_um == pytest.approx(SPACING)
    assert open_source(path).spacing_um == pytest.approx(SPACING)


@pytest.mark.parametrize("unit", [None, "", " ", "pixel", "reference frame", "furlongs a fortnight", "second"])
def test_a_unit_that_is_no_length_is_asked_for_and_the_flag_taken(tmp_path: Path, unit: str | None) -> None:
    path = write(tmp_path / "a.zarr", unit=unit)
    assert open_source(path).spacing_um is None
    with pytest.raises(InputError, match=r"give --voxel-um .* z 5(\.0)?, y 0.7, x 0.65"):
        in_place(path, None, None)
    volume = in_place(path, (6.0, 2.0, 2.0), None)
    assert volume.doubts == ()
    assert [level.space.spacing_um for level in volume.levels] == [(6.0, 2.0, 2.0), (6.0, 4.0, 4.0)]


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (("5", "2", "2"), (5.0, 2.0, 2.0)),
        (("5,5", "2.0", "2"), (5.5, 2.0, 2.0)),
        ((5, 2, 2), (5.0, 2.0, 2.0)),
        ((0, 2, 2), None),
        ((-5, 2, 2), None),
        ((float("nan"), 2, 2), None),
    ],
    ids=str,
)
def test_numbers_may_be_text_and_must_be_sizes(
    tmp_path: Path, scale: tuple[object, ...], expected: tuple[float, ...] | None
) -> None:
    path = write(tmp_path / "a.zarr", scale=scale)
    assert open_source(path).spacing_um == expected
    if expected is None:
        with pytest.raises(InputError, match=r"not the distance of the slices.* Give --voxel-um Z 2 2"):
            in_place(path, None, None)


def test_a_flag_that_contradicts_what_is_stated_is_used_and_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr")
    volume = in_place(path, (5.0, 2.0, 2.0), None)
    assert "--voxel-um says 5 x 2 x 2 um but the images' own metadata say 5 x 0.7 x 0.65 um" in volume.doubts[0]
    assert [level.space.spacing_um for level in volume.levels] == [
        (5.0, 2.0, 2.0),
        pytest.approx((5.0, 4.0, 4.0)),
    ]
    assert volume.fingerprint() != in_place(path, None, None).fingerprint()


def test_a_flag_that_agrees_leaves_the_volume_as_it_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr")
    assert in_place(path, (5.0, 0.7, 0.652), None) == in_place(path, None, None)


def test_the_fingerprint_of_an_array_depends_on_the_voxel_size_given(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), data=IMAGE[0])
    first, second = (in_place(tmp_path / "a.zarr", size, None) for size in (SPACING, (5.0, 2.0, 2.0)))
    assert first.fingerprint() != second.fingerprint()


def root(path: Path, images: list[str], **attributes: object) -> Path:
    zarr.create_group(str(path), zarr_format=2).attrs.update(attributes)
    (path / "OME").mkdir()
    (path / "OME" / ".zgroup").write_text('{"zarr_format": 2}')
    for name in images:
        write(path / name)
        for folder in (path / name).relative_to(path).parents:
            (path / folder / ".zgroup").write_text('{"zarr_format": 2}')
    return path


@pytest.mark.parametrize("where", ["0", "A/1/0"])
def test_the_only_image_of_a_root_or_plate_is_taken(tmp_path: Path, where: str) -> None:
    path = root(tmp_path / "a.zarr", [where], **{"bioformats2raw.layout": 3})
    assert look_at_zarr(path).path == path / where
    assert_is_the_image(path)
    assert in_place(path, None, None).space.spacing_um == SPACING


@pytest.mark.parametrize("images", [["0", "1"], ["A/1/0", "A/1/1"], ["A/1/0", "B/2/0"]])
def test_several_images_of_a_root_or_plate_are_listed(tmp_path: Path, images: list[str]) -> None:
    path = root(tmp_path / "a.zarr", images)
    with pytest.raises(InputError) as refused:
        open_source(path)
    assert f"holds 2 images ({', '.join(images)}), not one: give the path of one, such as {path / images[0]}" in str(
        refused.value
    )


def test_a_group_of_arrays_alone_lists_them(tmp_path: Path) -> None:
    group = zarr.create_group(str(tmp_path / "a.zarr"))
    group.create_array("raw", data=IMAGE[0])
    with pytest.raises(InputError, match="Its arrays are raw: give the path of one, with --voxel-um"):
        open_source(tmp_path / "a.zarr")


def test_several_multiscale_images_in_one_group_are_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr")
    group = zarr.open_group(str(path), mode="r+")
    group.attrs["multiscales"] = [*group.attrs["multiscales"], *group.attrs["multiscales"]]  # type: ignore[misc]
    assert "holds 2 multiscale images: the first is read" in open_source(path).doubts[0]


def test_metadata_that_are_no_image_are_not_called_a_damaged_volume(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr", change=lambda image: {"version": "0.4", "axes": image["axes"]})
    with pytest.raises(InputError, match="its voxels may be whole"):
        open_ome_zarr(path)
