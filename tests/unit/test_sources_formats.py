"""Every format is read as it was written: whole, in part, and with what it says of itself."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest

from tests.image_formats import FORMATS, SHAPE, Written
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.storage.sources import open_source, read


@pytest.fixture(params=FORMATS, ids=lambda name: name.replace(" ", "-"))
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Written:
    return FORMATS[request.param](tmp_path)


def test_a_format_is_read_whole(written: Written) -> None:
    source = open_source(written.path)
    for channel, expected in enumerate(written.image):
        voxels = read(source, Box.of_shape(source.shape), channel)
        np.testing.assert_array_equal(voxels, expected, strict=True)


def test_a_format_is_read_in_random_boxes(written: Written) -> None:
    source = open_source(written.path)
    rng = np.random.default_rng(0)
    for _ in range(8):
        corners = np.sort([rng.choice(n + 1, 2, replace=False) for n in SHAPE])
        box = Box(*corners.T)
        channel = int(rng.integers(len(written.image)))
        voxels = read(source, box, channel, threads=2)
        np.testing.assert_array_equal(voxels, written.image[channel][box.slices], strict=True)


def test_a_format_says_what_it_holds(written: Written) -> None:
    source = open_source(written.path)
    assert source.shape == SHAPE
    assert source.dtype == str(written.image.dtype)
    assert source.channels == written.channels
    assert source.spacing_um == (None if written.spacing_um is None else pytest.approx(written.spacing_um, rel=1e-4))
    assert source.grain == written.grain


def test_the_identity_is_of_what_the_files_hold(written: Written) -> None:
    before = open_source(written.path).identity
    files = sorted(path for path in written.path.parent.rglob("*") if path.is_file())
    for path in files:
        os.utime(path, ns=(1, 1))
    assert open_source(written.path).identity == before
    largest = max(files, key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    with contextlib.suppress(InputError):  # where that byte was metadata, the file is damaged
        assert open_source(written.path).identity != before
