"""The figures of planes, against what is known by arithmetic: brightness, spectra, texture, the light of cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from volumetric.synthesis.brightness import BINS, brightness_histogram, js_divergence
from volumetric.synthesis.cell_light import Surroundings, distance_to_cell, signal_minus_background
from volumetric.synthesis.spectrum import GRAIN, bands, log_power, log_power_mae, radial_power
from volumetric.synthesis.texture import FEATURES, texture

counts = hnp.arrays(np.int64, BINS, elements=st.integers(0, 1000)).filter(lambda a: a.sum() > 0)
stacks = hnp.arrays(np.float32, (2, 16, 16), elements=st.floats(0, 1, width=32))


@given(counts, counts)
def test_js_divergence_is_symmetric_and_within_a_bit(one: np.ndarray, other: np.ndarray) -> None:
    found = js_divergence(one, other)
    assert found == pytest.approx(js_divergence(other, one), abs=1e-12)
    assert 0 <= found <= 1
    assert js_divergence(one, one) == 0
    assert js_divergence(one, 3 * other) == pytest.approx(found, abs=1e-12)  # shares, not numbers


def test_js_divergence_by_hand() -> None:
    assert js_divergence([1, 1, 0, 0], [0, 0, 5, 5]) == pytest.approx(1)
    # p = (1, 0), q = (1/2, 1/2), m = (3/4, 1/4): (log2(4/3) + log2(2/3)/2 + log2(2)/2) / 2
    by_hand = (np.log2(4 / 3) + 0.5 * np.log2(2 / 3) + 0.5) / 2
    assert js_divergence([4, 0], [3, 3]) == pytest.approx(by_hand)
    assert js_divergence([0, 0], [1, 2]) is None


@given(stacks)
def test_brightness_is_counted_as_numpy_counts_it(stack: np.ndarray) -> None:
    own = np.array([np.histogram(plane.astype(float), bins=BINS, range=(0, 1))[0] for plane in stack])
    found = brightness_histogram(stack)
    np.testing.assert_array_equal(found, own)
    which = stack > 0.5
    left_out = brightness_histogram(stack, ~which)
    np.testing.assert_array_equal(brightness_histogram(stack, which) + left_out, own)


def noise(slope: float, seed: int, edge: int = 64, planes: int = 40) -> np.ndarray:
    """Noise whose power falls as frequency ** -slope, the mean 0."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot.outer(np.fft.fftfreq(edge), np.fft.fftfreq(edge))
    frequency[0, 0] = np.inf if slope else 1
    waves = np.fft.fft2(rng.normal(size=(planes, edge, edge))) * frequency ** (-slope / 2)
    return np.fft.ifft2(waves).real.astype(np.float32)


def test_white_noise_has_its_variance_at_every_frequency() -> None:
    power = radial_power(0.1 * noise(0, 3, planes=200)).mean(axis=0)
    assert power.shape == (32,)
    np.testing.assert_allclose(power[1:], 0.01, rtol=0.06)
    assert power[0] == pytest.approx(0.0075, rel=0.15)  # less what went with the mean


@pytest.mark.parametrize("slope", [1.0, 2.0, 3.0])
def test_the_slope_of_a_spectrum_is_found(slope: float) -> None:
    power = radial_power(noise(slope, 4)).mean(axis=0)
    middle = slice(3, 28)
    fitted = np.polyfit(np.log10(np.arange(1, 33)[middle]), np.log10(power[middle]), 1)[0]
    assert fitted == pytest.approx(-slope, abs=0.12)


def test_a_wave_has_its_power_at_its_frequency() -> None:
    x = np.arange(48)
    wave = np.broadcast_to(0.5 + 0.3 * np.sin(2 * np.pi * 9 * x / 48), (1, 48, 48)).astype(np.float32)
    power = radial_power(wave)[0]
    assert np.argmax(power) == 8  # the first is of one cycle
    assert power[7:10].sum() > 0.99 * power.sum()


@given(stacks, st.floats(-0.5, 0.5))
def test_power_does_not_see_the_mean(stack: np.ndarray, level: float) -> None:
    shifted = (stack + np.float32(level)).astype(np.float32)
    np.testing.assert_allclose(radial_power(shifted), radial_power(stack), rtol=1e-3, atol=1e-9)


