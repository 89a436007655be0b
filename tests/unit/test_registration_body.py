"""Which body is the brain: on the built-in template as a camera would show it, with all that lies beside and in it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tests.small_brain import phantom
from volumetric.findings import Grade
from volumetric.geometry.field_of_view import Exclusion
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.phantom.atlas import procedural_atlas
from volumetric.registration.body import completed, find_body, unpadded
from volumetric.registration.image_findings import bright_objects, image_findings
from volumetric.registration.prepare import Prepared, prepare

SPACE = VoxelSpace((150.0, 200.0, 200.0), (30.0, -10.0, 0.0))
SPACING = (200.0, 200.0, 200.0)
MAX = 65_535
Image = npt.NDArray[np.uint16]
Mask = npt.NDArray[np.bool_]


@lru_cache(maxsize=1)
def brain() -> Image:
    """The template on a dark frame of 100 with noise; tissue is some 200 grey values above it."""
    light = procedural_atlas().template[::2, ::2, ::2].astype(np.float64)
    return np.random.default_rng(0).poisson(np.pad(light, 4) + 100).astype(np.uint16)


@lru_cache(maxsize=1)
def brain_um3() -> float:
    atlas = procedural_atlas()
    return float((atlas.annotation > 0).sum() * np.prod(atlas.space.spacing_um))


def seen(image: npt.NDArray[np.generic], exclusion: Exclusion | None = None) -> Prepared:
    return prepare(image, SPACE, "asr", "asr", SPACING, exclusion=exclusion, brain_um3=brain_um3())


@lru_cache(maxsize=1)
def plain() -> Prepared:
    return seen(brain())


def differs(sample: Prepared, apart_from: Mask) -> float:
    """Voxels of the mask that changed away from an object, in parts of the tissue."""
    sure = ~ndimage.binary_dilation(plain_grid(apart_from), iterations=2)
    return float(((sample.tissue != plain().tissue) & sure).sum() / plain().tissue.sum())


def plain_grid(mask: Mask) -> Mask:
    """A mask of the image's voxels on the prepared grid, any part of a voxel."""
    points = plain().to_sample(plain().space.to_um(np.indices(plain().image.shape).reshape(3, -1).T))
    near = Exclusion(ndimage.binary_dilation(mask), SPACE)
    return near.at(points).reshape(plain().image.shape)


def ball(centre: npt.ArrayLike, radius: float) -> Mask:
    distance = np.indices(brain().shape) - np.reshape(centre, (3, 1, 1, 1))
    return np.asarray((distance**2).sum(axis=0) <= radius**2)


def box(corner: npt.ArrayLike, size: npt.ArrayLike) -> Mask:
    mask = np.zeros(brain().shape, dtype=np.bool_)
    mask[tuple(slice(int(c), int(c) + int(s)) for c, s in zip(np.asarray(corner), np.asarray(size), strict=True))] = (
        True
    )
    return mask


@st.composite
def objects(draw: st.DrawFn) -> Mask:
    """A ball, a block, a slice or a rim of any size at any place: in the brain, across its edge, beside it."""
    shape = brain().shape
    at = [draw(st.integers(0, n - 1)) for n in shape]
    kind = draw(st.sampled_from(["ball", "block", "slice", "face", "rim"]))
    if kind == "ball":
        return ball(at, draw(st.floats(0.5, 8)))
    if kind == "block":
        return box(at, [draw(st.integers(1, 14)) for _ in range(3)])
    axis = draw(st.integers(0, 2))
    mask = np.zeros(shape, dtype=np.bool_)
    thick = draw(st.integers(1, 3))
    faces = [np.s_[:thick], np.s_[-thick:]]
    if kind == "slice":
        np.moveaxis(mask, axis, 0)[at[axis] : at[axis] + thick] = True
    elif kind == "face":
        np.moveaxis(mask, axis, 0)[draw(st.sampled_from(faces))] = True
    else:
        for each in range(3):
            for face in faces:
                np.moveaxis(mask, each, 0)[face] = True
    return mask


