"""The quality rule and the normalisation, against a direct reading of the method."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.geometry.space import VoxelSpace
from volumetric.tiles.normalisation import PATCH, Normalisation, patch, spread
from volumetric.tiles.quality import QualityRule, judge

SIDE = 100


def reading(tile: np.ndarray) -> tuple[float, float, float, set[str]]:
    """Section 3.1 of the method, word by word, with values from 0 to 1 and numpy's own histogram."""
    values = tile.astype(float) / 255
    h, _ = np.histogram(values, bins=64, range=(0, 1))
    r_bg = sum(h[b] for b in range(13 + 1)) / sum(h)
    r_bright = sum(h[b] for b in range(53, 64)) / sum(h)
    sigma = np.sqrt(np.mean((values - values.mean()) ** 2))
    failed = {"dark": r_bg >= 0.50, "flat": sigma <= 0.1, "dull": r_bright < 0.001}
    return r_bg, sigma, r_bright, {name for name, holds in failed.items() if holds}


@given(
    st.integers(0, 2**32 - 1),
    st.floats(0, 1),
    st.floats(0, 0.01),
    st.integers(0, 255),
    st.integers(0, 90),
)
def test_the_rule_is_the_methods(seed: int, background: float, bright: float, middle: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    tile = np.clip(rng.normal(middle, width, (SIDE, SIDE)), 0, 255).astype(np.uint8)
    tile[rng.random(tile.shape) < background] = rng.integers(0, 60)
    tile[rng.random(tile.shape) < bright] = rng.integers(205, 256)
    r_bg, sigma, r_bright, failed = reading(tile)
    found = judge(tile)
    assert (found.background_ratio, found.bright_ratio) == (r_bg, r_bright)
    assert found.deviation == pytest.approx(sigma, rel=1e-12)
    if abs(sigma - 0.1) > 1e-9:
        assert set(found.reasons) == failed


def fit_tile() -> np.ndarray:
    """Background of 100, a third of it at 190, some cells: fit, whatever is added at one limit."""
    tile = np.full((SIDE, SIDE), 100, np.uint8)
    tile[:, :33] = 190
    tile[0, :20] = 240
    return tile


def test_a_fit_tile_has_no_reason() -> None:
    assert judge(fit_tile()).reasons == ()


@pytest.mark.parametrize(("grey", "share", "dark"), [(55, 0.5, True), (55, 0.4999, False), (56, 0.6, False)])
def test_dark_from_half_of_the_pixels_in_bins_up_to_13(grey: int, share: float, dark: bool) -> None:
    tile = fit_tile().ravel()[::-1].copy()
    tile[: round(share * tile.size)] = grey
    found = judge(tile.reshape(SIDE, SIDE))
    assert ("dark" in found.reasons) is dark
    assert found.background_ratio == (share if grey == 55 else 0)


@pytest.mark.parametrize(("grey", "count", "dull"), [(212, 10, False), (212, 9, True), (211, 500, True)])
def test_dull_below_a_thousandth_of_the_pixels_in_bins_from_53(grey: int, count: int, dull: bool) -> None:
    tile = fit_tile()
    tile[tile > 200] = 190
    tile.ravel()[:count] = grey
    assert ("dull" in judge(tile).reasons) is dull


@pytest.mark.parametrize(("difference", "flat"), [(50, True), (52, False)])
def test_flat_up_to_a_tenth_of_the_range(difference: int, flat: bool) -> None:
    tile = np.full((SIDE, SIDE), 100, np.uint8)
    tile[::2] = 100 + difference  # deviates by half the difference: 25 or 26 of 255
    assert ("flat" in judge(tile).reasons) is flat


def test_each_number_is_a_setting() -> None:
    tile = np.full((SIDE, SIDE), 30, np.uint8)
    assert judge(tile).reasons == ("dark", "flat", "dull")
    assert judge(tile, QualityRule(background_ratio=1.1, deviation=-1, bright_ratio=0)).reasons == ()


def test_only_8_bit_tiles_are_judged() -> None:
    with pytest.raises(InputError, match="uint16"):
        judge(np.zeros((4, 4), np.uint16))


@given(st.floats(-1000, 1000), st.floats(1, 60_000), st.floats(0.01, 100))
def test_brightness_is_linear_between_black_and_white(black: float, span: float, factor: float) -> None:
    image = np.linspace(black - span, black + 2 * span, 4096)
    shown = Normalisation(black, black + span).to_8bit(image)
    assert shown.dtype == np.uint8
    assert np.all(np.diff(shown.astype(int)) >= 0)
    assert np.all(shown[image < black] == 0)
    assert np.all(shown[image > black + span] == 255)
    inside = (image >= black) & (image <= black + span)
    assert np.all(np.abs(shown[inside] - 255 * (image[inside] - black) / span) <= 0.5 + 1e-6)
    brighter = Normalisation(factor * black, factor * (black + span)).to_8bit(factor * image)
    assert np.abs(brighter.astype(int) - shown).max() <= 1  # a rounding


def test_quantiles_of_the_brain() -> None:
    pixels = np.append(np.arange(1001.0), np.nan)
    assert Normalisation.fit(pixels, 0.1, 0.9) == Normalisation(100, 900)
    assert Normalisation(0, 10).to_8bit(np.array([np.nan, 5, np.inf])).tolist() == [0, 128, 255]


def test_a_brain_without_pixels_or_light_is_refused() -> None:
    with pytest.raises(InputError, match="no pixel of the volume lies in the registered brain"):
        Normalisation.fit(np.empty(0, np.uint16), 0.001, 0.99)
    with pytest.raises(InputError, match="shows nothing"):
        Normalisation.fit(np.full(100, 7), 0.001, 0.99)


@pytest.mark.parametrize("shape", [(2500, 11000, 16000), (300, 300, 300), (3, 1000, 1500), (1, 16, 16)])
def test_places_are_spread_evenly_and_their_patches_lie_in_the_volume(shape: tuple[int, int, int]) -> None:
    space = VoxelSpace((5.0, 0.7, 0.7))
    places = spread(shape, space)
    assert 1 <= len(places) <= 10_000
    assert np.all((places >= 0) & (places < shape))
    assert len(np.unique(places, axis=0)) == len(places)
    middle = places.mean(axis=0) / shape
    assert np.all(np.abs(middle - 0.5) <= 0.5 / np.array([len(np.unique(column)) for column in places.T]))
    boxes = [patch(place, shape) for place in (places[0], places[-1])]
    assert all(box == box.clip(shape) and box.size == Box.of_shape(PATCH).clip(shape).size for box in boxes)
