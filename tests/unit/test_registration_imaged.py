"""Which part of a brain an image shows, on a phantom of which parts are cut away or blank."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from volumetric.atlas.counts import measure_extent
from volumetric.errors import InputError
from volumetric.geometry.field_of_view import FieldOfView
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap
from volumetric.phantom.atlas import procedural_atlas
from volumetric.registration.imaged import Halves, declared_part
from volumetric.registration.linear import fit_linear
from volumetric.registration.located import Located, locate
from volumetric.registration.placement import Template
from volumetric.registration.prepare import prepare
from volumetric.registration.seen import seen_brain

STEP = 200.0
SPACE = VoxelSpace((STEP,) * 3)
PARTS = ["whole", "left crop", "left blank", "left with margin", "right crop", "front", "back"]


@lru_cache(maxsize=1)
def brain() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Template, left and right half of the built-in atlas, asr at 200 um, with room around the brain."""
    atlas = procedural_atlas()
    every = (slice(None, None, 2),) * 3
    inside, sides = atlas.annotation[every] > 0, atlas.hemispheres[every]
    room = [(4, 4)] * 3
    image = np.pad(atlas.template[every].astype(np.float32), room)
    return image, np.pad(inside & (sides == 1), room), np.pad(inside & (sides == 2), room)


@lru_cache(maxsize=1)
def coarse() -> Template:
    return Template(brain()[0], SPACE)


def halves() -> Halves:
    _, left, right = brain()
    return Halves(left, right, SPACE, "asr")


def shown(part: str) -> tuple[np.ndarray, np.ndarray]:
    """An image in the atlas' orientation, and where its first voxel lies in the atlas, um."""
    image = 100 + brain()[0] + np.random.default_rng(0).normal(0, 5, brain()[0].shape)
    depth, _, width = image.shape
    middle, offset = width // 2, np.zeros(3)
    if part == "left crop":  # asr: the first half is right
        image, offset[2] = image[..., middle:], middle * STEP
    elif part == "left blank":
        image[..., :middle] = 100
    elif part == "left with margin":
        image, offset[2] = (
            np.pad(image[..., middle:], [(3, 3), (3, 3), (9, 9)], constant_values=100),
            (middle - 9) * STEP,
        )
        offset[:2] = -3 * STEP
    elif part == "right crop":
        image = image[..., :middle]
    elif part == "front":
        image = image[: depth // 2]
    elif part == "back":
        image, offset[0] = image[depth // 2 :], depth // 2 * STEP
    return image.astype(np.float32), offset


@lru_cache(maxsize=8)
def located(part: str) -> Located:
    sample = prepare(shown(part)[0], SPACE, "asr", "asr", (STEP,) * 3)
    return locate(sample, coarse(), halves())


@pytest.mark.parametrize("part", PARTS)
def test_the_part_its_side_and_its_cuts_are_found(part: str) -> None:
    found = located(part).found
    expected = {"whole": "whole", "left": "left", "right": "right"}.get(part.split(maxsplit=1)[0], "part")
    assert found.part == expected
    assert found.side == (expected if expected in ("left", "right") else "both")
    cuts = {"left": {"r"}, "right": {"l"}, "front": {"p"}, "back": {"a"}}.get(part.split(maxsplit=1)[0], set())
    assert {cut.side for cut in found.cuts} == cuts


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_not_stretched_over_the_whole_brain(part: str) -> None:
    at = located(part)
    linear = fit_linear(at.sample, brain()[0], SPACE, coarse=coarse(), placement=at.placement)
    assert linear.scales == pytest.approx((1, 1, 1), abs=0.04)
    _, left, right = brain()
    points = SPACE.to_um(np.argwhere(left | right))
    moved = points @ linear.affine[:, :3].T + linear.affine[:, 3]
    off = np.linalg.norm(moved - (points - shown(part)[1]), axis=1)
    here = np.all((moved >= 0) & (moved < np.multiply(at.sample.image.shape, STEP)), axis=1)
    assert np.median(off[here]) < 0.5 * STEP


@pytest.mark.parametrize("part", PARTS)
def test_what_is_seen_is_the_brain_up_to_the_cut(part: str) -> None:
    seen = seen_brain(located(part).sample)
    _, left, right = brain()
    whole = left | right
    if part == "left blank":
        middle = whole.shape[2] // 2
        assert not seen[..., : middle - 2].any()
        assert seen[..., middle:][whole[..., middle:]].mean() > 0.99
    elif part == "whole":
        assert seen[whole].mean() > 0.99
        assert seen.mean() < 1.6 * whole.mean()
    else:
        assert seen.any()


def test_what_the_user_knows_is_put_over_it() -> None:
    half = located("left crop").found
    assert declared_part(half, None) is half
    assert declared_part(half, "left") is half
    whole = declared_part(half, "whole")
    assert (whole.part, whole.side) == ("whole", "both")
    assert whole.mask.sum() > half.mask.sum()
    tilted = replace(half, part="part", side="both")
    assert declared_part(tilted, "left").side == "left"


def test_regions_of_a_side_that_was_not_imaged_have_no_volume_and_no_coverage() -> None:
    atlas = procedural_atlas()
    still = SmoothMap.identity(atlas.space, atlas.shape)
    everything = FieldOfView.of_image(atlas.shape, atlas.space)
    both, left = (measure_extent(atlas, still, everything, side=side) for side in ("both", "left"))
    assert np.array_equal(left.volume_mm3[:, 0], both.volume_mm3[:, 0])
    assert not left.volume_mm3[:, 1].any()
    assert not left.imaged_vox[:, 1].any()
    assert np.array_equal(left.atlas_vox, both.atlas_vox)
    points = atlas.space.to_um(np.argwhere(atlas.annotation > 0)[::97])
    region, side = atlas.only("left").lookup(points)
    known_region, known_side = atlas.lookup(points)
    assert np.array_equal(region, np.where(known_side == 1, known_region, 0))
    assert set(side.tolist()) == {0, 1}


def test_nothing_at_all_is_no_part() -> None:
    with pytest.raises(InputError, match="constant"):
        prepare(np.full((20, 20, 20), 7.0), SPACE, "asr", "asr", (STEP,) * 3)
