from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from volumetric.errors import InputError, OutputError, RegistrationError
from volumetric.geometry.orientation import AxisMap
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap
from volumetric.registration.align import align
from volumetric.registration.ants import RECIPES, fitted, share_done
from volumetric.registration.prepare import Prepared, prepare
from volumetric.registration.quality import folding_fraction, inverse_consistency_um
from volumetric.registration.register import Registration, register
from volumetric.registration.view import View

SPACING = 50.0
SHAPE = (44, 36, 40)


def template() -> np.ndarray:
    """An asymmetric body with structure inside."""
    rng = np.random.default_rng(11)
    texture = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 2.5)
    texture /= texture.std()
    z, y, x = (np.indices(SHAPE) - np.reshape(SHAPE, (3, 1, 1, 1)) / 2) / (np.reshape(SHAPE, (3, 1, 1, 1)) / 2)
    body = ((z / 0.8) ** 2 + (y / 0.7) ** 2 + (x / 0.75) ** 2 + 0.4 * z * y) < 1
    return np.where(body, 500 + 120 * texture, 20).clip(0, 1000).astype(np.float32)


def known_map(orientation: str, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> SmoothMap:
    """Sample um to atlas um: a turn, an asymmetric shift, a stretch and a smooth warp."""
    turn = AxisMap.between(orientation, "asr")
    affine = turn.matrix(tuple((n - 1) * s for n, s in zip(shape, spacing, strict=True)))
    stretch = np.diag([1.05, 0.97, 1.03])
    affine = np.column_stack([stretch @ affine[:, :3], stretch @ affine[:, 3] + [120.0, -60.0, 30.0]])
    rng = np.random.default_rng(4)
    warp = np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), 6) for _ in range(3)])
    return SmoothMap(affine, (warp / np.abs(warp).max() * 60).astype(np.float32), VoxelSpace(spacing))


def sample(orientation: str) -> tuple[Prepared, SmoothMap]:
    back = AxisMap.between("asr", orientation)
    spacing = back.reorder((40.0, 50.0, 45.0))
    shape = back.reorder((54, 37, 43))
    truth = known_map(orientation, shape, spacing)
    image = ndimage.map_coordinates(template(), truth.on_grid() / SPACING, order=1)
    noise = np.random.default_rng(5).normal(0, 10, image.shape)
    level = (0.6 * image + 40 + noise).clip(1)
    return prepare(level, VoxelSpace(spacing), orientation, "asr", (SPACING,) * 3), truth


def median_error_um(found: Registration, prepared: Prepared, truth: SmoothMap) -> float:
    mask = ndimage.binary_erosion(prepared.back.apply(prepared.mask), iterations=1)
    points = prepared.sample_grid.to_um(np.argwhere(mask))
    return float(np.median(np.linalg.norm(found.sample_to_atlas(points) - truth(points), axis=1)))


@pytest.mark.parametrize(
    "orientation", [pytest.param("asr", marks=pytest.mark.slow), "psl", pytest.param("rpi", marks=pytest.mark.slow)]
)
def test_a_known_warp_is_recovered(orientation: str, tmp_path: Path) -> None:
    prepared, truth = sample(orientation)
    found = register(prepared, template(), VoxelSpace((SPACING,) * 3), keep=tmp_path)
    assert median_error_um(found, prepared, truth) < 0.4 * SPACING
    mask = prepared.back.apply(prepared.mask)
    rng = np.random.default_rng(0)
    there, back = found.sample_to_atlas, found.atlas_to_sample
    assert inverse_consistency_um(there, back, mask, rng) < 0.1 * SPACING
    assert folding_fraction(there, mask) == 0
    assert back.grid == VoxelSpace((SPACING,) * 3)
    assert back.displacement_um.shape[1:] == SHAPE
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"ants_0GenericAffine.mat", "ants_1Warp.nii.gz", "ants_1InverseWarp.nii.gz"}


