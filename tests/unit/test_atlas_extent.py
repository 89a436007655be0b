"""Volumes of regions: exact where the map is known, never 0 where a cell lies."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tests.small_brain import phantom
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.counts import measure_extent, region_table
from volumetric.atlas.labels import assign
from volumetric.atlas.ontology import Ontology, Region
from volumetric.atlas.sides import symmetric_hemispheres
from volumetric.atlas.tally import tally
from volumetric.geometry.field_of_view import Exclusion, FieldOfView
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap

SHAPE = (9, 8, 10)
EVERYWHERE = FieldOfView((-1e9,) * 3, (1e9,) * 3)


def atlas_of_specks(seed: int) -> Atlas:
    """Most regions have a voxel or two, as small ones have at 200 um."""
    rng = np.random.default_rng(seed)
    ids = np.arange(1, 200, dtype=np.uint32)
    annotation = rng.choice(np.concatenate([ids, np.full(200, 1, np.uint32), np.zeros(100, np.uint32)]), SHAPE)
    return Atlas(
        name="specks",
        space=VoxelSpace((200.0, 100.0, 150.0)),
        orientation="asr",
        template=np.zeros(SHAPE, np.uint16),
        annotation=annotation,
        hemispheres=symmetric_hemispheres(SHAPE, "asr"),
        ontology=Ontology(tuple(Region(int(i), f"a{i}", f"region {i}", None) for i in ids)),
    )


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(0.3, 3.0), seed=st.integers(0, 1000), turned=st.booleans())
def test_a_map_of_pure_scale_gives_its_cube(scale: float, seed: int, turned: bool) -> None:
    atlas = atlas_of_specks(seed)
    linear = np.eye(3)[[2, 0, 1]] * [1, -1, 1] if turned else np.eye(3)
    affine = np.column_stack([linear * scale, [30.0, -500.0, 7.0]])
    enlarge = SmoothMap(affine, np.zeros((3, *SHAPE), np.float32), atlas.space)
    found = measure_extent(atlas, enlarge, EVERYWHERE)
    voxels = tally(atlas.ontology, atlas.annotation.ravel(), atlas.hemispheres.ravel())
    assert np.allclose(found.volume_mm3, voxels * atlas.space.voxel_volume_mm3 * scale**3, rtol=1e-5)
    assert np.array_equal(found.imaged_vox, found.atlas_vox)


def test_a_stretch_written_as_displacement_has_its_determinant() -> None:
    grid, stretch = VoxelSpace((10.0, 20.0, 15.0), (5.0, 0.0, -7.0)), (0.5, -0.25, 0.1)
    at = SmoothMap.identity(grid, (5, 6, 7)).on_grid()
    moved = SmoothMap(np.eye(3, 4), at * np.reshape(stretch, (3, 1, 1, 1)).astype(np.float32), grid)
    assert np.allclose(moved.jacobian_on_grid(), np.prod(1 + np.array(stretch)), rtol=1e-4)
    flat = SmoothMap(np.eye(3, 4) * 2, np.zeros((3, 1, 4, 1), np.float32), grid)
    assert np.allclose(flat.jacobian_on_grid(), 8)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), warp_um=st.floats(0, 60), masked=st.booleans())
def test_no_region_with_a_cell_is_empty(seed: int, warp_um: float, masked: bool) -> None:
    """Whatever the window, the mask, and however badly the two maps agree."""
    atlas, rng = atlas_of_specks(seed), np.random.default_rng(seed)

    def warped() -> SmoothMap:
        smooth = np.stack([ndimage.gaussian_filter(rng.standard_normal(SHAPE), 2) for _ in range(3)])
        return SmoothMap(np.eye(3, 4), (smooth / smooth.std() * warp_um).astype(np.float32), atlas.space)

    there, back = warped(), warped()
    corners = np.sort(rng.uniform(-300, 2000, (2, 3)), axis=0)
    exclusion = Exclusion(rng.random((4, 4, 4)) < 0.4, VoxelSpace((400.0,) * 3)) if masked else None
    view = FieldOfView(tuple(corners[0]), tuple(corners[1]), exclusion)
    cells = assign(rng.uniform(corners[0], corners[1], (300, 3)), there, atlas, exclusion)
    seen = np.zeros(SHAPE, np.bool_)
    seen[tuple(atlas.space.nearest_vox(cells.atlas_um[cells.in_atlas]).T)] = True
    extent = measure_extent(atlas, back, view, seen)
    table = region_table(atlas.ontology, cells.region_id, cells.hemisphere, extent)
    assert (table.loc[table["count_own"] > 0, "volume_own_mm3"] > 0).all()
    assert table.loc[table["count"] > 0, "density_per_mm3"].notna().all()
    assert (table["coverage"].dropna() <= 1).all()

    plain = measure_extent(atlas, back, view)
    changed = plain.imaged_vox != extent.imaged_vox
    assert not plain.imaged_vox[changed].any(), "cells change the extent of regions that have one without them"


@lru_cache(maxsize=1)
def true_volumes() -> np.ndarray:
    """Of the phantom: every second voxel of its own grid, looked up through its own map."""
    brain = phantom()
    total = np.zeros((len(brain.atlas.ontology.ids), 2))
    for z in range(brain.shape[0]):
        plane = np.indices((1, *brain.shape[1:]))[:, :, ::2, ::2].reshape(3, -1).T + np.array([z, 0, 0])
        found = assign(brain.space.to_um(plane), brain.sample_to_atlas, brain.atlas)
        total += tally(brain.atlas.ontology, found.region_id, found.hemisphere)
    return total * 4 * brain.space.voxel_volume_mm3


def test_the_volumes_of_the_phantom() -> None:
    brain, true = phantom(), true_volumes()
    back = brain.sample_to_atlas.inverse(brain.atlas.space, brain.atlas.shape)
    found = measure_extent(brain.atlas, back, FieldOfView.of_image(brain.shape, brain.space)).volume_mm3
    assert found.sum() == pytest.approx(true.sum(), rel=0.002)
    error = np.abs(found[true > 0] / true[true > 0] - 1)
    assert np.median(error) < 0.02
    assert (found[true > 0] > 0).all()
