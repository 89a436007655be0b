from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from volumetric.errors import InputError
from volumetric.geometry.field_of_view import Exclusion, FieldOfView
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap

GRID = VoxelSpace((10.0, 20.0, 15.0), (5.0, -10.0, 0.0))
SHAPE = (20, 14, 16)


def smooth_map(seed: int, size_um: float) -> SmoothMap:
    rng = np.random.default_rng(seed)
    warp = np.stack([ndimage.gaussian_filter(rng.standard_normal(SHAPE), 3) for _ in range(3)])
    linear = np.eye(3) + rng.uniform(-0.1, 0.1, (3, 3))
    affine = np.column_stack([linear, rng.uniform(-50, 50, 3)])
    return SmoothMap(affine, (warp / np.abs(warp).max() * size_um).astype(np.float32), GRID)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), size_um=st.floats(0, 12))
def test_an_inverse_leads_back(seed: int, size_um: float) -> None:
    there = smooth_map(seed, size_um)
    points = GRID.to_um(np.random.default_rng(seed).uniform(3, 10, (200, 3)))
    at = there(points)
    fine = VoxelSpace((2.0, 2.0, 2.0), tuple(at.min(axis=0) - 4))
    shape = tuple(int(n) + 5 for n in (np.ptp(at, axis=0) / 2))
    back = there.inverse(fine, shape)
    assert np.abs(back(at) - points).max() < 0.3


def test_a_map_that_turns_to_and_fro_has_no_inverse() -> None:
    folded = smooth_map(0, 0.0)
    folded.displacement_um[0] = 35.0 * (-1.0) ** np.arange(20)[:, None, None]
    with pytest.raises(InputError, match="cannot be inverted"):
        folded.inverse(GRID, SHAPE)


def test_maps_are_composed_in_order() -> None:
    one, two = smooth_map(1, 8.0), smooth_map(2, 8.0)
    both = one.then(two)
    on_grid = GRID.to_um(np.indices(SHAPE).reshape(3, -1).T)
    assert np.allclose(both(on_grid), two(one(on_grid)), atol=1e-3)
    same = SmoothMap.identity(GRID, SHAPE)
    assert np.allclose(same.then(one)(on_grid), one(on_grid), atol=1e-3)


def test_another_affine_gives_the_same_map_on_the_grid() -> None:
    one = smooth_map(3, 8.0)
    other = one.with_affine(np.eye(3, 4))
    on_grid = GRID.to_um(np.indices(SHAPE).reshape(3, -1).T)
    assert np.allclose(one(on_grid), other(on_grid), atol=1e-3)


def test_a_field_of_view_is_half_open_and_leaves_out_what_is_excluded() -> None:
    mask = np.zeros((4, 4, 4), np.bool_)
    mask[1, 2, 3] = True
    space = VoxelSpace((10.0, 10.0, 10.0))
    whole = FieldOfView.of_image((4, 4, 4), space)
    part = FieldOfView.of_image((4, 4, 4), space, Exclusion(mask, space))
    points = [[-5.0, -5, -5], [34.9, 0, 0], [35.0, 0, 0], [10.0, 20, 30], [14.9, 24.9, 25.0], [15.0, 20, 30]]
    assert whole.contains(points).tolist() == [True, True, False, True, True, True]
    assert part.contains(points).tolist() == [True, True, False, False, False, True]
    with pytest.raises(InputError, match="bool"):
        Exclusion(np.zeros((2, 2, 2)), space)
