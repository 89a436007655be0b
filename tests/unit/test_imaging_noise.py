"""Noise measured from an image: exact for white noise, blind to structure, offset and bright things."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from volumetric.imaging.noise import noise_deviation, usual_noise
from volumetric.imaging.otsu import otsu_threshold

RNG = np.random.default_rng(0)
NOISE = RNG.normal(0, 7, (200, 200))


def test_white_noise_on_a_slope_with_cells() -> None:
    slope = np.add.outer(np.arange(200.0), 3 * np.arange(200.0))
    cells = np.zeros((200, 200))
    cells[tuple(RNG.integers(0, 200, (2, 60)))] = 5000
    assert noise_deviation(NOISE + slope + 1e6) == pytest.approx(7, rel=0.03)
    assert noise_deviation(NOISE + ndimage.gaussian_filter(cells, 2.5)) == pytest.approx(7, rel=0.1)


def test_images_of_few_grey_values_have_noise() -> None:
    image = RNG.poisson(0.05, (200, 200)).astype(float)
    assert np.median(np.abs(np.diff(image, n=2))) == 0
    assert 0.1 < noise_deviation(image) < 0.4


def test_the_median_of_the_samples_counts() -> None:
    samples = [NOISE, NOISE * 3, NOISE, np.full((9, 9), np.nan), np.zeros((2, 9))]
    assert usual_noise(samples) == pytest.approx(7, rel=0.03)


def test_a_smoothed_image_has_a_share_of_its_own_spread() -> None:
    smooth = ndimage.gaussian_filter(NOISE, 6)
    assert usual_noise([smooth]) == pytest.approx(0.2 * smooth.std(), rel=0.2)


def test_no_samples_no_noise() -> None:
    assert usual_noise([]) == 0
    assert usual_noise([np.full((5, 5), 3)]) == 0


def test_otsu_parts_two_classes() -> None:
    values = np.concatenate([RNG.normal(10, 1, 900), RNG.normal(50, 3, 100)])
    assert 12 < otsu_threshold(values) < 42
