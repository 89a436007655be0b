from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from volumetric.atlas.loader import load_atlas
from volumetric.geometry.orientation import AxisMap
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap
from volumetric.registration.prepare import normalise
from volumetric.registration.quality import (
    better_orientation,
    folding_fraction,
    inverse_consistency_um,
    mask_dice,
    ncc_in_mask,
    sample_through,
    size_warnings,
    voxel_warnings,
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


def test_sizes_and_voxels_that_cannot_be_right() -> None:
    atlas = (13_200.0, 8_000.0, 11_400.0)
    assert size_warnings((12_000.0, 7_500.0, 12_500.0), atlas) == []
    (warning,) = size_warnings((2_700.0, 7_500.0, 12_500.0), atlas)
    assert "'z" not in warning
    assert "z axis" in warning
    assert "2.7 mm" in warning
    assert voxel_warnings((50.0, 5.0, 5.0)) == []
    assert len(voxel_warnings((5000.0, 5.0, 5.0))) == 1


@pytest.mark.parametrize("true", ["asr", "psr", "air", "rsp", "sra", "pir"])
def test_a_wrong_orientation_is_named(data_dir: Path, true: str) -> None:
    atlas = load_atlas("allen_mouse_200um", data_dir / "atlas")
    rng = np.random.default_rng(0)
    brain = normalise(atlas.template) ** 0.7 + rng.normal(0, 0.05, atlas.shape).astype(np.float32)
    turned = AxisMap.between("asr", true).apply(brain[3:-2, 1:, :-2]).astype(np.float32)
    scores, better = better_orientation(
        turned,
        atlas.space,
        "asr",
        template=atlas.template,
        template_space=atlas.space,
        atlas_orientation="asr",
    )
    assert len(scores) == 24
    assert better == (None if true == "asr" else true)
