"""What a user gives becomes a source: by its content, not its name, and with the channels asked for."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from tests.image_formats import FORMATS, NAMES, SHAPE, image
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.storage.sources import Source, open_source, read, select_channels

WHOLE = Box.of_shape(SHAPE)


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("stack", "h5"),
        ("stack", "npy"),
        ("stack big-endian bigtiff", "ims"),
        ("ome zyx", "dat"),
        ("hdf5 gzip", "tif"),
        ("imaris", "h5"),
        ("imaris", "tif"),
        ("npy", "tif"),
        ("npy", "h5"),
    ],
)
def test_the_content_decides_where_the_name_is_wrong(tmp_path: Path, name: str, ending: str) -> None:
    written = FORMATS[name](tmp_path)
    source = open_source(written.path.rename(tmp_path / f"renamed.{ending}"))
    for channel, expected in enumerate(written.image):
        np.testing.assert_array_equal(read(source, WHOLE, channel), expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"this is a letter", "is of no known kind"),
        (b"PK\x03\x04....", "is a ZIP archive, which is not read: unpack"),
    ],
)
def test_a_file_of_no_known_kind_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "brain.dat").write_bytes(content)
    with pytest.raises(InputError, match=rf"brain\.dat {message}"):
        open_source(tmp_path / "brain.dat")


def test_a_path_to_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is nothing at"):
        open_source(tmp_path / "nowhere")


def two_datasets(folder: Path) -> Path:
    with h5py.File(folder / "brain.h5", "w") as file:
        file["images/raw"] = image()[0]
        file["images/small"] = image()[0, :2]
        file["time"] = np.arange(9)
    return folder / "brain.h5"


def test_a_dataset_is_chosen_by_name(tmp_path: Path) -> None:
    path = two_datasets(tmp_path)
    for name in ("images/raw", "/images/raw"):
        source = open_source(Path(f"{path}:/{name}"))
        np.testing.assert_array_equal(read(source, WHOLE), image()[0])


@pytest.mark.parametrize(("given", "said"), [("", "one image: it has"), (":/images", "one image 'images': it has")])
def test_the_datasets_are_listed_where_a_choice_is_needed(tmp_path: Path, given: str, said: str) -> None:
    path = two_datasets(tmp_path)
    with pytest.raises(InputError) as refused:
        open_source(Path(f"{path}{given}"))
    assert str(refused.value) == (
        f"{path} does not hold {said} images/raw (5 x 22 x 34 uint16); images/small (2 x 22 x 34 uint16). "
        f"Give one as {path}:/NAME"
    )


@pytest.fixture
def brain(tmp_path: Path) -> Source:
    return open_source(FORMATS["channel folders"](tmp_path).path)


def test_channels_are_chosen_by_name_and_by_path(brain: Source, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    other = FORMATS["slices zlib one strip"](tmp_path / "elsewhere")
    assert set(brain.channels) == set(NAMES)
    chosen = select_channels(brain, ("signal", str(other.path)))
    assert chosen.channels == ("signal", "brain")
    np.testing.assert_array_equal(read(chosen, WHOLE, 0), read(brain, WHOLE, brain.channels.index("signal")))
    np.testing.assert_array_equal(read(chosen, WHOLE, 1), other.image[0])


def test_the_identity_depends_on_the_channels_chosen(brain: Source) -> None:
    assert select_channels(brain, ("signal",)).identity != select_channels(brain, ("background",)).identity


def test_an_unknown_channel_is_refused(brain: Source) -> None:
    with pytest.raises(InputError, match="no channel 'signa'"):
        select_channels(brain, ("signa",))


def test_channels_on_different_grids_are_refused(brain: Source, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "small.tif", image()[0, :3], photometric="minisblack")
    with pytest.raises(InputError, match="must share one shape"):
        select_channels(brain, ("signal", str(tmp_path / "small.tif")))


def test_a_path_of_several_channels_is_no_channel(brain: Source, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds the channels background, signal"):
        select_channels(brain, ("signal", str(tmp_path / "brain")))
