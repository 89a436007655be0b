"""BigDataViewer's HDF5 is read as what it is: unsigned, with its setups, time points and voxel size."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.storage.sources import open_source, read

SHAPE = (5, 22, 34)
SPACING = (5.0, 0.7, 0.65)
IMAGE = np.random.default_rng(0).integers(20000, 65536, (2, *SHAPE)).astype(np.uint16)
"""Half of it beyond what 16 bits with a sign can hold."""


def write(path: Path, *, setups: int = 1, times: int = 1, dtype: str = "int16") -> Path:
    with h5py.File(path, "w") as file:
        for setup in range(setups):
            file[f"s{setup:02}/resolutions"] = np.ones((2, 3))
            file[f"s{setup:02}/subdivisions"] = np.ones((2, 3))
            for time in range(times):
                group = file.create_group(f"t{time:05}/s{setup:02}")
                group.create_dataset("0/cells", data=IMAGE[setup].view(dtype), chunks=(4, 16, 16))
                group["1/cells"] = IMAGE[setup, :, ::2, ::2].view(dtype)
    return path


def describe(path: Path, *, setups: int = 1, differ: str = "channel", unit: str = "µm", factor: float = 1) -> Path:
    """The XML beside it; the size of a voxel is given as x, y, z."""
    voxel = " ".join(f"{size * factor:.9g}" for size in SPACING[::-1])
    views = "".join(
        f"<ViewSetup><id>{n}</id><name>view {n}</name><size>34 22 5</size><voxelSize><unit>{unit}</unit>"
        f"<size>{voxel}</size></voxelSize><attributes><illumination>0</illumination><{differ}>{n}</{differ}></attributes>"
        "</ViewSetup>"
        for n in range(setups)
    )
    channels = "".join(f"<Channel><id>{n}</id><name>{name}</name></Channel>" for n, name in enumerate(("GFP", "RFP")))
    (path.with_suffix(".xml")).write_text(
        '<?xml version="1.0" encoding="UTF-8"?><SpimData version="0.2"><SequenceDescription>'
        f'<ImageLoader format="bdv.hdf5"><hdf5 type="relative">{path.name}</hdf5></ImageLoader><ViewSetups>{views}'
        f'<Attributes name="channel">{channels}</Attributes></ViewSetups></SequenceDescription></SpimData>',
        encoding="utf-8",
    )
    return path.with_suffix(".xml")


@pytest.mark.parametrize("dtype", ["int16", "uint16"])
def test_its_values_have_no_sign(tmp_path: Path, dtype: str) -> None:
    source = open_source(write(tmp_path / "a.h5", dtype=dtype))
    assert source.dtype == "uint16"
    np.testing.assert_array_equal(read(source, Box.of_shape(SHAPE)), IMAGE[0], strict=True)


def test_a_signed_image_that_is_not_of_bigdataviewer_keeps_its_sign(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = IMAGE[0].view("int16")
    assert open_source(tmp_path / "a.h5").dtype == "int16"


@pytest.mark.parametrize("give", ["h5", "xml"])
def test_setups_are_channels_and_the_voxel_size_is_the_xmls(tmp_path: Path, give: str) -> None:
    path = write(tmp_path / "a.h5", setups=2)
    xml = describe(path, setups=2)
    source = open_source(path if give == "h5" else xml)
    assert source.channels == ("GFP", "RFP")
    assert source.shape == SHAPE
    assert source.spacing_um == pytest.approx(SPACING)
    assert source.doubts == ()
    for channel in range(2):
        np.testing.assert_array_equal(read(source, Box.of_shape(SHAPE), channel), IMAGE[channel])


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1e-3), ("nm", 1e3), ("micrometer", 1), ("inch", 1 / 25400)])
def test_the_xmls_voxel_size_is_taken_in_its_unit(tmp_path: Path, unit: str, factor: float) -> None:
    path = write(tmp_path / "a.h5")
    describe(path, unit=unit, factor=factor)
    assert open_source(path).spacing_um == pytest.approx(SPACING)


def test_pixels_are_no_length_there_either(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5")
    describe(path, unit="pixel")
    assert open_source(path).spacing_um is None


def test_setups_without_an_xml_are_channels_and_that_is_said(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "a.h5", setups=2))
    assert source.channels == ("setup00", "setup01")
    assert "no XML beside it says whether they are tiles or angles" in source.doubts[0]


@pytest.mark.parametrize("part", ["tile", "angle"])
def test_setups_that_are_other_places_are_refused(tmp_path: Path, part: str) -> None:
    path = write(tmp_path / "a.h5", setups=2)
    describe(path, setups=2, differ=part)
    with pytest.raises(InputError, match=f"2 {part}s of the brain, not its channels.* Fuse them in BigStitcher"):
        open_source(path)
    one = open_source(Path(f"{path}:/t00000/s01/0/cells"))
    np.testing.assert_array_equal(read(one, Box.of_shape(SHAPE)), IMAGE[1])


def test_one_time_point_is_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", setups=2, times=2)
    with pytest.raises(InputError, match=r"holds 2 time points \(t00000, t00001\); expected one"):
        open_source(path)
    assert len(open_source(Path(f"{path}:/t00001")).channels) == 2
    assert open_source(Path(f"{path}:/t00001/s01")).channels == ("a",)


def test_setups_of_several_sizes_are_listed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", setups=2)
    with h5py.File(path, "a") as file:
        del file["t00000/s01/0/cells"]
        file["t00000/s01/0/cells"] = IMAGE[1, :3].view("int16")
    with pytest.raises(InputError, match=r"setups of several sizes.*3 x 22 x 34"):
        open_source(path)


def test_a_part_in_another_file_must_be_there(tmp_path: Path) -> None:
    part = write(tmp_path / "part.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["s00/resolutions"] = np.ones((1, 3))
        file["t00000"] = h5py.ExternalLink("part.h5", "t00000")
    np.testing.assert_array_equal(read(open_source(tmp_path / "a.h5"), Box.of_shape(SHAPE)), IMAGE[0])
    part.unlink()
    with pytest.raises(InputError, match="is incomplete: the file that holds t00000 is missing"):
        open_source(tmp_path / "a.h5")


def test_an_xml_of_images_that_are_not_read_says_so(tmp_path: Path) -> None:
    xml = describe(write(tmp_path / "a.h5"))
    xml.write_text(xml.read_text().replace("bdv.hdf5", "bdv.n5"))
    with pytest.raises(InputError, match=r"of the kind bdv.n5, which are not read: save them as HDF5 or OME-Zarr"):
        open_source(xml)
    xml.write_text("<?xml version='1.0'?><other/>")
    with pytest.raises(InputError, match="is XML but not of BigDataViewer"):
        open_source(xml)
