from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.geometry.orientation import ORIENTATIONS, AxisMap, check_orientation
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap

orientations = st.sampled_from(ORIENTATIONS)


def test_the_centre_of_a_voxel_is_at_its_index_and_brainglobe_has_the_corner_there() -> None:
    space = VoxelSpace((5.0, 2.0, 2.0), (10.0, 0.0, 1.0))
    assert space.to_um([[0, 0, 0]]).tolist() == [[10.0, 0.0, 1.0]]
    assert space.to_brainglobe_um(space.to_um([[0, 0, 0]])).tolist() == [[12.5, 1.0, 2.0]]
    assert space.to_vox(space.to_um([[1.5, 2, 3]])).tolist() == [[1.5, 2.0, 3.0]]


def test_a_coarser_voxel_has_its_centre_between_those_it_covers() -> None:
    coarser = VoxelSpace((5.0, 2.0, 2.0)).coarser((1, 2, 4))
    assert coarser.spacing_um == (5.0, 4.0, 8.0)
    assert coarser.origin_um == (0.0, 1.0, 3.0)


@pytest.mark.parametrize("spacing", [(0, 1, 1), (1, -1, 1), (1, float("nan"), 1), (1, 1)])
def test_a_voxel_size_must_be_three_positive_numbers(spacing: tuple) -> None:
    with pytest.raises(InputError):
        VoxelSpace(spacing)


@pytest.mark.parametrize("text", ["", "xyz", "aps", "aaa", "as", "asrl"])
def test_an_unknown_orientation_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="psl"):
        check_orientation(text)


def test_there_are_48_orientations() -> None:
    assert len(set(ORIENTATIONS)) == 48


@given(orientations, orientations)
def test_turning_there_and_back_is_the_identity(a: str, b: str) -> None:
    image = np.arange(24).reshape(2, 3, 4)
    assert (AxisMap.between(b, a).apply(AxisMap.between(a, b).apply(image)) == image).all()


@given(orientations, orientations)
def test_the_turn_of_points_is_the_turn_of_the_image(a: str, b: str) -> None:
    shape, spacing = (3, 4, 5), (5.0, 2.0, 1.0)
    image = np.arange(60).reshape(shape)
    turn = AxisMap.between(a, b)
    turned = turn.apply(image)
    matrix = turn.matrix(tuple((n - 1) * s for n, s in zip(shape, spacing, strict=True)))
    target = VoxelSpace(turn.reorder(spacing))
    for index in ((0, 0, 0), (2, 1, 3), (1, 3, 4)):
        moved = matrix[:, :3] @ VoxelSpace(spacing).to_um([index])[0] + matrix[:, 3]
        there = tuple(np.rint(target.to_vox([moved])[0]).astype(int))
        assert turned[there] == image[index]


def test_orientations_agree_with_brainglobe() -> None:
    space = pytest.importorskip("brainglobe_space")
    image = np.arange(24).reshape(2, 3, 4)
    for source, target in (("psl", "asr"), ("lai", "asr"), ("spr", "ial")):
        theirs = space.AnatomicalSpace(source, shape=image.shape).map_stack_to(target, image)
        assert (AxisMap.between(source, target).apply(image) == theirs).all()


@given(st.integers(0, 2**32 - 1))
def test_a_map_without_displacement_is_affine_everywhere(seed: int) -> None:
    rng = np.random.default_rng(seed)
    affine = rng.normal(size=(3, 4))
    grid = VoxelSpace((10.0, 20.0, 30.0), (5.0, 0.0, -5.0))
    transform = SmoothMap(affine, np.zeros((3, 4, 3, 2), np.float32), grid)
    points = rng.uniform(-500, 500, (20, 3))
    np.testing.assert_allclose(transform(points), points @ affine[:, :3].T + affine[:, 3], atol=1e-9)


def test_a_displacement_is_interpolated_between_grid_points_and_held_beyond_them() -> None:
    field = np.zeros((3, 2, 1, 1), np.float32)
    field[1, 1] = 4.0
    transform = SmoothMap(np.eye(3, 4), field, VoxelSpace((10.0, 10.0, 10.0)))
    moved = transform([[5.0, 0.0, 0.0], [10.0, 0.0, 0.0], [30.0, 7.0, 0.0]])
    np.testing.assert_allclose(moved, [[5.0, 2.0, 0.0], [10.0, 4.0, 0.0], [30.0, 11.0, 0.0]])
    np.testing.assert_allclose(transform.on_grid()[:, 1, 0, 0], [10.0, 4.0, 0.0])
