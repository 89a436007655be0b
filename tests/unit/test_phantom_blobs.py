"""Soft ellipsoids, against the formula evaluated voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.phantom.blobs import Blobs, profile


def blobs(centres, radius=3.0, half=1.5, brightness=100.0, **looks):
    n = len(centres)
    full = [np.full(n, value, dtype=np.float32) for value in (radius, half, brightness)]
    return Blobs(np.asarray(centres, dtype=np.float64).reshape(n, 3), *full, **looks)


def test_profile_is_one_in_the_middle_half_at_the_rim_and_falls():
    rho = np.linspace(0, 3, 50)
    for softness in (0.1, 0.2, 0.34):
        light = profile(rho, softness)
        assert light[0] == pytest.approx(1)
        assert np.all(np.diff(light) <= 0)
        assert profile(1.0, softness) == pytest.approx(0.5, abs=0.03)


@settings(max_examples=30, deadline=None)
@given(
    z=st.floats(-2, 8),
    y=st.floats(-6, 26),
    x=st.floats(-6, 26),
    radius=st.floats(0.6, 5),
    half=st.floats(0.5, 3),
    aspect=st.floats(1, 2),
    angle=st.floats(0, 3.1),
)
def test_stamp_follows_the_formula_also_across_borders(z, y, x, *, radius, half, aspect, angle):
    one = blobs([[z, y, x]], radius, half, aspect=aspect, angle=angle, softness=0.2)
    stack = np.zeros((6, 20, 21), dtype=np.float32)
    for k, plane in enumerate(stack):
        one.stamp(plane, k)
    dz, dy, dx = (g - c for g, c in zip(np.indices(stack.shape), (z, y, x), strict=True))
    along = (np.cos(angle) * dy + np.sin(angle) * dx) / (radius * np.sqrt(aspect))
    across = (np.cos(angle) * dx - np.sin(angle) * dy) / (radius / np.sqrt(aspect))
    rho = np.sqrt(along**2 + across**2 + (dz / half) ** 2)
    expected = np.where(rho < 1.8, 100 * profile(rho, 0.2), 0)
    edge = np.abs(rho - 1.8) < 1e-3
    np.testing.assert_allclose(stack[~edge], expected[~edge], atol=0.02)


def test_light_adds_and_masks_do_not():
    two = blobs([[0, 10, 10], [0, 10, 12]])
    added, masked = np.zeros((20, 20), dtype=np.float32), np.zeros((20, 20), dtype=np.float32)
    two.stamp(added, 0)
    two.stamp(masked, 0, np.maximum)
    assert added.max() > 150
    assert masked.max() == pytest.approx(100, rel=1e-3)


def test_far_slices_are_left_alone():
    plane = np.zeros((20, 20), dtype=np.float32)
    blobs([[0, 10, 10]]).stamp(plane, 5)
    assert not plane.any()
