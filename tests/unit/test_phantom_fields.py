"""Coarse fields and textures."""

from __future__ import annotations

import numpy as np
import pytest

from volumetric.geometry.space import VoxelSpace
from volumetric.phantom.fields import CoarseField, texture


def test_a_linear_field_is_interpolated_exactly():
    grid = VoxelSpace((10, 10, 10))
    z, y, x = (np.arange(n) * 10.0 for n in (5, 6, 7))
    values = (z[:, None, None] + 2 * y[:, None] - x).astype(np.float32)
    space = VoxelSpace((5, 2, 2))
    plane = CoarseField(values, grid).plane(3, (8, 20, 25), space)
    expected = 15 + 2 * (np.arange(20) * 2.0)[:, None] - np.arange(25) * 2.0
    np.testing.assert_allclose(plane, expected, atol=1e-4)


def test_a_field_is_constant_beyond_its_grid():
    field = CoarseField(np.ones((2, 2, 2), dtype=np.float32), VoxelSpace((1, 1, 1)))
    np.testing.assert_allclose(field.plane(50, (60, 4, 4), VoxelSpace((1, 1, 1))), 1, atol=1e-6)
    assert field.at(np.array([[-9.0, 0.0, 99.0]])) == pytest.approx(1)


def test_texture_has_unit_variance_the_asked_length_and_no_seam():
    noise = texture(np.random.default_rng(0), (8, 128, 128), [(1, 4, 4)])
    assert noise.mean() == pytest.approx(0, abs=1e-5)
    assert noise.std() == pytest.approx(1, abs=1e-5)

    def correlation(shift):
        return float((noise * np.roll(noise, shift, 2)).mean())

    # The autocorrelation of noise smoothed by sigma is a Gaussian of sqrt(2) sigma.
    assert correlation(4) == pytest.approx(np.exp(-1 / 4), abs=0.1)
    assert abs(correlation(40)) < 0.15
    step = np.abs(np.diff(noise, axis=2)).mean()
    assert np.abs(noise[:, :, 0] - noise[:, :, -1]).mean() == pytest.approx(step, rel=0.2)
