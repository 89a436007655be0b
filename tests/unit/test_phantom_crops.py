"""Crops show what their tables say."""

from __future__ import annotations

import numpy as np
import pytest

from volumetric.phantom.crops import full_scale_crop, random_crop

COLUMNS = {"cell_id", "z_um", "y_um", "x_um", "z_vox", "y_vox", "x_vox", "radius_um", "n_slices", "inside"}


@pytest.fixture(scope="module")
def crop():
    return full_scale_crop(3, (16, 384, 384))


def test_a_crop_is_a_function_of_its_random_numbers():
    first, second = (random_crop(np.random.default_rng(7), (6, 96, 96)) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1].equals(second[1])
    assert not np.array_equal(first[0], random_crop(np.random.default_rng(8), (6, 96, 96))[0])


@pytest.mark.parametrize("seed", range(12))
def test_random_crops_are_sound(seed):
    shape = (6, 96, 128)
    image, cells = random_crop(np.random.default_rng(seed), shape, (5.0, 2.0, 2.0))
    assert image.shape == shape
    assert image.dtype == np.uint16
    assert set(cells.columns) >= COLUMNS
    np.testing.assert_allclose(cells["y_um"], 2 * cells["y_vox"])
    centres = cells[["z_vox", "y_vox", "x_vox"]].to_numpy()
    within = np.all((centres >= -0.5) & (centres < np.array(shape) - 0.5), axis=1)
    assert np.array_equal(within, cells["inside"])
    assert cells["radius_px"].between(2, 6).all()
    assert np.all(cells["snr"] > 2.9)
    assert np.all(cells["contrast"] > 0.149)


def test_random_crops_vary_widely():
    made = [random_crop(np.random.default_rng(seed), (4, 96, 96)) for seed in range(40)]
    levels = [float(np.median(image)) for image, _ in made]
    counts = [len(cells) for _, cells in made]
    assert max(levels) / min(levels) > 10
    assert min(counts) == 0
    assert max(counts) > 50


def test_the_full_scale_crop_keeps_the_promised_sizes(crop):
    _, cells = crop
    assert len(cells) > 60
    assert cells["radius_px"].between(2.5, 5).all()
    assert cells["n_slices"].between(2, 4).all()
    assert cells["inside"].all()
    np.testing.assert_allclose(cells["radius_um"], 0.7 * cells["radius_px"], rtol=1e-5)
    assert cells["snr"].min() > 4.99
    assert cells["snr"].quantile(0.2) < 12


def test_every_cell_of_the_full_scale_crop_can_be_seen(crop):
    image, cells = crop
    height = []
    for cell in cells.itertuples():
        z, y, x = (round(v) for v in (cell.z_vox, cell.y_vox, cell.x_vox))
        window = image[z, max(y - 14, 0) : y + 15, max(x - 14, 0) : x + 15].astype(float)
        middle = image[z, y - 1 : y + 2, x - 1 : x + 2].mean()
        dark = np.quantile(window, 0.3)
        height.append((middle - dark) / np.sqrt(dark - 100 + 36))
    assert np.mean(np.array(height) > 3) > 0.98
