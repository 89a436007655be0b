"""Damage that a library reads on from, with zeros, with less or with other numbers, is refused with its place."""

from __future__ import annotations

import logging
import re
import struct
from pathlib import Path

import h5py
import numcodecs
import numpy as np
import pytest
import tifffile
import zarr

from tests.image_formats import FORMATS, SHAPE, characters, image
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.geometry.space import VoxelSpace
from volumetric.storage.levels import plan_levels
from volumetric.storage.omezarr import create_volume, describe_volume
from volumetric.storage.sources import open_source, read

WHOLE = Box.of_shape(SHAPE)


def refusal(path: Path) -> str:
    """What is said when the source is opened or read."""
    with pytest.raises(InputError) as refused:
        read(open_source(path), WHOLE)
    return str(refused.value)


def patch(path: Path, where: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(where)
        file.write(content)


def tag_of(path: Path, code: int, page: int = 0) -> tifffile.TiffTag:
    with tifffile.TiffFile(path) as tif:
        return tif.pages[page].aspage().tags[code]


@pytest.mark.parametrize(("code", "name"), [(317, "slices lzw predictor"), (259, "slices"), (277, "slices tiled")])
def test_a_slice_with_an_unreadable_tag_is_named(tmp_path: Path, code: int, name: str) -> None:
    path = FORMATS[name](tmp_path).path / "s002.tif"
    patch(path, tag_of(path, code).offset + 2, struct.pack("<H", 99))  # a data type that TIFF does not know
    assert "s002.tif is damaged" in refusal(path.parent)


def test_a_slice_with_an_unreadable_private_tag_is_read(tmp_path: Path) -> None:
    page = image()[0, 0]
    for number in range(2):
        tifffile.imwrite(tmp_path / f"s{number}.tif", page, extratags=[(65000, 3, 1, 7, True)])
    patch(tmp_path / "s0.tif", tag_of(tmp_path / "s0.tif", 65000).offset + 2, struct.pack("<H", 99))
    np.testing.assert_array_equal(read(open_source(tmp_path), Box((0, 0, 0), (1, 22, 34)))[0], page)


def test_pixels_kept_as_differences_are_added_up_though_uncompressed(tmp_path: Path) -> None:
    stack = image()[0]
    for number, page in enumerate(stack):
        path = tmp_path / f"s{number}.tif"
        tifffile.imwrite(path, np.diff(page, axis=1, prepend=np.uint16(0)), extratags=[(65000, 3, 1, 2, True)])
        patch(path, tag_of(path, 65000).offset, struct.pack("<H", 317))
    np.testing.assert_array_equal(read(open_source(tmp_path), WHOLE), stack)


@pytest.mark.parametrize("target", [0, 2**31])
def test_a_stack_without_place_of_its_pixels_is_refused(tmp_path: Path, target: int) -> None:
    path = FORMATS["stack"](tmp_path).path
    patch(path, tag_of(path, 273).valueoffset, struct.pack("<I", target))
    assert re.search(r"brain\.tif is (damaged|truncated)", refusal(path))


def test_a_stack_whose_later_directories_are_lost_is_refused(tmp_path: Path) -> None:
    path = FORMATS["stack of single pages"](tmp_path).path
    with tifffile.TiffFile(path) as tif:
        last = tif.pages[4].offset
    path.write_bytes(path.read_bytes()[:last])
    assert "brain.tif is damaged or incomplete: invalid page offset" in refusal(path)


def test_a_stack_with_a_lost_strip_is_refused(tmp_path: Path) -> None:
    path = FORMATS["stack zlib"](tmp_path).path
    tag = tag_of(path, 279, page=3)
    patch(path, tag.valueoffset, bytes(2))
    assert "2 of 3 strips or tiles are there" in refusal(path)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("imagej", b"slices=5", b"slices=9"),
        ("imagej zlib", b"images=10\nchannels=2", b"images=10\nchannels=\x81"),
        ("ome czyx zlib", b'SizeZ="5"', b'SizeZ="6"'),
        ("ome czyx zlib", b'SizeZ="5"', b'SizeZ="4"'),
        ("ome czyx zlib", b"</Pixels>", b"</Pixelz>"),
        ("stack zlib", b"[5, 22, 34]", b"[5, 22, 35]"),
    ],
)
def test_a_stack_that_contradicts_its_description_is_refused(tmp_path: Path, name: str, old: bytes, new: bytes) -> None:
    path = FORMATS[name](tmp_path).path
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    assert refusal(path).startswith(f"{path} ")


def test_a_missing_file_of_a_stack_of_files_is_named(tmp_path: Path) -> None:
    path = FORMATS["ome files by one"](tmp_path).path
    (path.parent / "s003.ome.tif").unlink()
    assert "s003.ome.tif" in refusal(path)


def test_a_file_of_another_shape_in_a_stack_of_files_is_named_before_any_work(tmp_path: Path) -> None:
    path = FORMATS["ome files by one"](tmp_path).path
    tifffile.imwrite(path.parent / "s003.ome.tif", np.ones((9, 9), np.uint16), metadata=None)
    with pytest.raises(InputError, match=r"s003\.ome\.tif holds an image of 9 x 9 uint16"):
        open_source(path)


