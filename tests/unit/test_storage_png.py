"""PNG: what is written comes back, and what is no grey image is refused by name."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.storage.png import read_png, write_png
from volumetric.storage.sources import open_source, read


def test_a_grey_image_comes_back_and_is_a_source_of_one_slice(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 50)).astype(np.uint8)
    write_png(tmp_path / "a.png", image)
    assert np.array_equal(read_png(tmp_path / "a.png"), image)
    source = open_source(tmp_path / "a.png")
    assert (source.shape, source.dtype, source.channels) == ((1, 30, 50), "uint8", ("a",))
    assert np.array_equal(read(source, Box((0, 5, 7), (1, 20, 50))), image[None, 5:20, 7:])
    write_png(tmp_path / "a.png", image[:10])
    with pytest.raises(InputError, match=r"a\.png was replaced"):
        read(source, Box.of_shape(source.shape))


def test_16_bits_are_read(tmp_path: Path) -> None:
    image = np.arange(600, dtype=np.uint16).reshape(20, 30) * 100
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(image))
    assert np.array_equal(read_png(tmp_path / "a.png"), image)


def test_grey_stored_as_colours_is_grey(tmp_path: Path) -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.dstack([image, image, image, np.full_like(image, 255)])))
    assert np.array_equal(read_png(tmp_path / "a.png"), image)


def test_colours_and_damaged_files_are_refused(tmp_path: Path) -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[1, 2, 0] = 9
    (tmp_path / "rgb.png").write_bytes(imagecodecs.png_encode(red))
    with pytest.raises(InputError, match=r"rgb\.png is in colour"):
        open_source(tmp_path / "rgb.png")
    write_png(tmp_path / "a.png", np.zeros((40, 40), np.uint8))
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    with pytest.raises(InputError, match=r"a\.png is truncated"):
        open_source(tmp_path / "a.png")
