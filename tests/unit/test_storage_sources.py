"""Everything that is wrong with a user's files is said by name, before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.storage.sources import open_source, read, select_channels

SHAPE = (6, 20, 30)


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4000, SHAPE).astype(np.uint16)


def write_slices(folder: Path, stack: np.ndarray, **options: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, page in enumerate(stack):
        tifffile.imwrite(folder / f"brain_{number}.tif", page, **options)
    return folder


@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib"}, {"compression": "lzw", "rowsperstrip": 4}, {"tile": (16, 16)}]
)
def test_slices_of_every_layout_are_read_whole_and_in_part(tmp_path: Path, options: dict) -> None:
    stack = image()
    source = open_source(write_slices(tmp_path / "slices", stack, **options))
    assert source.shape == SHAPE
    assert (read(source, Box.of_shape(SHAPE)) == stack).all()
    box = Box((1, 3, 5), (4, 17, 29))
    assert (read(source, box) == stack[box.slices]).all()


def test_files_are_taken_in_natural_order(tmp_path: Path) -> None:
    stack = np.arange(12, dtype=np.uint16)[:, None, None] * np.ones((1, 4, 4), np.uint16)
    source = open_source(write_slices(tmp_path / "slices", stack))
    assert read(source, Box.of_shape(source.shape))[:, 0, 0].tolist() == list(range(12))


def test_a_stack_is_read(tmp_path: Path) -> None:
    stack = image()
    tifffile.imwrite(tmp_path / "stack.tif", stack, compression="zlib")
    source = open_source(tmp_path / "stack.tif")
    box = Box((2, 0, 3), (5, 9, 30))
    assert (read(source, box) == stack[box.slices]).all()


def test_folders_in_a_folder_are_channels_and_can_be_chosen(tmp_path: Path) -> None:
    write_slices(tmp_path / "brain" / "signal", image(1))
    write_slices(tmp_path / "brain" / "background", image(2))
    write_slices(tmp_path / "elsewhere", image(3))
    source = open_source(tmp_path / "brain")
    assert set(source.channels) == {"signal", "background"}
    chosen = select_channels(source, ("signal", str(tmp_path / "elsewhere")))
    assert chosen.channels == ("signal", "elsewhere")
    assert (read(chosen, Box.of_shape(SHAPE), 0) == image(1)).all()
    assert (read(chosen, Box.of_shape(SHAPE), 1) == image(3)).all()
    with pytest.raises(InputError, match="no channel 'signa'"):
        select_channels(source, ("signa",))


def test_the_identity_changes_with_a_file(tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "slices", image())
    before = open_source(folder).identity
    tifffile.imwrite(folder / "brain_3.tif", image(5)[0], compression="zlib")
    assert open_source(folder).identity != before


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is nothing at"):
        open_source(tmp_path / "nowhere")


def test_no_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="no images found"):
        open_source(tmp_path)


def test_mixed_shapes(tmp_path: Path) -> None:
    folder = write_slices(tmp_path, image())
    tifffile.imwrite(folder / "brain_2.tif", np.zeros((20, 31), np.uint16))
    with pytest.raises(InputError, match=r"brain_2\.tif is 20 x 31 uint16"):
        open_source(folder)


def test_mixed_dtypes(tmp_path: Path) -> None:
    folder = write_slices(tmp_path, image())
    tifffile.imwrite(folder / "brain_4.tif", np.zeros((20, 30), np.uint8))
    with pytest.raises(InputError, match=r"brain_4\.tif is 20 x 30 uint8"):
        open_source(folder)


def test_a_gap_in_the_numbers(tmp_path: Path) -> None:
    folder = write_slices(tmp_path, image())
    (folder / "brain_3.tif").unlink()
    with pytest.raises(InputError, match=r"missing between brain_2\.tif and brain_4\.tif"):
        open_source(folder)


@pytest.mark.parametrize("keep", [0, 5, 200, 0.5, 0.99])
def test_a_truncated_file(tmp_path: Path, keep: float) -> None:
    folder = write_slices(tmp_path, image())
    path = folder / "brain_1.tif"
    content = path.read_bytes()
    path.write_bytes(content[: int(keep if keep > 1 or keep == 0 else keep * len(content))])
    with pytest.raises(InputError, match=r"brain_1\.tif"):
        open_source(folder)


def test_a_file_that_is_no_image(tmp_path: Path) -> None:
    folder = write_slices(tmp_path, image())
    (folder / "brain_5.tif").write_text("this is not a picture")
    with pytest.raises(InputError, match=r"brain_5\.tif cannot be read as a TIFF"):
        open_source(folder)


def test_colour_slices_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a_0.tif", np.zeros((8, 9, 3), np.uint8), photometric="rgb")
    with pytest.raises(InputError, match="must be grey"):
        open_source(tmp_path)
