"""Density maps: cells are kept, borders are right, what was not imaged is null."""

from __future__ import annotations

import numpy as np
import pytest

from volumetric.errors import InputError
from volumetric.geometry.space import VoxelSpace
from volumetric.statistics.density_map import add_cells, density_map, imaged_tissue, map_grid

SPACE = VoxelSpace((50.0, 50.0, 50.0))


def test_even_density_is_even_up_to_the_surface() -> None:
    tissue = np.zeros((24, 20, 22), dtype=bool)
    tissue[4:20, 4:16, 4:18] = True
    counts = np.where(tissue, 3, 0).astype(np.float32)
    density = density_map(counts, tissue, SPACE, 120)
    np.testing.assert_allclose(density[tissue], 3 / 0.05**3, rtol=1e-5)
    assert np.isnan(density[~tissue]).all()


def test_cells_fall_into_the_voxel_whose_centre_is_nearest() -> None:
    counts = np.zeros((2, 3, 4), dtype=np.float32)
    points = np.array([[0, 0, 0], [74, 100, 150], [26, 0, 24], [-26, 0, 0], [0, 0, 176], [24.9, 0, 0]], dtype=float)
    add_cells(counts, points, SPACE)
    assert counts[0, 0, 0] == 2
    assert counts[1, 2, 3] == 1
    assert counts[1, 0, 0] == 1
    assert counts.sum() == 4


def test_a_grid_of_whole_blocks() -> None:
    annotation = np.arange(7 * 4 * 4, dtype=np.uint32).reshape(7, 4, 4)
    grid = map_grid(annotation, np.ones_like(annotation, dtype=np.uint8), VoxelSpace((25.0, 50.0, 20.0)), 50)
    assert grid.shape == (4, 4, 2)
    assert grid.space.spacing_um == (50.0, 50.0, 40.0)
    assert grid.space.origin_um == (12.5, 0.0, 10.0)
    assert grid.annotation[:, 0, 0].tolist() == annotation[[1, 3, 5, 6], 0, 1].tolist()


def test_what_was_not_imaged_is_no_tissue() -> None:
    annotation = np.array([[[0, 5, 5, 9, 9, 5]]], dtype=np.uint32)
    sides = np.array([[[1, 1, 2, 1, 2, 2]]], dtype=np.uint8)
    grid = map_grid(annotation, sides, SPACE, 50)
    coverage = np.array([[0.2, 0.9], [0.6, np.nan]])
    tissue = imaged_tissue(grid, np.array([9, 5]), coverage, 0.5)
    assert tissue[0, 0].tolist() == [False, True, False, False, True, False]
    with pytest.raises(InputError, match="region ids that the tables lack"):
        imaged_tissue(grid, np.array([9, 6]), coverage, 0.5)
