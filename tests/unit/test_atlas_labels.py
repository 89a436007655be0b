from __future__ import annotations

import numpy as np

from volumetric.atlas import labels as labels_module
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.labels import assign, labels_on_grid
from volumetric.atlas.ontology import Ontology, Region
from volumetric.atlas.sides import symmetric_hemispheres
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap


def atlas_and_map() -> tuple[Atlas, SmoothMap]:
    rng = np.random.default_rng(2)
    shape = (7, 8, 9)
    atlas = Atlas(
        name="blocks",
        space=VoxelSpace((20.0, 20.0, 20.0)),
        orientation="asr",
        template=np.zeros(shape, np.uint16),
        annotation=rng.integers(0, 3, shape).astype(np.uint32),
        hemispheres=symmetric_hemispheres(shape, "asr"),
        ontology=Ontology((Region(1, "a", "a", None), Region(2, "b", "b", 1))),
    )
    affine = np.array([[0, 1.0, 0, -15.0], [-1.0, 0, 0, 140.0], [0, 0, 1.0, 10.0]])
    warp = rng.normal(0, 8, (3, 9, 8, 10)).astype(np.float32)
    return atlas, SmoothMap(affine, warp, VoxelSpace((20.0, 20.0, 20.0), (5.0, 0.0, -5.0)))


def test_labels_on_the_grid_are_the_lookup_of_each_point() -> None:
    atlas, transform = atlas_and_map()
    region, side = labels_on_grid(transform, atlas)
    for index in np.ndindex(region.shape):
        at = transform(transform.grid.to_um([index]))
        vox = np.floor(at[0] / 20 + 0.5).astype(int)
        inside = bool(np.all(vox >= 0) and np.all(vox < atlas.shape))
        assert region[index] == (atlas.annotation[tuple(vox)] if inside else 0)
        assert side[index] == (atlas.hemispheres[tuple(vox)] if inside else 0)


def test_assignment_does_not_depend_on_the_chunks(monkeypatch) -> None:
    atlas, transform = atlas_and_map()
    points = np.random.default_rng(3).uniform(-50, 250, (1001, 3))
    whole = assign(points, transform, atlas)
    monkeypatch.setattr(labels_module, "CHUNK", 97)
    cut = assign(points, transform, atlas)
    assert np.array_equal(whole.region_id, cut.region_id)
    assert np.array_equal(whole.hemisphere, cut.hemisphere)
    assert np.array_equal(whole.atlas_um, cut.atlas_um)
    assert np.array_equal(whole.atlas_um, transform(points))
    assert np.array_equal(whole.in_atlas, whole.region_id > 0)
    assert 0 < whole.in_atlas.sum() < 1001
    assert len(assign(np.zeros((0, 3)), transform, atlas).region_id) == 0
