from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from volumetric.errors import InputError
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap
from volumetric.registration.landmarks import Landmarks, corrected

ATLAS = VoxelSpace((100.0, 100.0, 100.0))
SHAPE = (60, 40, 50)
SAMPLE = VoxelSpace((90.0, 110.0, 100.0), (40.0, -20.0, 10.0))


def maps() -> tuple[SmoothMap, SmoothMap]:
    """A stretch, a shift and a smooth warp; and the way back."""
    rng = np.random.default_rng(1)
    warp = np.stack([ndimage.gaussian_filter(rng.standard_normal((64, 38, 52)), 6) for _ in range(3)])
    affine = np.column_stack([np.diag([1.04, 0.98, 1.01]), [30.0, -60.0, 20.0]])
    there = SmoothMap(affine, (warp / np.abs(warp).max() * 150).astype(np.float32), SAMPLE)
    return there, there.inverse(ATLAS, SHAPE)


def off_by(shift_um: float, n: int = 30) -> Landmarks:
    """Landmarks of a truth that lies beside the registration by a shift along z that grows along x."""
    there, _ = maps()
    rng = np.random.default_rng(2)
    sample = SAMPLE.to_um(rng.uniform(0.25, 0.75, (n, 3)) * (64, 38, 52))
    atlas = there(sample)
    atlas[:, 0] += shift_um * (0.5 + atlas[:, 2] / 5000)
    return Landmarks(sample, atlas)


def test_landmarks_are_met_and_their_neighbours_come_along() -> None:
    there, back = maps()
    landmarks = off_by(200.0)
    new_there, new_back, errors = corrected(there, back, landmarks, SHAPE)
    assert errors.before.min() > 100
    assert errors.after.max() < 5
    assert np.median(errors.left_out) < 0.3 * np.median(errors.before)
    other = off_by(200.0, 45)
    unseen = slice(30, None)
    left = np.linalg.norm(new_there(other.sample_um[unseen]) - other.atlas_um[unseen], axis=1)
    assert np.median(left) < 0.3 * 200
    inside = ATLAS.to_um(np.random.default_rng(3).uniform(8, 32, (500, 3)))
    assert np.linalg.norm(new_there(new_back(inside)) - inside, axis=1).max() < 5


def test_perfect_landmarks_change_nothing() -> None:
    there, back = maps()
    new_there, new_back, errors = corrected(there, back, off_by(0.0), SHAPE)
    assert errors.before.max() < 1e-6
    assert np.allclose(new_there.displacement_um, there.displacement_um, atol=0.01)
    assert np.allclose(new_back.on_grid(), back.on_grid(), atol=0.01)


def test_far_from_all_landmarks_nothing_moves() -> None:
    there, back = maps()
    near = off_by(200.0)
    at_one_end = near.atlas_um[:, 0] < 2000
    few = Landmarks(near.sample_um[at_one_end], near.atlas_um[at_one_end])
    new_there, _, _ = corrected(there, back, few, SHAPE)
    far = SAMPLE.to_um([[62.0, 20.0, 25.0]])
    assert np.linalg.norm(new_there(far) - there(far)) < 2


def test_landmarks_that_change_places_are_refused() -> None:
    there, back = maps()
    sample = SAMPLE.to_um([[30.0, 20.0, 25.0], [34.0, 20.0, 25.0]])
    with pytest.raises(InputError, match="contradict each other"):
        corrected(
            there, back, Landmarks(sample, there(sample)[::-1] + np.array([[900.0, 0, 0], [-900.0, 0, 0]])), SHAPE
        )


def test_one_landmark_has_no_others_to_correct_it() -> None:
    there, back = maps()
    one = off_by(200.0, 1)
    _, _, errors = corrected(there, back, one, SHAPE)
    assert errors.left_out == pytest.approx(errors.before)
    with pytest.raises(InputError, match="at least one"):
        Landmarks(np.empty((0, 3)), np.empty((0, 3)))
    with pytest.raises(InputError, match="not finite"):
        Landmarks(np.full((1, 3), np.nan), np.zeros((1, 3)))
