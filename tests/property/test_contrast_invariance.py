"""Contrast does not depend on offset, gain, data type, empty surroundings or bright objects elsewhere."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from volumetric.detection.cells import contrast_of
from volumetric.geometry.box import Box
from volumetric.imaging.intensity import ContrastField
from volumetric.phantom.crops import full_scale_crop

SHAPE = (16, 160, 176)


@lru_cache(maxsize=1)
def crop() -> np.ndarray:
    """Tissue with cells that fills the image, grey values of 100 to 3,000."""
    return full_scale_crop(3, SHAPE)[0].astype(np.int64)


@lru_cache(maxsize=1)
def framed() -> np.ndarray:
    """The same in the shape of a brain, in a frame without light."""
    z, y, x = np.ogrid[-1:1:16j, -1:1:160j, -1:1:176j]
    inside = ndimage.gaussian_filter((0.3 * z**2 + y**2 + x**2 < 0.6).astype(float), 1)
    noise = np.random.default_rng(0).normal(100, 6, SHAPE)
    return np.rint(inside * crop() + (1 - inside) * noise).astype(np.int64)


def contrast(image: np.ndarray) -> tuple[ContrastField, np.ndarray]:
    field = contrast_of(image)
    return field, field.normalise(image, Box.of_shape(image.shape))


@lru_cache(maxsize=2)
def usual(is_framed: bool) -> tuple[ContrastField, np.ndarray]:
    return contrast(framed() if is_framed else crop())


RANGES = {
    "int16": (3, -32_768, 20_000),
    "uint16": (15, 0, 20_000),
    "int32": (100_000, -2_000_000_000, 1_500_000_000),
    "uint32": (100_000, 0, 3_000_000_000),
}
"""Largest gain, and least and largest offset, for which the images fit the type."""


@given(st.sampled_from(sorted(RANGES)), st.booleans(), st.data())
@settings(max_examples=25)
def test_integers_of_another_gain_and_offset_have_the_same_contrast(
    dtype: str, is_framed: bool, data: st.DataObject
) -> None:
    most, low, high = RANGES[dtype]
    gain, offset = data.draw(st.integers(1, most)), data.draw(st.integers(low, high))
    image = gain * (framed() if is_framed else crop()) + offset
    limits = np.iinfo(dtype)
    if image.min() < limits.min or image.max() > limits.max:
        image = (framed() if is_framed else crop()) + min(offset, limits.max - int(crop().max()))
    field, shown = contrast(image.astype(dtype))
    before, expected = usual(is_framed)
    # Of 32 bits a large offset costs the last digit.
    np.testing.assert_allclose(shown, expected, rtol=0, atol=0 if dtype.endswith("16") else 1e-6)
    np.testing.assert_array_equal(field.tissue, before.tissue)


@given(st.floats(1e-4, 1e4), st.floats(-100, 100), st.sampled_from(["float32", "float64"]), st.booleans())
@example(1.0, 0.0, "float32", True)
@settings(max_examples=15)
def test_real_numbers_of_another_gain_and_offset_have_the_same_contrast(
    gain: float, offset: float, dtype: str, is_framed: bool
) -> None:
    image = (gain * ((framed() if is_framed else crop()) + 30 * offset)).astype(dtype)
    np.testing.assert_allclose(contrast(image)[1], usual(is_framed)[1], atol=1e-3)


def test_8_bits_have_the_contrast_of_16() -> None:
    image = np.minimum(crop() // 12, 255)
    expected = contrast(image.astype(np.uint16))[1]
    for dtype, offset in (("uint8", 0), ("int8", -128)):
        np.testing.assert_array_equal(contrast((image + offset).astype(dtype))[1], expected)


BLOCKS = st.tuples(*(st.tuples(st.integers(0, 3), st.integers(0, 3)) for _ in range(3)))


@given(BLOCKS, st.integers(-500, 30_000), st.booleans())
@settings(max_examples=15)
def test_padding_by_whole_blocks_changes_nothing(
    blocks: tuple[tuple[int, int], ...], level: int, is_framed: bool
) -> None:
    image = framed() if is_framed else crop()
    widths = [(a * f, b * f) for (a, b), f in zip(blocks, (2, 8, 8), strict=True)]
    shown = contrast(np.pad(image, widths, constant_values=level))[1]
    inner = tuple(slice(a, a + n) for (a, _), n in zip(widths, SHAPE, strict=True))
    other = image != level
    np.testing.assert_allclose(shown[inner][other], usual(is_framed)[1][other], atol=1e-6)
    outside = np.ones(shown.shape, bool)
    outside[inner] = False
    assert not shown[outside].any()


@given(st.tuples(*(st.tuples(st.integers(0, 20), st.integers(0, 20)) for _ in range(3))), st.booleans())
@settings(max_examples=15)
def test_a_frame_of_any_width_moves_the_background_alone(widths: tuple[tuple[int, int], ...], is_framed: bool) -> None:
    """By less than a noise level: its grid lies elsewhere in the tissue."""
    image = framed() if is_framed else crop()
    padded = np.pad(image, widths)
    inner = tuple(slice(a, a + n) for (a, _), n in zip(widths, SHAPE, strict=True))
    there = np.pad(np.ones(SHAPE, bool), widths)
    noise = np.random.default_rng(5).normal(100, 6, padded.shape)
    before, expected = usual(is_framed)
    field, shown = contrast(np.where(there, padded, np.rint(noise)).astype(np.uint16))
    assert field.unit == pytest.approx(before.unit, rel=0.08)
    core = np.s_[4:-4, 48:-48, 48:-48]
    assert np.abs(shown[inner][core] - expected[core]).mean() < 0.1


def test_cutting_the_frame_away_leaves_the_noise() -> None:
    cut = contrast(framed()[:, 40:120, 44:132])[0]
    assert cut.unit == pytest.approx(usual(True)[0].unit, rel=0.05)


@given(
    st.tuples(*(st.integers(0, n - 1) for n in SHAPE)),
    st.floats(2, 24),
    st.integers(3_000, 65_535),
    st.sampled_from(["even", "uneven"]),
    st.booleans(),
)
@settings(max_examples=25)
def test_a_bright_object_leaves_the_contrast_elsewhere(
    centre: tuple[int, int, int], radius: float, value: int, kind: str, is_framed: bool
) -> None:
    image = framed() if is_framed else crop()
    z, y, x = np.indices(SHAPE) - np.reshape(centre, (3, 1, 1, 1))
    away = np.sqrt((4 * z) ** 2 + y**2 + x**2)
    rng = np.random.default_rng(2)
    bright = value if kind == "even" else np.rint(value * rng.uniform(0.8, 1, SHAPE)).astype(np.int64)
    before, expected = usual(is_framed)
    field, shown = contrast(np.where(away < radius, bright, image).astype(np.uint16))
    assert field.unit == pytest.approx(before.unit, rel=0.08)
    lit = np.kron(before.tissue, np.ones((2, 8, 8), bool))[tuple(map(slice, SHAPE))]
    far = (away > radius + 72) & lit
    if far.any():
        assert np.abs(shown[far] - expected[far]).mean() < 0.03
