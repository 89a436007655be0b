"""Folders of slices: the order of the files, and everything wrong with them said by name before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.storage.sources import open_source, read

SHAPE = (6, 20, 30)


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4000, SHAPE).astype(np.uint16)


def write_slices(folder: Path, stack: np.ndarray, **options: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, page in enumerate(stack):
        tifffile.imwrite(folder / f"brain_{number}.tif", page, **options)
    return folder


def test_files_are_taken_in_natural_order(tmp_path: Path) -> None:
    stack = np.arange(12, dtype=np.uint16)[:, None, None] * np.ones((1, 4, 4), np.uint16)
    source = open_source(write_slices(tmp_path / "slices", stack))
    assert read(source, Box.of_shape(source.shape))[:, 0, 0].tolist() == list(range(12))


def test_hidden_and_other_files_are_left_out(tmp_path: Path) -> None:
    folder = write_slices(tmp_path, image())
    (folder / "._brain_0.tif").write_bytes(b"what a Mac leaves behind")
    (folder / "notes.txt").write_text("hello")
    assert open_source(folder).shape == SHAPE


def test_numbers_may_rise_by_more_than_one(tmp_path: Path) -> None:
    for number, page in enumerate(image()):
        tifffile.imwrite(tmp_path / f"z{number * 50:05}.tif", page)
    assert open_source(tmp_path).shape == SHAPE


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="no images found"):
        open_source(tmp_path)


def test_a_slice_of_another_shape_is_named(tmp_path: Path) -> None:
    folder = write_slices(tmp_path, image())
    tifffile.imwrite(folder / "brain_2.tif", np.zeros((20, 31), np.uint16))
    with pytest.raises(InputError, match=r"brain_2\.tif is 20 x 31 uint16"):
        open_source(folder)


def test_a_slice_of_another_data_type_is_named(tmp_path: Path) -> None:
    folder = write_slices(tmp_path, image())
    tifffile.imwrite(folder / "brain_4.tif", np.zeros((20, 30), np.uint8))
    with pytest.raises(InputError, match=r"brain_4\.tif is 20 x 30 uint8"):
        open_source(folder)


def test_a_gap_in_the_numbers_is_named(tmp_path: Path) -> None:
    folder = write_slices(tmp_path, image())
    (folder / "brain_3.tif").unlink()
    with pytest.raises(InputError, match=r"missing between brain_2\.tif and brain_4\.tif"):
        open_source(folder)


def test_channels_of_unequal_length_are_refused(tmp_path: Path) -> None:
    write_slices(tmp_path / "green", image())
    write_slices(tmp_path / "red", image()[:-1])
    with pytest.raises(InputError, match="green has 6, red has 5"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (0, "cannot be read as a TIFF"),
        (5, "cannot be read as a TIFF"),
        (100, "cannot be read as a TIFF"),
        (700, "is truncated: .* ends at byte 700"),
        (-1, "is truncated"),
    ],
)
def test_a_truncated_slice_is_named_before_any_work(tmp_path: Path, keep: int, message: str) -> None:
    folder = write_slices(tmp_path, image())
    path = folder / "brain_1.tif"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=rf"brain_1\.tif {message}"):
        open_source(folder)


def test_a_slice_that_is_no_image_is_named(tmp_path: Path) -> None:
    folder = write_slices(tmp_path, image())
    (folder / "brain_5.tif").write_text("this is not a picture")
    with pytest.raises(InputError, match=r"brain_5\.tif cannot be read as a TIFF"):
        open_source(folder)


def test_a_slice_of_several_images_is_named(tmp_path: Path) -> None:
    folder = write_slices(tmp_path, image())
    tifffile.imwrite(folder / "brain_5.tif", image()[:2])
    with pytest.raises(InputError, match=r"brain_5\.tif holds 2 images"):
        open_source(folder)


def test_a_folder_named_as_a_slice_is_named(tmp_path: Path) -> None:
    folder = write_slices(tmp_path, image())
    (folder / "brain_6.tif").mkdir()
    with pytest.raises(InputError, match=r"brain_6\.tif cannot be read: Is a directory"):
        open_source(folder)


def test_colour_slices_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a_0.tif", np.zeros((8, 9, 3), np.uint8), photometric="rgb")
    with pytest.raises(InputError, match="must be grey"):
        open_source(tmp_path)


def test_a_slice_replaced_while_it_is_read_is_named(tmp_path: Path) -> None:
    source = open_source(write_slices(tmp_path, image()))
    tifffile.imwrite(tmp_path / "brain_3.tif", np.zeros((9, 9), np.uint16))
    with pytest.raises(InputError, match=r"brain_3\.tif was replaced: it was 20 x 30 uint16 .* 9 x 9 uint16 now"):
        read(source, Box.of_shape(SHAPE))
