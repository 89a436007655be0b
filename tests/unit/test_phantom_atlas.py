"""The built-in atlas is a brain: whole, symmetric, unlike itself when flipped, with a real hierarchy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from volumetric.phantom.atlas import procedural_atlas


@pytest.fixture(scope="module")
def atlas():
    return procedural_atlas()


def test_every_leaf_is_drawn_and_nothing_else(atlas):
    parents = {region.parent_id for region in atlas.ontology.regions}
    leaves = set(atlas.ontology.ids) - parents
    drawn = set(np.unique(atlas.annotation).tolist()) - {0}
    assert drawn == leaves
    assert 40 <= len(leaves) <= 70
    assert max(atlas.ontology.depth.values()) >= 4
    assert [region.acronym for region in atlas.ontology.regions if region.parent_id is None] == ["root"]


def test_the_brain_is_one_piece_of_plausible_size(atlas):
    brain = atlas.annotation > 0
    assert ndimage.label(brain)[1] == 1
    assert 0.25 < brain.mean() < 0.45
    assert not any(face.any() for axis in range(3) for face in (brain.take(0, axis), brain.take(-1, axis)))


def test_hemispheres_mirror_each_other_and_the_first_column_is_right(atlas):
    assert atlas.orientation == "asr"
    assert np.all(atlas.hemispheres[:, :, 0] == 2)
    assert np.all(atlas.hemispheres[:, :, -1] == 1)
    np.testing.assert_array_equal(atlas.annotation, atlas.annotation[:, :, ::-1])
    np.testing.assert_array_equal(atlas.template, atlas.template[:, :, ::-1])


def test_flipping_front_to_back_or_top_to_bottom_shows(atlas):
    template = atlas.template.astype(float)
    for axis in (0, 1):
        assert np.corrcoef(template.ravel(), np.flip(template, axis).ravel())[0, 1] < 0.75


def test_the_template_tells_regions_apart(atlas):
    brain = np.unique(atlas.annotation[atlas.annotation > 0])
    means = ndimage.mean(atlas.template, atlas.annotation, brain)
    assert means.std() / means.mean() > 0.25
