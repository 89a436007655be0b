"""Tissue and what is empty: told apart whatever the offset, the gain, the share of the frame and bright objects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from volumetric.imaging.frame import find_parts

SHAPE = (20, 32, 36)


def scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Coarse light of a shaded brain in a dim frame with haze around it, and where the brain is."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    inside = z**2 + y**2 + x**2 < 0.5
    texture = ndimage.gaussian_filter(rng.normal(size=SHAPE), 2)
    light = inside * (400 + 100 * x + 60 * texture / texture.std()) + rng.normal(0, 10, SHAPE) * inside
    return (100 + light + 30 * ndimage.gaussian_filter(inside.astype(float), 2) + rng.normal(0, 1, SHAPE)), inside


LIGHT, INSIDE = scene()


def dice(mask: np.ndarray) -> float:
    return float(2 * (mask & INSIDE).sum() / (mask.sum() + INSIDE.sum()))


def found(light: np.ndarray) -> np.ndarray:
    return find_parts(light.astype(np.float32)).tissue


def test_tissue_in_its_frame() -> None:
    parts = find_parts(LIGHT.astype(np.float32))
    assert dice(parts.tissue) > 0.97
    assert parts.dark == pytest.approx(101, abs=3)
    assert not parts.padding.any()


@given(st.floats(1e-3, 1e3), st.floats(-1e4, 1e4))
@settings(max_examples=20)
def test_neither_gain_nor_offset_matters(gain: float, offset: float) -> None:
    assert (found(gain * (LIGHT + offset)) == found(LIGHT)).mean() > 0.999


@given(
    st.tuples(*(st.integers(0, n - 1) for n in SHAPE)),
    st.floats(0.5, 6),
    st.floats(1e3, 1e5),
    st.booleans(),
)
@settings(max_examples=40)
def test_a_bright_object_hides_no_tissue(centre: tuple[int, int, int], radius: float, value: float, even: bool) -> None:
    at = np.linalg.norm(np.indices(SHAPE) - np.reshape(centre, (3, 1, 1, 1)), axis=0)
    rng = np.random.default_rng(1)
    light = np.where(at < radius, value if even else value * rng.uniform(0.7, 1.3, SHAPE), LIGHT)
    far = at > radius + 2
    assert (found(light) == found(LIGHT))[far].mean() > 0.99


@pytest.mark.parametrize("share", [0.003, 0.03, 0.07])
def test_a_bright_object_in_a_crop_of_tissue_is_no_tissue_in_a_frame(share: float) -> None:
    rng = np.random.default_rng(2)
    texture = ndimage.gaussian_filter(rng.normal(size=SHAPE), 3)
    crop = 600 + 120 * texture / texture.std() + rng.normal(0, 8, SHAPE)
    n = round((share * crop.size) ** (1 / 3))
    crop[4 : 4 + n, 5 : 5 + n, 6 : 6 + n] = rng.normal(40_000, 4_000, (n, n, n))
    assert found(crop).all()


@pytest.mark.parametrize("pad", [(0, 0, 0, 0, 0, 9), (3, 3, 8, 8, 8, 8), (1, 0, 0, 0, 0, 0), (10, 10, 30, 30, 30, 30)])
@pytest.mark.parametrize("level", [0.0, -50.0, 700.0])
def test_padding_is_no_tissue_whatever_its_value(pad: tuple[int, ...], level: float) -> None:
    widths = list(zip(pad[::2], pad[1::2], strict=True))
    parts = find_parts(np.pad(LIGHT, widths, constant_values=level).astype(np.float32))
    inner = tuple(slice(a, a + n) for (a, _), n in zip(widths, SHAPE, strict=True))
    np.testing.assert_array_equal(parts.tissue[inner], found(LIGHT))
    assert parts.tissue.sum() == found(LIGHT).sum()
    assert parts.fill == level


def test_a_frame_of_noise_around_a_crop_of_tissue_is_found_down_to_a_twentieth_of_tissue() -> None:
    rng = np.random.default_rng(3)
    crop = 600 + 100 * ndimage.gaussian_filter(rng.normal(size=SHAPE), 1)
    for width in (4, 12, 25):
        whole = np.pad(crop, width)
        inner = np.pad(np.ones(SHAPE, bool), width)
        whole = np.where(inner, whole, rng.normal(100, 1, whole.shape))
        np.testing.assert_array_equal(found(whole), inner)


def test_a_rim_and_blank_slices_do_not_hide_the_frame() -> None:
    light = LIGHT.copy()
    light[:, [0, -1]] = light[:, :, [0, -1]] = 8000
    light[-3:] = 0
    mask = found(light)[:-3, 1:-1, 1:-1]
    assert (mask == found(LIGHT)[:-3, 1:-1, 1:-1]).mean() > 0.99


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_image_is_all_imaged(value: float) -> None:
    parts = find_parts(np.full((3, 4, 5), value, np.float32))
    assert parts.tissue.all()
    assert np.isnan(parts.dark)


def test_values_that_differ_in_the_last_digit_come_to_an_end() -> None:
    light = np.full((6, 8, 8), 2.0, np.float32)
    light[::2] = np.nextafter(np.float32(2), np.float32(3))
    assert find_parts(light).tissue.any()


def test_what_is_not_a_number_is_not_imaged() -> None:
    light = LIGHT.astype(np.float32)
    light[:, :, 20:] = np.nan
    assert not find_parts(light).tissue[:, :, 20:].any()


@pytest.mark.parametrize("level", [0.0, 40.0, 60.0])
def test_a_thin_padding_of_part_of_a_block_does_not_hide_the_frame(level: float) -> None:
    light = np.pad(LIGHT, 1, constant_values=level)
    light += np.random.default_rng(4).normal(0, 0.5, light.shape)  # blocks of padding and frame in any shares
    mask = found(light)[1:-1, 1:-1, 1:-1]
    assert (mask == found(LIGHT)).mean() > 0.99
