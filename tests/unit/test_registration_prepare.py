from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from volumetric.errors import InputError
from volumetric.geometry.orientation import ORIENTATIONS
from volumetric.geometry.space import VoxelSpace
from volumetric.registration.prepare import normalise, prepare, see
from volumetric.registration.resample import resample


def spot_at(shape: tuple[int, int, int], vox: tuple[int, int, int]) -> np.ndarray:
    image = np.zeros(shape, np.float32)
    image[vox] = 1000
    return ndimage.gaussian_filter(image, 1.5)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(ORIENTATIONS), st.sampled_from(["asr", "psl", "ial"]))
def test_a_point_is_found_again_after_any_turn(orientation: str, target: str) -> None:
    space = VoxelSpace((40.0, 25.0, 30.0), (11.0, -7.0, 100.0))
    vox = (8, 21, 13)
    prepared = prepare(spot_at((26, 40, 33), vox), space, orientation, target, (50.0, 50.0, 50.0))
    weight = np.maximum(prepared.image - 0.05, 0)
    centre = np.array(ndimage.center_of_mass(weight))
    back = prepared.to_sample(prepared.space.to_um(centre[None]))[0]
    assert np.abs(back - space.to_um([vox])[0]).max() < 6
    turned = prepared.turn @ np.append(space.to_um([vox])[0], 1)
    assert np.abs(turned - prepared.space.to_um(centre[None])[0]).max() < 6

    home = prepared.back.apply(weight)
    again = prepared.sample_grid.to_um(np.array(ndimage.center_of_mass(home))[None])[0]
    assert np.allclose(again, back, atol=1e-3)


def test_resampling_keeps_a_slope_and_covers_the_volume() -> None:
    image = np.broadcast_to(np.arange(60, dtype=np.float32)[:, None, None], (60, 20, 30)).copy()
    out, grid = resample(image, VoxelSpace((10.0, 10.0, 10.0), (5.0, 0.0, 0.0)), (25.0, 25.0, 25.0))
    assert out.shape == (24, 8, 12)
    z = grid.to_um(np.stack([np.arange(24), np.zeros(24), np.zeros(24)], axis=1))[:, 0]
    assert np.allclose(out[3:-3, 4, 6], (z[3:-3] - 5) / 10, atol=1e-3)


def test_what_the_coarse_grid_cannot_hold_is_removed_first() -> None:
    checker = (np.indices((64, 64, 64)).sum(axis=0) % 2).astype(np.float32)
    out, _ = resample(checker, VoxelSpace((10.0, 10.0, 10.0)), (40.0, 40.0, 40.0))
    assert np.ptp(out[2:-2, 2:-2, 2:-2]) < 0.02


def test_normalisation_ignores_padding_and_outliers() -> None:
    rng = np.random.default_rng(0)
    image = np.zeros((40, 40, 40), np.uint16)
    image[10:30, 10:30, 10:30] = rng.integers(100, 200, (20, 20, 20))
    image[20, 20, 20] = 60_000
    out = normalise(image)
    assert out.min() == 0
    assert out.max() == 1
    assert 0.2 < np.median(out[image > 0]) < 0.6


def test_the_mask_is_the_tissue_with_its_holes() -> None:
    rng = np.random.default_rng(0)
    distance = np.linalg.norm(np.indices((40, 40, 40)) - 20.0, axis=0, keepdims=False)
    truth = distance < 14
    image = (truth & (distance > 4)) * 0.6 + rng.normal(0, 0.03, truth.shape)
    image[1:3, 1:3, 1:3] = 1
    space = VoxelSpace((10.0, 10.0, 10.0))
    mask = see(image.astype(np.float32), space, space.spacing_um).tissue
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.9
    assert mask[20, 20, 20]
    assert not mask[1, 1, 1]


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.ones((4, 4)), "3-D"),
        (np.full((4, 4, 4), 7, np.uint16), "constant"),
        (np.full((4, 4, 4), np.nan), "NaN"),
        (np.zeros((0, 4, 4)), "3-D"),
    ],
)
def test_unfit_images_are_named(image: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        prepare(image, VoxelSpace((10.0, 10.0, 10.0)), "asr", "asr", (25.0, 25.0, 25.0))