@settings(max_examples=25)
@given(objects(), st.integers(1_500, MAX))
def test_a_bright_object_changes_nothing_elsewhere(where: Mask, value: int) -> None:
    image = brain().copy()
    image[where] = value
    sample = seen(image)
    assert not sample.body.light.inverted
    assert differs(sample, where) < 0.01
    elsewhere = plain().tissue & ~plain_grid(where)
    change = np.abs(sample.image - plain().image)[elsewhere].mean() / plain().image[plain().tissue].mean()
    assert change < 0.06


@settings(max_examples=8)
@given(st.integers(2, 7), st.integers(1_500, MAX))
def test_an_injection_site_is_brain(radius: int, value: int) -> None:
    middle = np.asarray(brain().shape) / 2
    image = brain().copy()
    image[ball(middle, radius)] = value
    sample = seen(image)
    assert sample.tissue[plain_grid(ball(middle, radius))].all()
    (found,) = bright_objects(sample) if radius > 3 else (None,)
    assert found is None or "in the brain" in str(found)


def test_glue_beside_the_brain_is_none_and_is_named() -> None:
    where = box((4, 1, 2), (12, 5, 9))
    image = brain().copy()
    image[where] = 40_000
    sample = seen(image)
    assert not sample.tissue[plain_grid(where) & ~plain().tissue].any()
    (found,) = bright_objects(sample)
    assert "beside the brain" in str(found)
    first, size = np.array([4, 1, 2]), np.array([12, 5, 9])
    assert found.centre_um == pytest.approx(SPACE.to_um(first + (size - 1) / 2), abs=150)
    assert found.size_um == pytest.approx(size * SPACE.spacing_um, abs=250)
    assert found.frame_share == pytest.approx(where.mean(), rel=0.4)
    said = image_findings(sample, brain_um3())
    assert [finding.grade for finding in said] == [Grade.GOOD]
    assert "--exclude-mask" in said[0].text


@settings(max_examples=8)
@given(objects(), st.integers(0, MAX))
def test_what_is_excluded_leads_to_the_same_as_if_it_were_not_there(where: Mask, value: int) -> None:
    image = brain().copy()
    image[where] = value
    painted = Exclusion(ndimage.binary_dilation(where), SPACE)
    one, other = seen(image, painted), seen(brain(), painted)
    assert one.body.light.edge == pytest.approx(other.body.light.edge, rel=0.01)
    assert one.body.light.fence == pytest.approx(other.body.light.fence, rel=0.01)
    assert (one.mask != other.mask).sum() < 0.01 * other.mask.sum()
    assert not bright_objects(one)


@settings(max_examples=8)
@given(st.tuples(*[st.tuples(st.integers(0, 20), st.integers(0, 20))] * 3), st.sampled_from([0, 100, MAX]))
def test_empty_surroundings_change_nothing(widths: tuple[tuple[int, int], ...], value: int) -> None:
    padded = find_body(np.pad(brain(), widths, constant_values=value), SPACE)
    assert padded.light.edge == pytest.approx(plain().body.light.edge, rel=0.03)
    assert padded.light.fence == pytest.approx(plain().body.light.fence, rel=0.03)
    assert padded.volume_um3 == pytest.approx(plain().body.volume_um3, rel=0.05)


@pytest.mark.parametrize("bits", [8, 16])
def test_inverted_contrast_is_seen_and_turned(bits: int) -> None:
    image = brain() if bits == 16 else np.minimum(brain() / 4, 255).astype(np.uint8)
    sample = seen(np.iinfo(image.dtype).max - image)
    assert sample.body.light.inverted
    assert (sample.tissue != plain().tissue).sum() < 0.02 * plain().tissue.sum()
    assert "inverted" in image_findings(sample, brain_um3())[0].text


