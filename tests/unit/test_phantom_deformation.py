"""The known map is smooth, invertible and as large as asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.geometry.orientation import ORIENTATIONS, AxisMap
from volumetric.phantom.deformation import jacobian, moved, random_deformation

EXTENT = (1600.0, 1000.0, 1400.0)


def deformation(seed=0, orientation="psl", **settings):
    turn = AxisMap.between(orientation, "asr")
    return random_deformation(np.random.default_rng(seed), EXTENT, turn, **{"strength": 0.04, **settings})


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), orientation=st.sampled_from(ORIENTATIONS))
def test_it_never_folds(seed, orientation):
    smooth = deformation(seed, orientation)
    determinant = jacobian(smooth) * np.sign(np.linalg.det(smooth.affine[:, :3]))
    assert determinant.min() > 0.3
    assert determinant.max() < 2.5


def test_the_largest_displacement_is_as_asked():
    smooth = deformation(strength=0.05)
    largest = np.linalg.norm(smooth.displacement_um, axis=0).max()
    assert largest == pytest.approx(0.05 * np.mean(EXTENT), rel=1e-4)


def test_without_strength_it_is_the_turn_alone():
    smooth = deformation(strength=0.0, rotation_deg=0.0, stretch=0.0)
    corners = np.array([[0, 0, 0], EXTENT, [1600, 0, 0]])
    expected = np.array([[1600, 0, 1400], [0, 1000, 0], [0, 0, 1400]])
    np.testing.assert_allclose(smooth(corners), expected, atol=1e-9)


def test_a_moved_origin_changes_nothing_else():
    smooth, start = deformation(), np.array([100.0, -50.0, 30.0])
    points = np.random.default_rng(1).uniform(200, 900, (50, 3))
    np.testing.assert_allclose(moved(smooth, start)(points - start), smooth(points), atol=1e-6)


def test_folding_is_refused():
    with pytest.raises(InputError, match="folds"):
        deformation(strength=0.6)