def test_a_damaged_file_of_a_stack_of_files_is_named(tmp_path: Path) -> None:
    path = FORMATS["ome files by one"](tmp_path).path
    damaged = path.parent / "s003.ome.tif"
    patch(damaged, tag_of(damaged, 259).offset + 2, struct.pack("<H", 99))
    assert refusal(path).startswith(f"{damaged} is damaged")


def test_what_tifffile_says_of_other_files_is_still_heard(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = FORMATS["ome files by one"](tmp_path).path
    (path.parent / "s003.ome.tif").unlink()
    refusal(path)
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        tifffile.imread(path)
    assert "zeroed" in caplog.text


def test_an_hdf5_dataset_never_written_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "brain.h5", "w") as file:
        file.create_dataset("raw", SHAPE, "uint16")
    assert "brain.h5 is damaged or unfinished: nothing was written to /raw" in refusal(tmp_path / "brain.h5")


def test_an_hdf5_dataset_made_of_other_files_needs_them_all(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout(SHAPE, "uint16")
    for z in range(SHAPE[0]):
        with h5py.File(tmp_path / f"part{z}.h5", "w") as file:
            file["data"] = image()[0, z]
        layout[z] = h5py.VirtualSource(f"part{z}.h5", "data", SHAPE[1:])
    with h5py.File(tmp_path / "brain.h5", "w") as file:
        file.create_virtual_dataset("raw", layout)
    np.testing.assert_array_equal(read(open_source(tmp_path / "brain.h5"), WHOLE), image()[0])
    (tmp_path / "part3.h5").unlink()
    assert "brain.h5 is incomplete: part3.h5" in refusal(tmp_path / "brain.h5")


def test_damaged_hdf5_is_not_taken_for_a_missing_plugin(tmp_path: Path) -> None:
    path = FORMATS["hdf5 gzip"](tmp_path).path
    with h5py.File(path) as file:
        where = file["images/raw"].id.get_chunk_info(3).byte_offset
    patch(path, where + 20, b"\xff\xff\xff\xff")
    assert refusal(path).endswith("Replace the file")


@pytest.mark.parametrize(
    ("group", "size", "message"),
    [
        ("Channel 1", "4", "its channels are not alike"),
        ("Channel 0", "9", "should hold 9 x 22 x 34 voxels but holds 8"),
    ],
)
def test_imaris_channels_must_hold_what_they_say(tmp_path: Path, group: str, size: str, message: str) -> None:
    path = FORMATS["imaris"](tmp_path).path
    with h5py.File(path, "a") as file:
        file[f"DataSet/ResolutionLevel 0/TimePoint 0/{group}"].attrs["ImageSizeZ"] = characters(size)
    assert message in refusal(path)


@pytest.mark.parametrize("extra", [b"zz", b""], ids=["longer", "shorter"])
def test_a_numpy_file_must_be_as_long_as_its_header_says(tmp_path: Path, extra: bytes) -> None:
    path = FORMATS["npy"](tmp_path).path
    path.write_bytes(path.read_bytes() + extra if extra else path.read_bytes()[:-2])
    assert "brain.npy" in refusal(path)


@pytest.mark.parametrize("codec", [numcodecs.GZip(), numcodecs.Zlib(), numcodecs.LZMA()], ids=lambda c: c.codec_id)
@pytest.mark.parametrize("cut", [False, True], ids=["flipped", "truncated"])
def test_a_damaged_zarr_chunk_is_refused_with_its_place(tmp_path: Path, codec: numcodecs.abc.Codec, cut: bool) -> None:
    path = tmp_path / "brain.zarr"
    zarr.create_array(str(path), data=image()[0], chunks=(4, 22, 34), zarr_format=2, compressors=codec)
    content = bytearray((path / "1.0.0").read_bytes())
    content[30] ^= 255
    (path / "1.0.0").write_bytes(content[:30] if cut else content)
    assert f"{path} is damaged within z, y, x (4, 0, 0)" in refusal(path)


def test_a_zarr_of_the_other_byte_order_is_read_right(tmp_path: Path) -> None:
    path = tmp_path / "brain.zarr"
    zarr.create_array(str(path), data=image()[0].astype(">u2"), zarr_format=2)
    source = open_source(path)
    assert source.dtype == "uint16"
    np.testing.assert_array_equal(read(source, WHOLE), image()[0], strict=True)


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [(SHAPE, "uint16", "none of its files"), ((0, 4, 4), "uint16", "lengths"), (SHAPE, "complex64", "holds complex64")],
)
def test_a_zarr_without_usable_voxels_is_refused(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, message: str
) -> None:
    zarr.create_array(str(tmp_path / "brain.zarr"), shape=shape, dtype=dtype, chunks=(4, 4, 4))
    assert message in refusal(tmp_path / "brain.zarr")


def test_a_volume_of_our_own_must_be_complete(tmp_path: Path) -> None:
    levels = plan_levels(SHAPE, VoxelSpace((5.0, 2.0, 2.0)))
    path = tmp_path / "brain.ome.zarr"
    volume = describe_volume(path, levels, ("signal",), "uint16", orientation=None, identity="made of this")
    create_volume(volume, levels)
    volume.write(WHOLE, image()[0])
    assert open_source(path).shape == SHAPE
    volume.shard_file(0, WHOLE).unlink()
    assert "brain.ome.zarr is incomplete" in refusal(path)
