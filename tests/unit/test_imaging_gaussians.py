from __future__ import annotations

import numpy as np
import pytest

from volumetric.imaging.gaussians import gaussian_max, gaussian_sum
from volumetric.imaging.maxima import local_maxima


def each(shape: tuple[int, int], centres: np.ndarray, height: np.ndarray, sigma: float, cut: float) -> np.ndarray:
    """(n, Y, X) every Gaussian at every pixel."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    squared = (y - centres[:, 0, None, None]) ** 2 + (x - centres[:, 1, None, None]) ** 2
    return height[:, None, None] * np.exp(-squared / (2 * sigma**2)) * (squared < (cut * sigma) ** 2)


@pytest.mark.parametrize(("sigma", "cut"), [(2.0, 2.5), (0.6, 4.0), (7.3, 1.0), (3.0, 4.0)])
def test_as_by_the_formula(sigma: float, cut: float) -> None:
    rng = np.random.default_rng(1)
    centres, height = rng.uniform(-20, 60, (80, 2)), rng.normal(0, 1, 80)
    every = each((31, 45), centres, height, sigma, cut)
    np.testing.assert_allclose(gaussian_sum((31, 45), centres, height, sigma, cut), every.sum(axis=0), atol=1e-12)
    highest = np.maximum(every.max(axis=0), 0)
    np.testing.assert_allclose(gaussian_max((31, 45), centres, height, sigma, cut), highest, atol=1e-12)


def test_of_two_near_ones_the_higher_counts() -> None:
    centres, height = np.array([[10.0, 10.0], [10.0, 12.0]]), np.array([1.0, 0.9])
    highest, total = (draw((21, 21), centres, height, 2.0) for draw in (gaussian_max, gaussian_sum))
    assert highest[10, 10] == 1
    assert highest[10, 12] == 0.9
    assert total[10, 10] == pytest.approx(1 + 0.9 * np.exp(-0.5))


def test_none_is_a_black_picture() -> None:
    for draw in (gaussian_max, gaussian_sum):
        picture = draw((3, 4), np.empty((0, 2)), np.empty(0), 2.0)
        assert picture.shape == (3, 4)
        assert not picture.any()


def test_maxima_of_a_picture() -> None:
    image = np.zeros((7, 9))
    image[1, 1], image[1, 2], image[4, 4], image[6, 8], image[3, 8] = 5, 4, 2, 3, 0.5
    assert local_maxima(image, 1.0).tolist() == [[1, 1], [4, 4], [6, 8]]
    assert local_maxima(image, 2.5).tolist() == [[1, 1], [6, 8]]
    assert local_maxima(image, 6.0).shape == (0, 2)


def test_of_a_plateau_the_first_pixel_counts() -> None:
    image = np.zeros((6, 10))
    image[1, 3], image[2, 2], image[2, 3], image[3, 1] = 1, 1, 1, 1  # touches at corners as well
    image[1, 8], image[3, 8] = 1, 1  # two, apart
    assert local_maxima(image, 0.5).tolist() == [[1, 3], [1, 8], [3, 8]]
    image[2, 4] = 2  # what touches a higher pixel is no top; what lies beyond it still is
    assert local_maxima(image, 0.5).tolist() == [[1, 8], [2, 2], [2, 4], [3, 8]]
    assert local_maxima(np.ones((4, 5)), 0.5).tolist() == [[0, 0]]


def test_no_maxima_in_no_picture() -> None:
    assert local_maxima(np.empty((0, 5)), 0.5).shape == (0, 2)
