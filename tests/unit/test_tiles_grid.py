"""Where tiles lie, and which region a tile belongs to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.finished_run import ONTOLOGY
from volumetric.atlas.selection import owners, select_with_descendants
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.phantom.atlas import procedural_atlas
from volumetric.tiles.belonging import belonging, named
from volumetric.tiles.grid import TileGrid, slices_every, tiles_in


@given(st.integers(16, 90), st.integers(90, 400), st.integers(90, 400))
def test_tiles_are_whole_within_the_volume_and_edge_to_edge(size: int, height: int, width: int) -> None:
    grid = TileGrid((9, height, width), size, (2, 7))
    seen = np.zeros((9, height, width), np.int8)
    for index in tiles_in(Box.of_shape(grid.counts)):
        box = grid.box(index)
        assert box.shape == (1, size, size)
        assert box == box.clip(grid.shape)
        seen[box.slices] += 1
    rows, columns = height // size, width // size
    assert seen.max() == 1
    assert seen.sum() == 2 * rows * columns * size**2
    assert set(np.flatnonzero(seen.any(axis=(1, 2)))) == {2, 7}


def test_names_tell_the_place_and_sort_by_it() -> None:
    grid = TileGrid((2000, 9000, 9000), 500, (3, 1200))
    indices = list(tiles_in(Box.of_shape(grid.counts)))
    names = [grid.name(index) for index in indices]
    assert names == sorted(names)
    assert grid.name((1, 2, 17)) == "z01200-y01000-x08500"


@pytest.mark.parametrize("size", [1, 7, 50, 64, 500])
def test_points_are_spread_evenly_over_a_tile(size: int) -> None:
    grid = TileGrid((3, 2 * size, 2 * size), size, (1,))
    points = grid.points((0, 1, 1))
    low, high = np.asarray(grid.box((0, 1, 1)).start), np.asarray(grid.box((0, 1, 1)).stop)
    assert len(points) == min(size, 50) ** 2
    assert np.all((points >= low) & (points <= high - 1))
    assert np.allclose(points.mean(axis=0), (low + high - 1) / 2)
    if size <= 50:
        assert np.array_equal(np.unique(points[:, 1]), np.arange(size, 2 * size))


@pytest.mark.parametrize(
    ("slices", "size", "message"),
    [
        ((9,), 50, "from slices 0 to 8"),
        ((), 50, "not from none"),
        ((4, 3), 50, "must rise"),
        ((1,), 101, "hold no tile of 101 x 101 px"),
    ],
)
def test_what_cannot_be_cut_is_refused(slices: tuple[int, ...], size: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TileGrid((9, 100, 200), size, slices)


def test_slices_are_about_so_far_apart() -> None:
    assert slices_every(400, 5.0, 500.0) == (50, 150, 250, 350)
    assert slices_every(3, 5.0, 500.0) == (1,)
    assert slices_every(4, 50.0, 10.0) == (0, 1, 2, 3)


def test_a_pixel_is_of_the_most_specific_named_region() -> None:
    assert owners(ONTOLOGY, "root, NA") == {997: 997, 20: 20, 10: 20, 30: 997}
    assert owners(ONTOLOGY, "root, -NA") == {997: 997, 30: 997}
    ontology = procedural_atlas().ontology
    own = owners(ontology, "CTX, HPF, -CA1")
    assert tuple(own) == select_with_descendants(ontology, "CTX, HPF, -CA1")
    by_acronym = {ontology[i].acronym: ontology[named].acronym for i, named in own.items()}
    assert (by_acronym["DG"], by_acronym["HPF"], by_acronym["VIS5"]) == ("HPF", "HPF", "CTX")
    ids = np.array([[0, 33, 35], [24, 47, 2**32 - 1]], np.uint32)
    assert named(ids, own).tolist() == [[0, 0, 32], [4, 0, 0]]


def test_a_tile_belongs_to_the_region_of_most_of_its_pixels() -> None:
    regions = np.array([[5, 5, 5, 9], [5, 9, 9, 0], [5, 5, 9, 9], [0, 0, 0, 9], [0, 0, 0, 0]], np.uint32)
    sides = np.array([[1, 2, 2, 1], [2, 1, 1, 0], [1, 1, 2, 2], [0, 0, 0, 2], [0, 0, 0, 0]], np.uint8)
    found = belonging(regions, sides, 0.5)
    assert found.region_id.tolist() == [5, 9, 5, 0, 0]
    assert found.share.tolist() == [0.75, 0.5, 0.5, 0.25, 0]
    assert found.hemisphere.tolist() == [2, 1, 1, 0, 0]
    assert belonging(regions, sides, 0.6).region_id.tolist() == [5, 0, 0, 0, 0]
    assert belonging(regions, sides, 0.2).region_id.tolist() == [5, 9, 5, 9, 0]
