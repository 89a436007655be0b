"""The crowd as a picture, against equations 8 and 9 evaluated pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from tests.small_crowd import tile_of
from volumetric.crowd.candidates import candidates
from volumetric.crowd.clicks import TileClicks
from volumetric.crowd.consensus import clicks_heatmap, posterior_heatmap, shown_weight
from volumetric.crowd.density import DensityPeaks

FULL = 1 - np.exp(-6)


def equations(tile: TileClicks, weight: np.ndarray) -> np.ndarray:
    """Equations 8 and 9, the total of those who saw the pixel; a click ends at 5 px."""
    picture = np.zeros(tile.shape)
    for pixel in np.ndindex(tile.shape):
        h = total = 0.0
        for viewer in np.unique(tile.viewer):
            views = tile.views[tile.viewer == viewer]
            if any(v[0] <= pixel[0] < v[1] and v[2] <= pixel[1] < v[3] for v in views):
                total += weight[viewer]
        for place, worker in zip(tile.yx, tile.worker, strict=True):
            squared = float(np.sum((place - pixel) ** 2))
            h += weight[worker] * np.exp(-squared / (2 * 2.0**2)) * (squared < 25)
        picture[pixel] = max(0.0, 1 - np.exp(-6 * h / total)) if total > 0 else 0.0
    return picture


def parts(seed: int = 0) -> TileClicks:
    """Four workers: all of it, the upper half, the right half, and two overlapping parts."""
    rng = np.random.default_rng(seed)
    views = [[-0.5, 24.5, -0.5, 29.5], [-0.5, 11.5, -0.5, 29.5], [-0.5, 24.5, 14.5, 29.5]]
    views += [[-0.5, 9.5, -0.5, 9.5], [4.5, 14.5, 4.5, 14.5]]
    low = [(0, 0), (0, 0), (0, 15), (0, 0)]
    high = [(24, 29), (11, 29), (24, 29), (9, 9)]
    yx = np.concatenate([rng.uniform(a, b, (6, 2)) for a, b in zip(low, high, strict=True)])
    return tile_of(yx, np.repeat(np.arange(4), 6), [0, 1, 2, 3, 3], views, (25, 30))


def test_where_all_agree_the_confidence_is_that_of_the_method() -> None:
    tile = tile_of([[10, 20]] * 5, np.arange(5), shape=(30, 40))
    picture = clicks_heatmap(tile, np.array([0.5, 1.0, 2.0, 3.0, 6.9]))
    assert picture.max() == picture[10, 20] == pytest.approx(FULL)
    assert picture[10, 22] == pytest.approx(1 - np.exp(-6 * np.exp(-0.5)))
    assert picture[10, 25] == picture[0, 0] == 0  # from 2.5 widths on


@pytest.mark.parametrize("weight", [(1.0, 2.0, 0.5, 3.0), (1.0, 2.0, -0.5, 0.3), (0.5, -2.0, -1.0, 0.2)])
def test_clicks_as_equations_8_and_9_have_it(weight: tuple[float, ...]) -> None:
    tile = parts()
    np.testing.assert_allclose(clicks_heatmap(tile, np.array(weight)), equations(tile, np.array(weight)), atol=1e-12)


def test_who_did_not_see_a_pixel_does_not_count_in_it() -> None:
    weight = np.array([1.0, 10.0])
    halves = [[-0.5, 19.5, -0.5, 39.5], [-0.5, 19.5, 19.5, 39.5]]
    tile = tile_of([[10, 5], [10, 30]], [0, 0], [0, 1], halves, (20, 40))
    picture = clicks_heatmap(tile, weight)
    assert picture[10, 5] == pytest.approx(FULL)
    assert picture[10, 30] == pytest.approx(1 - np.exp(-6 / 11))


def test_weight_of_the_workers_who_were_shown_a_pixel() -> None:
    total = shown_weight(parts(), np.array([1.0, 10.0, 100.0, 1000.0]))
    assert [total[0, 0], total[7, 7], total[12, 12], total[13, 3], total[20, 14], total[20, 15]] == [
        1011.0,
        1011.0,  # two parts of one worker
        1001.0,
        1.0,
        1.0,
        101.0,
    ]
    assert total[10, 4] == 11
    assert shown_weight(tile_of([], [], shape=(3, 4)), np.ones(0)).tolist() == np.zeros((3, 4)).tolist()


def test_negative_weights_leave_no_pixel_below_nothing() -> None:
    tile = tile_of([[5, 5], [5, 15]], [0, 1], shape=(11, 21))
    picture = clicks_heatmap(tile, np.array([2.0, -1.0]))
    assert picture[5, 5] == pytest.approx(1 - np.exp(-12))
    assert picture[5, 15] == 0
    assert np.all(clicks_heatmap(tile, np.array([1.0, -1.0])) == 0)  # nobody is trusted on the whole
    assert np.all(clicks_heatmap(tile, np.array([1.0, -3.0])) == 0)


def test_a_tile_without_clicks_is_a_black_picture() -> None:
    assert clicks_heatmap(tile_of([], [], [0, 1], shape=(5, 6)), np.ones(2)).tolist() == np.zeros((5, 6)).tolist()
    empty = candidates(tile_of([], [], [0, 1], shape=(5, 6)), DensityPeaks())
    assert posterior_heatmap(empty, np.empty(0)).tolist() == np.zeros((5, 6)).tolist()


def test_peaks_of_the_picture_of_posteriors_are_the_posteriors() -> None:
    tile = tile_of([[10.4, 10.4], [10.4, 30.0], [24.4, 39.4], [-0.5, -0.5]], [0] * 4, shape=(25, 40))
    found = candidates(tile, DensityPeaks(1.0))
    posterior = np.array([0.9, 0.3, 0.7, 0.5])[np.argsort(found.member)]
    picture = posterior_heatmap(found, posterior)
    assert [picture[10, 10], picture[10, 30], picture[24, 39], picture[0, 0]] == pytest.approx([0.9, 0.3, 0.7, 0.5])
    assert picture.max() == pytest.approx(0.9)
    assert picture[10, 12] == pytest.approx(0.9 * np.exp(-0.5))


def test_near_candidates_do_not_add_up() -> None:
    tile = tile_of([[10, 10], [10, 13]], [0, 0], shape=(20, 25))
    found = candidates(tile, lambda _: np.array([0, 1]))
    picture = posterior_heatmap(found, np.array([0.8, 0.6]))
    assert picture[10, 10] == pytest.approx(0.8)
    assert picture[10, 13] == pytest.approx(0.6)
    assert picture[10, 11] == pytest.approx(0.8 * np.exp(-1 / 8))
