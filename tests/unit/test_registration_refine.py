from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap
from volumetric.registration.quality import folding_fraction, inverse_consistency_um
from volumetric.registration.refine import LONGEST, refined, step
from volumetric.registration.view import View

SHAPE = (48, 44, 52)
SPACE = VoxelSpace((50.0, 50.0, 50.0))
INSIDE = (slice(14, -14),) * 3


def texture(seed: int = 1, sigma: float = 2.5) -> np.ndarray:
    image = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), sigma)
    return np.clip(0.5 + 0.15 * image / image.std(), 0, 1).astype(np.float32)


def small_warp(voxels: float) -> SmoothMap:
    """Moving um to fixed um, at most so many voxels."""
    rng = np.random.default_rng(2)
    warp = np.stack([ndimage.gaussian_filter(rng.standard_normal(SHAPE), 8) for _ in range(3)])
    warp *= voxels * 50 / np.linalg.norm(warp, axis=0).max()
    return SmoothMap(np.eye(3, 4), warp.astype(np.float32), SPACE)


def everywhere() -> np.ndarray:
    return np.ones(SHAPE, np.float32)


def view(image: np.ndarray) -> View:
    return View(image, everywhere(), SPACE)


def seen_through(image: np.ndarray, warp: SmoothMap) -> np.ndarray:
    return ndimage.map_coordinates(image, warp.on_grid() / 50, order=3).astype(np.float32)


def errors_vox(there: SmoothMap, truth: SmoothMap) -> np.ndarray:
    points = SPACE.to_um(np.argwhere(np.ones(SHAPE, bool)).reshape(*SHAPE, 3)[INSIDE].reshape(-1, 3))
    return np.linalg.norm(there(points) - truth(points), axis=1) / 50


def test_a_small_warp_is_found_whatever_the_tones() -> None:
    """The brain is darker where the template is lighter, and lit unevenly."""
    truth, identity = small_warp(1.5), SmoothMap.identity(SPACE, SHAPE)
    light = np.linspace(0.5, 1, SHAPE[2], dtype=np.float32)
    brain = (1 - seen_through(texture(), truth)) * light
    there, back = refined(view(texture()), view(brain), identity, identity, windows=(5.0,) * 6)
    before, after = errors_vox(identity, truth), errors_vox(there, truth)
    assert np.median(before) > 0.5
    assert np.median(after) < 0.35 * np.median(before)
    assert np.quantile(after, 0.95) < np.median(before)
    mask = np.zeros(SHAPE, bool)
    mask[INSIDE] = True
    assert inverse_consistency_um(there, back, mask, np.random.default_rng(0)) < 1


def test_equal_images_stay_where_they_are() -> None:
    moved = step(texture(), texture(), everywhere(), everywhere(), window=5.0)
    assert np.abs(moved).max() < 1e-3


def test_what_has_no_weight_moves_nothing() -> None:
    identity = SmoothMap.identity(SPACE, SHAPE)
    nothing = View(texture(5), np.zeros(SHAPE, np.float32), SPACE)
    there, back = refined(view(texture()), nothing, identity, identity, windows=(5.0,) * 2)
    assert not there.displacement_um.any()
    assert not back.displacement_um.any()


def test_what_is_unknown_of_the_moving_image_moves_nothing_and_disturbs_nothing_else() -> None:
    """A half that was not imaged: wherever it shows nothing, the other half moves as with both."""
    brain, known = seen_through(texture(), small_warp(1.0)), everywhere()
    known[..., 26:] = 0
    whole = step(texture(), brain, everywhere(), everywhere(), window=3.0)
    half = step(texture(), np.where(known > 0, brain, 0), everywhere(), known, window=3.0)
    assert np.abs(half[..., 40:]).max() < 0.1 * np.abs(whole).max()
    far = np.abs(half - whole)[..., 8:14]
    assert far.max() < 0.05 * np.abs(whole).max()


@given(st.integers(0, 2**31), st.floats(0.6, 4))
@settings(max_examples=12, deadline=None)
def test_images_that_have_nothing_in_common_do_not_fold_the_map(seed: int, sigma: float) -> None:
    identity = SmoothMap.identity(SPACE, SHAPE)
    moved = step(texture(seed, sigma), texture(seed + 1, sigma), everywhere(), everywhere(), window=5.0)
    assert np.linalg.norm(moved, axis=0).max() <= LONGEST
    there, back = refined(
        view(texture(seed, sigma)), view(texture(seed + 1, sigma)), identity, identity, windows=(5.0,) * 3
    )
    assert folding_fraction(there) == 0
    assert folding_fraction(back) == 0
