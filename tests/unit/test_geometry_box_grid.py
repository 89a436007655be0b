from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.geometry.grid import BlockGrid

small = st.integers(1, 12)
triple = st.tuples(small, small, small)
halos = st.tuples(*[st.integers(0, 4)] * 3)


def test_a_box_counts_and_slices() -> None:
    box = Box((1, 2, 3), (2, 4, 6))
    assert box.shape == (1, 2, 3)
    assert box.size == 6
    assert np.zeros((9, 9, 9))[box.slices].shape == box.shape


def test_a_box_that_stops_before_it_starts_is_refused() -> None:
    with pytest.raises(InputError, match="stop before it starts"):
        Box((1, 0, 0), (0, 1, 1))


def test_boxes_that_do_not_meet_share_nothing() -> None:
    assert Box((0, 0, 0), (2, 2, 2)).intersect(Box((5, 0, 0), (6, 2, 2))).size == 0


@given(triple, triple, triple)
def test_dividing_and_multiplying_covers_the_box(start: tuple, shape: tuple, factors: tuple) -> None:
    box = Box(start, tuple(a + n for a, n in zip(start, shape, strict=True)))
    again = box.divide(factors).multiply(factors)
    assert again.intersect(box) == box


@given(triple, triple, halos)
def test_write_boxes_tile_the_volume_and_lie_in_their_read_boxes(shape: tuple, block: tuple, halo: tuple) -> None:
    grid = BlockGrid(shape, block, halo)
    seen = np.zeros(shape, dtype=int)
    for item in grid:
        seen[item.write.slices] += 1
        assert item.read.intersect(item.write) == item.write
        assert item.read.intersect(Box.of_shape(shape)) == item.read
        assert grid.block_of(item.key) == item
    assert (seen == 1).all()
    assert len(list(grid)) == len(grid)


def test_points_on_the_far_side_belong_to_the_next_box() -> None:
    box = Box((0, 0, 0), (2, 2, 2))
    points = np.array([[0.0, 0.0, 0.0], [1.99, 1.0, 1.0], [2.0, 1.0, 1.0], [-0.01, 0.0, 0.0]])
    assert box.contains(points).tolist() == [True, True, False, False]
