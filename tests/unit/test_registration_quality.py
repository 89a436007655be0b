from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from volumetric.findings import Grade
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap
from volumetric.registration.quality import (
    Figures,
    folding_fraction,
    grades,
    inverse_consistency_um,
    judge,
    mask_dice,
    ncc_in_mask,
    sample_through,
)

GRID = VoxelSpace((10.0, 10.0, 10.0))


def shifted(shift: float, shape: tuple[int, int, int] = (12, 14, 16)) -> SmoothMap:
    affine = np.eye(3, 4)
    affine[:, 3] = shift
    return SmoothMap(affine, np.zeros((3, *shape), np.float32), GRID)


def test_correlation_and_dice_have_their_known_values() -> None:
    rng = np.random.default_rng(0)
    image = rng.random((5, 6, 7))
    mask = rng.random((5, 6, 7)) > 0.3
    assert ncc_in_mask(image, 3 * image + 2, mask) == pytest.approx(1)
    assert ncc_in_mask(image, -image, mask) == pytest.approx(-1)
    assert np.isnan(ncc_in_mask(image, np.ones_like(image), mask))
    assert mask_dice(mask, mask) == 1
    assert mask_dice(mask, ~mask) == 0
    assert mask_dice(np.zeros(3, bool), np.zeros(3, bool)) == 1


def test_a_fold_is_found_where_it_is() -> None:
    smooth = shifted(5.0)
    assert folding_fraction(smooth) == 0
    flip = SmoothMap(np.diag([-1.0, 1.0, 1.0]) @ np.eye(3, 4), smooth.displacement_um, GRID)
    assert folding_fraction(flip) == 0
    displacement = np.zeros((3, 12, 14, 16), np.float32)
    displacement[0, 6:] = -25.0
    assert folding_fraction(SmoothMap(np.eye(3, 4), displacement, GRID)) == pytest.approx(2 / 12)


def test_inverse_consistency_is_the_distance() -> None:
    mask = np.ones((12, 14, 16), bool)
    rng = np.random.default_rng(0)
    assert inverse_consistency_um(shifted(5.0), shifted(-5.0), mask, rng) < 1e-6
    assert inverse_consistency_um(shifted(5.0), shifted(-4.0), mask, rng) == pytest.approx(np.sqrt(3))
    assert np.isnan(inverse_consistency_um(shifted(5.0), shifted(-4.0), ~mask, rng))


def test_an_image_seen_through_a_shift() -> None:
    image = np.random.default_rng(0).integers(0, 500, (12, 14, 16)).astype(np.uint16)
    seen = sample_through(image, GRID, shifted(10.0))
    assert np.allclose(seen[:-1, :-1, :-1], image[1:, 1:, 1:], rtol=1e-4, atol=0.05)
    assert np.all(seen[-1] == 0)


def test_figures_are_judged_good_doubtful_or_beyond_use() -> None:
    good = Figures(ncc_in_mask=0.5, mask_dice=0.95, folding_fraction=0.0, inverse_consistency_um=1.0)
    assert list(judge(good, 50.0)) == []
    found = list(judge(replace(good, mask_dice=0.7, folding_fraction=0.001), 50.0))
    assert [finding.grade for finding in found] == [Grade.DOUBTFUL, Grade.DOUBTFUL]
    assert "0.70" in found[0].text
    found = list(judge(replace(good, mask_dice=0.4, inverse_consistency_um=120.0, ncc_in_mask=-0.6), 50.0))
    assert sorted(finding.grade for finding in found) == [Grade.DOUBTFUL, Grade.UNUSABLE, Grade.UNUSABLE]
    assert "120.0 um" in found[-1].text


def test_what_could_not_be_measured_has_no_grade() -> None:
    nothing = Figures(*[float("nan")] * 4)
    assert set(grades(nothing, 50.0).values()) == {None}
    assert list(judge(nothing, 50.0)) == []