@settings(max_examples=10)
@given(st.integers(0, 14), st.sampled_from([0, 1, 2]))
def test_a_part_of_a_brain_is_not_inverted(cut: int, axis: int) -> None:
    part = np.moveaxis(np.moveaxis(brain(), axis, 0)[cut + 4 : -4], 0, axis)
    assert not seen(part).body.light.inverted


def test_three_grey_values_still_show_the_brain_and_are_doubted() -> None:
    sample = seen(np.clip((brain().astype(int) - 60) // 90, 0, 2).astype(np.uint8))
    assert (sample.tissue != plain().tissue).sum() < 0.1 * plain().tissue.sum()
    (found,) = image_findings(sample, brain_um3())
    assert found.grade is Grade.DOUBTFUL
    assert "very dim" in found.text


def test_a_saturated_channel_is_doubted() -> None:
    found = image_findings(seen(np.minimum(brain(), 320)), brain_um3())
    assert [("saturated" in f.text, f.grade) for f in found] == [(True, Grade.DOUBTFUL)]


def test_bright_meninges_are_no_body() -> None:
    tissue = np.pad(procedural_atlas().template[::2, ::2, ::2] > 50, 4)
    tissue = ndimage.binary_fill_holes(tissue)
    shell = tissue & ~ndimage.binary_erosion(tissue)
    image = brain().copy()
    image[shell] = 3_000
    sample = seen(image)
    assert sample.body.light.tissue == pytest.approx(plain().body.light.tissue, rel=0.1)
    assert (sample.tissue != plain().tissue).sum() < 0.15 * plain().tissue.sum()


def test_a_good_brain_has_no_findings() -> None:
    assert image_findings(plain(), brain_um3()) == ()
    assert plain().tissue.sum() * 200.0**3 == pytest.approx(0.75 * brain_um3(), rel=0.2)  # slices are 150 um here


def test_little_tissue_is_said_with_its_volume() -> None:
    few = image_findings(plain(), 10 * brain_um3())
    assert [f.grade for f in few] == [Grade.DOUBTFUL]
    assert "mm3" in few[0].text
    assert image_findings(plain(), 100 * brain_um3())[0].grade is Grade.UNUSABLE


def test_where_nothing_stands_out_all_is_tissue() -> None:
    noise = np.random.default_rng(0).normal(500, 20, (20, 30, 40)).astype(np.float32)
    sample = seen(noise)
    assert not sample.body.stands_out
    assert sample.tissue.all()
    assert "no body of tissue stands out" in image_findings(sample, 1.0)[0].text


def test_planes_of_one_value_are_left_out() -> None:
    image = np.random.default_rng(0).integers(1, 9, (10, 11, 12))
    assert unpadded(np.pad(image, ((3, 0), (0, 2), (0, 0)))) == (slice(4, 13), slice(0, 10), slice(0, 12))
    assert unpadded(np.zeros((3, 3, 3))) == (slice(0, 3),) * 3


def test_a_hidden_voxel_takes_after_the_nearest() -> None:
    mask = np.array([[[True, False, False, False, False]]])
    hidden = np.array([[[False, True, True, True, False]]])
    assert completed(mask, hidden)[0, 0, [0, 1, 3, 4]].tolist() == [True, True, False, False]
    assert completed(mask, np.ones_like(mask)) is mask


@pytest.mark.parametrize("scale", [1.0, 0.75])
def test_a_brain_in_its_haze_is_the_brain_whatever_size_is_expected(scale: float) -> None:
    """The haze around a rendered brain is a body too, of which the brain would be a bright object."""
    sample = phantom()
    image = sample.render(0, sample.shape[0])["background"]
    space = VoxelSpace(um3(scale * step for step in sample.space.spacing_um))
    expected = float((sample.atlas.annotation > 0).sum() * np.prod(sample.atlas.space.spacing_um))
    body = find_body(image, space, brain_um3=expected)
    assert body.volume_um3 == pytest.approx(scale**3 * expected, rel=0.2)