def test_equal_inputs_give_equal_maps() -> None:
    prepared, _ = sample("asr")
    one, two = (register(prepared, template(), VoxelSpace((SPACING,) * 3), preset="fast") for _ in range(2))
    assert np.array_equal(one.sample_to_atlas.affine, two.sample_to_atlas.affine)
    assert np.array_equal(one.sample_to_atlas.displacement_um, two.sample_to_atlas.displacement_um)
    assert np.array_equal(one.atlas_to_sample.displacement_um, two.atlas_to_sample.displacement_um)


def test_a_small_crop_gives_a_map() -> None:
    crop = template()[18:26, 10:24, 12:26]
    prepared = prepare(crop, VoxelSpace((SPACING,) * 3), "asr", "asr", (SPACING,) * 3)
    found = register(prepared, template(), VoxelSpace((SPACING,) * 3), preset="fast")
    assert np.all(np.isfinite(found.sample_to_atlas([[100.0, 200.0, 300.0]])))


def test_a_crash_tells_its_last_words() -> None:
    space = VoxelSpace((SPACING,) * 3)
    image = template()
    flat = View(np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32), space)
    with pytest.raises(RegistrationError, match="ANTs ended with status") as caught:
        align(flat, View(image, np.ones_like(image), space), linear=np.eye(3, 4), preset="fast", seed=1)
    assert "Error" in str(caught.value)


def test_a_large_template_is_refined_at_its_own_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    """ANTs is given half the resolution here; what that costs comes back."""
    prepared, truth = sample("asr")
    coarse = replace(RECIPES["fast"], largest=template().size / 4)
    errors = []
    for refinement in ((), (5.0,) * 4):
        monkeypatch.setitem(RECIPES, "fast", replace(coarse, refinement=refinement))
        told: list[tuple[int, int]] = []
        found = register(
            prepared,
            template(),
            VoxelSpace((SPACING,) * 3),
            preset="fast",
            on_progress=lambda done, total: told.append((done, total)),  # noqa: B023 - called at once
        )
        errors.append(median_error_um(found, prepared, truth))
        assert folding_fraction(found.sample_to_atlas) == 0
        assert told == sorted(told)
        assert 0 <= told[0][0] <= told[-1][0] <= 100
    assert errors[1] < 0.6 * errors[0], errors


def test_how_far_ants_is_can_be_read_from_its_messages() -> None:
    recipe = RECIPES["standard"]
    (stage,) = recipe.deformable
    line = " 1DIAGNOSTIC,     1, -8.538092970848e-01, inf, 1.0721e-01, 1.0721e-01, \n"
    assert share_done(recipe, "XXDIAGNOSTIC,Iteration,metricValue\n") == 0
    coarse = sum(iterations for iterations, shrink, _ in stage.levels if shrink > 1)
    assert 0 < share_done(recipe, line * coarse) < 0.5
    assert share_done(recipe, line * (coarse + stage.levels[-1][0])) == pytest.approx(1)


def test_a_recipe_fits_the_images() -> None:
    (standard,) = RECIPES["standard"].deformable
    (coarse,) = fitted(RECIPES["standard"], [(148, 96, 130), (135, 78, 109)]).deformable
    assert coarse.levels == standard.levels[1:]
    tiny = fitted(RECIPES["standard"], [(148, 96, 130), (5, 5, 5)])
    assert [level[1] for level in tiny.deformable[0].levels] == [standard.levels[-1][1]]


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    """ANTs' own language is made of commas and brackets."""
    keep = tmp_path / "a, b [1] x"
    keep.mkdir()
    prepared, _ = sample("asr")
    found = register(prepared, template(), VoxelSpace((SPACING,) * 3), preset="fast", keep=keep)
    assert np.all(np.isfinite(found.sample_to_atlas.displacement_um))
    assert (keep / "ants_1Warp.nii.gz").is_file()


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    prepared, _ = sample("asr")
    with pytest.raises(InputError, match="fast, standard, accurate"):
        register(prepared, template(), VoxelSpace((SPACING,) * 3), preset="best")
    with pytest.raises(OutputError, match="does not exist"):
        register(prepared, template(), VoxelSpace((SPACING,) * 3), keep=tmp_path / "absent")