def test_differences_of_log_power() -> None:
    power = radial_power(noise(2, 5))
    assert log_power_mae(power, power) == 0
    assert log_power_mae(power, 100 * power) == pytest.approx(2)
    assert log_power_mae(100 * power, power) == pytest.approx(2)
    flat = radial_power(np.full((3, 16, 16), 0.3, np.float32))
    np.testing.assert_array_equal(log_power(flat), np.log10(GRAIN))
    assert log_power_mae(flat, flat) == 0


def test_bands_are_means_of_neighbouring_frequencies() -> None:
    power = np.tile(10.0 ** -np.arange(1, 33) / 4, (3, 1)) + 1
    found = bands(power)
    assert found.shape[0] == 3
    assert 5 <= found.shape[1] <= 8
    assert np.isfinite(found).all()
    np.testing.assert_allclose(bands(np.full((2, 48), 0.01)), -2)
    np.testing.assert_allclose(found[:, 0], np.log10(power[:, 0]))  # the first is of the slowest alone


@given(stacks)
def test_texture_is_what_numpy_says(stack: np.ndarray) -> None:
    found = dict(zip(FEATURES, texture(stack).T, strict=True))
    grey = stack.astype(np.float64) * 255
    np.testing.assert_allclose(found["mean"], grey.mean(axis=(1, 2)), rtol=1e-9)
    np.testing.assert_allclose(found["contrast"], grey.std(axis=(1, 2)), rtol=1e-9, atol=1e-9)
    assert ((found["entropy"] >= 0) & (found["entropy"] <= 8)).all()
    turned = texture(np.ascontiguousarray(stack[:, ::-1, ::-1]))
    np.testing.assert_allclose(turned, texture(stack), rtol=1e-9, atol=1e-9)


def test_texture_by_hand() -> None:
    rows, columns = np.mgrid[:16, :16]
    stack = np.stack(
        [
            np.full((16, 16), 0.4),
            rows * 4 / 255,
            (rows + columns) % 2,
            np.hypot(3 * rows, 0) / 255 + 4 * columns / 255,
        ]
    ).astype(np.float32)
    mean, contrast, laplacian, gradient, entropy = texture(stack).T
    assert mean[0] == pytest.approx(102, rel=1e-6)
    assert (contrast[0], laplacian[0], gradient[0], entropy[0]) == pytest.approx((0, 0, 0, 0), abs=1e-9)
    assert gradient[1] == pytest.approx(4, rel=1e-5)
    assert entropy[1] == pytest.approx(4)  # sixteen values, equally frequent
    assert contrast[2] == pytest.approx(127.5)
    assert entropy[2] == pytest.approx(1)
    inner = laplacian[2]
    assert inner > 900**2  # each pixel 255 from all of its neighbours: +-1020 but for the rim
    assert gradient[3] == pytest.approx(5, rel=1e-5)  # 3 down, 4 across


def discs(light: float, dark: float, cells: list[tuple[float, float]]) -> np.ndarray:
    plane = np.full((64, 64), dark, np.float32)
    plane[distance_to_cell((64, 64), np.array(cells)) <= 4] = light
    return plane


@given(
    st.lists(st.tuples(st.floats(5, 58), st.floats(5, 58)), min_size=1, max_size=4),
    st.floats(0, 1, width=32),
    st.floats(0, 1, width=32),
)
def test_planted_discs_have_the_planted_light(cells: list[tuple[float, float]], light: float, dark: float) -> None:
    distance = distance_to_cell((64, 64), np.array(cells))
    found = signal_minus_background(discs(light, dark, cells), distance, Surroundings(3, 8))
    assert found == pytest.approx(255 * (light - dark), abs=1e-3)


def test_distances_and_what_has_no_cell_or_no_background() -> None:
    distance = distance_to_cell((9, 9), np.array([[0.5, 2.0], [8.0, 8.0]]))
    assert distance[0, 2] == 0.5
    assert distance[0, 5] == pytest.approx(np.hypot(0.5, 3))
    assert distance[7, 8] == 1
    assert np.isinf(distance_to_cell((4, 4), np.empty((0, 2)))).all()
    plane = np.zeros((9, 9), np.float32)
    assert np.isnan(signal_minus_background(plane, np.full((9, 9), np.inf), Surroundings()))
    assert np.isnan(signal_minus_background(plane, distance, Surroundings(3, 20)))
