"""Axes of any order: by their names, by the user's word, and never by a guess."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.volume import in_place
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.storage.axes import understand_axes
from volumetric.storage.sources import Source, open_source, read

SIZES = {"t": 1, "c": 2, "z": 5, "y": 7, "x": 9}
SHAPE = (5, 7, 9)
IMAGE = np.random.default_rng(0).integers(1, 60000, (1, 2, *SHAPE)).astype(np.uint16)
"""t, c, z, y, x."""

ORDERS = ["zyx", "xyz", "yxz", "zyxc", "zcyx", "xyzc", "tzyxc", "tczyx"]


def stored(order: str) -> np.ndarray:
    """The image with its axes in an order; those not in it have the first index."""
    kept = IMAGE[tuple(slice(None) if axis in order else 0 for axis in "tczyx")]
    left = [axis for axis in "tczyx" if axis in order]
    return np.ascontiguousarray(np.transpose(kept, [left.index(axis) for axis in order]))


def axistags(path: Path, order: str) -> Path:
    with h5py.File(path / "a.h5", "w") as file:
        data = file.create_dataset("raw", data=stored(order))
        tags = [{"key": key, "typeFlags": 2, "resolution": 0, "description": ""} for key in order]
        data.attrs["axistags"] = json.dumps({"axes": tags})
    return path / "a.h5"


def labels(path: Path, order: str) -> Path:
    with h5py.File(path / "a.h5", "w") as file:
        data = file.create_dataset("raw", data=stored(order), chunks=True)
        for dimension, name in zip(data.dims, order, strict=True):
            dimension.label = name
    return path / "a.h5"


def labels_as_bytes(path: Path, order: str) -> Path:
    with h5py.File(path / "a.h5", "w") as file:
        data = file.create_dataset("raw", data=stored(order))
        data.attrs["DIMENSION_LABELS"] = np.array([name.encode() for name in order])
    return path / "a.h5"


def scales(path: Path, order: str) -> Path:
    """Dimension scales, as netCDF has them."""
    with h5py.File(path / "a.h5", "w") as file:
        data = file.create_dataset("raw", data=stored(order))
        for dimension, name in zip(data.dims, order, strict=True):
            file[name] = np.arange(SIZES[name])
            file[name].make_scale(name)
            dimension.attach_scale(file[name])
    return path / "a.h5"


def dimension_names(path: Path, order: str) -> Path:
    zarr.create_array(str(path / "a.zarr"), data=stored(order), dimension_names=tuple(order), overwrite=True)
    return path / "a.zarr"


def array_dimensions(path: Path, order: str) -> Path:
    array = zarr.create_array(str(path / "a.zarr"), data=stored(order), zarr_format=2, overwrite=True)
    array.attrs["_ARRAY_DIMENSIONS"] = list(order)
    return path / "a.zarr"


def ome_zarr(path: Path, order: str) -> Path:
    group = zarr.create_group(str(path / "a.zarr"), overwrite=True)
    group.create_array("0", data=stored(order), chunks=tuple(min(4, SIZES[axis]) for axis in order))
    kinds = {"c": "channel", "t": "time"}
    axes = [{"name": a, "type": kinds.get(a, "space"), **({"unit": "um"} if a in "zyx" else {})} for a in order]
    scale = [{"z": 5.0, "y": 0.7, "x": 0.65}.get(axis, 1.0) for axis in order]
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    return path / "a.zarr"


NAMED: dict[str, Callable[[Path, str], Path]] = {
    "axistags": axistags,
    "labels": labels,
    "labels as bytes": labels_as_bytes,
    "scales": scales,
    "dimension_names": dimension_names,
    "_ARRAY_DIMENSIONS": array_dimensions,
    "OME-Zarr": ome_zarr,
}


def bare(path: Path, order: str, kind: str) -> Path:
    if kind == "npy":
        np.save(path / "a.npy", stored(order))
    elif kind == "h5":
        with h5py.File(path / "a.h5", "w") as file:
            file["raw"] = stored(order)
    else:
        zarr.create_array(str(path / "a.zarr"), data=stored(order), overwrite=True)
    return path / f"a.{kind}"


def assert_is_the_image(source: Source, order: str) -> None:
    assert source.shape == SHAPE
    assert len(source.channels) == (2 if "c" in order else 1)
    part = Box((1, 2, 3), (4, 6, 8))
    for channel in range(len(source.channels)):
        np.testing.assert_array_equal(read(source, Box.of_shape(SHAPE), channel), IMAGE[0, channel])
        np.testing.assert_array_equal(read(source, part, channel, threads=2), IMAGE[0, channel][part.slices])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", NAMED)
def test_names_decide_what_an_axis_is(tmp_path: Path, kind: str, order: str) -> None:
    assert_is_the_image(open_source(NAMED[kind](tmp_path, order)), order)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_flag_says_what_an_axis_is_in_every_array(data: st.DataObject) -> None:
    more = data.draw(st.sampled_from(["", "c", "t", "tc"]))
    order = "".join(data.draw(st.permutations("zyx" + more)))
    kind = data.draw(st.sampled_from(["npy", "h5", "zarr"]))
    with tempfile.TemporaryDirectory() as folder:
        assert_is_the_image(open_source(bare(Path(folder), order, kind), order), order)


@pytest.mark.parametrize("order", ["zyx", "zyxc", "xyzc", "tczyx"])
def test_a_volume_in_place_is_read_in_its_order_and_keeps_its_voxel(tmp_path: Path, order: str) -> None:
    volume = in_place(ome_zarr(tmp_path, order), None, None)
    assert volume.space.spacing_um == (5.0, 0.7, 0.65)
    box = Box((1, 2, 3), (4, 6, 8))
    for channel in range(len(volume.channels)):
        np.testing.assert_array_equal(volume.read(box, 0, channel), IMAGE[0, channel][box.slices])


@pytest.mark.parametrize(
    "names",
    [("Z", "Y", "X"), ("depth", "height", "width"), ("slice", "row", "column"), ("planes", "rows", "cols")],
)
def test_names_may_be_words(names: tuple[str, ...]) -> None:
    assert understand_axes("a", SHAPE, names, "its names", None).letters == ("z", "y", "x")


@pytest.mark.parametrize("names", [None, (), ("", "", ""), ("dim_0", "dim_1", "dim_2"), ("phony_dim_0",) * 3])
def test_without_names_the_usual_order_holds(names: tuple[str, ...] | None) -> None:
    found = understand_axes("a", (5, 7, 9), names, "its names", None)
    assert found.letters == ("z", "y", "x")
    assert found.origin == "not named: the usual order"


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((11, 48, 64, 1), "--axes zyxc"),
        ((11, 48, 64, 2), "looks like channels"),
        ((11, 48, 64, 3), "--axes zyxc"),
        ((11, 48, 64, 4), "--axes czyx if the last axis is x all the same"),
        ((48, 64, 3), "the colours of one picture"),
        ((11, 48, 64, 5), "looks like channels"),
        ((11, 48, 64, 12), "11 channels of 48 slices"),
        ((60, 2, 48, 64), "60 channels of 2 slices. Give --axes zcyx"),
        ((1, 2, 11, 48, 64), "--axes tczyx"),
        ((48, 64), "expected z, y, x"),
    ],
)
@pytest.mark.parametrize("kind", ["npy", "h5", "zarr"])
def test_lengths_that_speak_against_the_usual_order_are_refused(
    tmp_path: Path, kind: str, shape: tuple[int, ...], said: str
) -> None:
    image = np.ones(shape, np.uint16)
    path = tmp_path / f"a.{kind}"
    if kind == "npy":
        np.save(path, image)
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file["raw"] = image
    else:
        zarr.create_array(str(path), data=image)
    if kind == "h5" and image.ndim == 2:
        said = "does not hold one image"
    with pytest.raises(InputError, match=said.replace("?", ".")):
        open_source(path)


@pytest.mark.parametrize("kind", ["npy", "h5", "zarr"])
def test_several_time_points_are_refused(tmp_path: Path, kind: str) -> None:
    path = bare(tmp_path, "zyx", kind)
    with pytest.raises(InputError, match=r"names 4 axes, but .* has 3"):
        open_source(path, "tzyx")
    with pytest.raises(InputError, match=r"without names|time points"):
        understand_axes("a", (2, 5, 7, 9), None, "", "tzyx")


@pytest.mark.parametrize("kind", ["axistags", "dimension_names", "OME-Zarr"])
def test_a_flag_that_contradicts_the_names_is_used_and_said(tmp_path: Path, kind: str) -> None:
    source = open_source(NAMED[kind](tmp_path, "zyx"), "xyz")
    assert source.shape == SHAPE[::-1]
    assert "--axes says xyz" in source.doubts[0]
    assert "says zyx" in source.doubts[0]


@pytest.mark.parametrize("flag", ["zy", "zyxx", "abc", "", "zyxq", "zzyx"])
def test_a_flag_that_is_no_order_is_refused(flag: str) -> None:
    with pytest.raises(InputError, match="is no order of axes"):
        understand_axes("a", SHAPE, None, "", flag)


@pytest.mark.parametrize("flag", ["ZYX", "z,y,x", "z y x"])
def test_a_flag_may_be_written_with_commas_and_capitals(flag: str) -> None:
    assert understand_axes("a", SHAPE, None, "", flag).letters == ("z", "y", "x")


@pytest.mark.parametrize("names", [("t", "y", "x"), ("z", "y", "q"), ("z", "z", "x"), ("z", "", "x")])
def test_names_that_are_not_understood_are_refused_with_the_way_out(names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="Say it with --axes"):
        understand_axes("a", SHAPE, names, "its names", None)


def test_the_identity_of_an_array_depends_on_what_its_axes_are(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((5, 5, 5), np.uint16))
    assert open_source(tmp_path / "a.npy").identity == open_source(tmp_path / "a.npy", "zyx").identity
    assert open_source(tmp_path / "a.npy").identity != open_source(tmp_path / "a.npy", "xyz").identity


def test_axistags_that_cannot_be_read_ask_for_the_flag(tmp_path: Path) -> None:
    path = axistags(tmp_path, "zyxc")
    with h5py.File(path, "a") as file:
        file["raw"].attrs["axistags"] = "{broken"
    with pytest.raises(InputError, match="say with --axes"):
        open_source(path)
    assert_is_the_image(open_source(path, "zyxc"), "zyxc")


def test_channels_that_share_a_chunk_are_found_in_their_file(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), data=stored("zyxc"), chunks=(5, 7, 9, 2), dimension_names=tuple("zyxc"))
    volume = in_place(tmp_path / "a.zarr", (5.0, 1.0, 1.0), None)
    assert all(volume.shard_file(0, Box.of_shape(SHAPE), channel).is_file() for channel in range(2))


def test_arrays_of_one_file_must_agree_on_their_axes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, order in (("green", "zyx"), ("red", "xyz")):
            file[name] = np.ones((5, 5, 5), np.uint16)
            tags = [{"key": key, "typeFlags": 2, "resolution": 0, "description": ""} for key in order]
            file[name].attrs["axistags"] = json.dumps({"axes": tags})
    with pytest.raises(InputError, match="axes differ: green has z, y, x, red has x, y, z"):
        open_source(tmp_path / "a.h5")
