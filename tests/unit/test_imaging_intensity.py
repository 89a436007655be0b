"""The contrast field: independent of cuts and gain, blind to cells, sane on odd images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.imaging.intensity import SOFTNESS, ContrastField, fit_contrast, local_background
from volumetric.imaging.pooling import block_means

FACTORS = (2, 8, 8)


def fit(image: np.ndarray) -> ContrastField:
    return fit_contrast(block_means(image, FACTORS), FACTORS, image.shape, lambda box: image[box.slices])


def brain(seed: int = 0, shape: tuple[int, int, int] = (32, 320, 344)) -> tuple[np.ndarray, np.ndarray]:
    """A shaded ellipsoid in an empty frame with camera offset 100 and shot noise; image and inside."""
    rng = np.random.default_rng(seed)
    z, y, x = (np.linspace(-1, 1, n) for n in shape)
    inside = (z[:, None, None] * 0.7) ** 2 + y[:, None] ** 2 + x**2 < 0.64
    light = inside * 400 * (1 + 0.3 * x) + 2.0
    return (100 + rng.poisson(light)).astype(np.uint16), inside


IMAGE, INSIDE = brain()
FIELD = fit(IMAGE)
WHOLE = FIELD.normalise(IMAGE, Box.of_shape(IMAGE.shape))
BOXES = st.tuples(*(st.tuples(st.integers(0, n - 1), st.integers(1, n)) for n in IMAGE.shape))


@given(BOXES)
@settings(max_examples=30, deadline=None)
def test_a_voxel_has_one_contrast_whatever_the_block(sides):
    box = Box(tuple(a for a, _ in sides), tuple(a + n for a, n in sides)).clip(IMAGE.shape)
    part = FIELD.normalise(IMAGE[box.slices], box)
    assert part.dtype == np.float32
    np.testing.assert_allclose(part, WHOLE[box.slices], atol=2e-5)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_arrays_of_another_library_have_the_same_contrast(dtype):
    box = Box((3, 10, 20), (7, 90, 140))
    image = IMAGE[box.slices].astype(dtype)
    if dtype == np.float32:
        image[1, 4, 5] = np.nan
    planes = list(FIELD.planes(torch.from_numpy(image), box))
    assert all(isinstance(plane, torch.Tensor) and plane.dtype == torch.float32 for plane in planes)
    torch.testing.assert_close(torch.stack(planes), torch.from_numpy(FIELD.normalise(image, box)))


def test_a_block_of_a_large_volume_needs_the_background_near_it_alone():
    rng = np.random.default_rng(0)
    background = rng.random((40, 50, 60), np.float32)
    field = replace(
        FIELD,
        zero=0.0,
        background=background,
        corner=(0, 0, 0),
        factors=(8, 32, 32),
        padding=np.zeros((400, 200, 300), bool),
        unit=1.0,
    )
    box = Box((100, 700, 900), (104, 740, 960))
    far = background.copy()
    far[10:15, 20:25, 26:32] = np.nan
    far[np.isfinite(far)] = np.nan
    far[11:14, 21:24, 27:31] = background[11:14, 21:24, 27:31]
    image = np.zeros(box.shape, np.float32)
    near = replace(field, background=far).normalise(image, box)
    np.testing.assert_array_equal(near, field.normalise(image, box))
    at = np.stack(np.meshgrid(*(range(a, b) for a, b in zip(box.start, box.stop, strict=True)), indexing="ij"), -1)
    expected = np.arcsinh(-field.background_at(at.reshape(-1, 3)) / field.scale).reshape(box.shape)
    np.testing.assert_allclose(near, expected, atol=1e-6)


def test_contrast_counts_noise_levels():
    core = ndimage.binary_erosion(INSIDE, iterations=6)
    assert np.std(SOFTNESS * np.sinh(WHOLE[core])) == pytest.approx(1.0, abs=0.2)
    assert abs(np.median(WHOLE[core])) < 0.4


def test_frame_is_no_tissue_and_gives_the_dark_level():
    assert FIELD.dark == pytest.approx(102, abs=1.5)
    seen = np.repeat(np.repeat(np.repeat(FIELD.tissue, 2, 0), 8, 1), 8, 2)[tuple(map(slice, IMAGE.shape))]
    assert seen[INSIDE].all()
    assert seen.mean() < 0.5 * (1 + INSIDE.mean())
    assert not FIELD.tissue_in(Box((0, 0, 0), (32, 8, 8)))
    assert FIELD.tissue_in(Box((15, 0, 0), (16, 320, 344)))


def test_a_crop_inside_tissue_is_all_tissue():
    rng = np.random.default_rng(1)
    texture = ndimage.gaussian_filter(rng.normal(size=(24, 96, 96)), (2, 12, 12))
    image = rng.poisson(300 + 60 * np.clip(texture / texture.std(), -3, 3)).astype(np.uint16)
    field = fit(image)
    assert field.tissue.all()
    assert np.isnan(field.dark)


def test_cells_do_not_raise_the_background():
    rng = np.random.default_rng(2)
    shape = (24, 128, 128)
    cells = np.zeros(shape)
    at = rng.integers([2, 4, 4], [22, 124, 124], size=(250, 3))
    cells[tuple(at.T)] = 1
    cells = ndimage.gaussian_filter(cells, (1.0, 2.5, 2.5))
    image = 300 + 3000 * cells / cells.max()
    field = fit(image)
    points = rng.uniform(0, 1, (200, 3)) * (np.asarray(shape) - 1)
    np.testing.assert_allclose(field.background_at(points), 300, rtol=0.15)


def test_background_is_exact_on_a_ramp():
    y = np.arange(256.0)
    image = np.broadcast_to(500 + y[None, :, None], (16, 256, 64)).copy()
    field = fit(image)
    inner = np.array([[8.0, 100.0, 30.0], [4.0, 150.5, 20.0]])
    found = field.background_at(inner)
    assert found[1] - found[0] == pytest.approx(50.5, abs=0.5)
    np.testing.assert_allclose(found, 500 + inner[:, 1], rtol=0.02)
    box = Box((8, 100, 30), (9, 101, 31))
    five = field.normalise(np.full((1, 1, 1), found[0] + 5 * field.unit), box).item()
    assert SOFTNESS * np.sinh(five) == pytest.approx(5, rel=1e-3)


@pytest.mark.parametrize("value", [0.0, 1.0, 700.0, np.nan])
def test_constant_and_empty_images_have_no_contrast(value):
    image = np.full((6, 40, 40), value, dtype=np.float32)
    contrast = fit(image).normalise(image, Box.of_shape(image.shape))
    np.testing.assert_allclose(contrast, 0.0, atol=1e-4)


def test_missing_voxels_have_no_contrast_and_harm_no_others():
    image = IMAGE.astype(np.float32)
    image[:, :, 180:] = np.nan
    contrast = fit(image).normalise(image, Box.of_shape(image.shape))
    assert np.all(contrast[:, :, 180:] == 0)
    assert np.isfinite(contrast).all()


def test_one_voxel_volumes_work():
    image = np.array([[[5.0]]])
    assert fit(image).normalise(image, Box.of_shape((1, 1, 1))).shape == (1, 1, 1)


def test_quantile_window_is_a_plain_quantile_inside():
    rng = np.random.default_rng(4)
    grid = rng.random((8, 16, 16)).astype(np.float32)
    out = local_background(grid, (4, 4, 4))
    window = np.sort(grid[2:10, 2:10, 6:14].ravel())
    assert out.shape == (4, 6, 6)
    assert out[2, 2, 3] == window[int(0.4 * (window.size - 1))]


def test_a_bright_rim_does_not_raise_the_background_beside_it():
    grid = np.full((8, 32, 32), 5.0, np.float32)
    grid[:, :, :4] = np.nan
    plain = local_background(grid, (4, 4, 4))
    grid[:, :, 0] = 1000
    np.testing.assert_array_equal(local_background(grid, (4, 4, 4)), plain)


def test_refuses_shapes_that_do_not_fit():
    with pytest.raises(InputError, match="blocks"):
        fit_contrast(np.zeros((2, 2, 2)), FACTORS, IMAGE.shape, lambda box: IMAGE[box.slices])
    with pytest.raises(InputError, match="cannot show"):
        FIELD.normalise(IMAGE, Box((0, 0, 0), (1, 1, 1)))
