"""The check of the orientation: on an asymmetric phantom in all 48 orientations, and on the real template."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from volumetric.atlas.loader import load_atlas
from volumetric.geometry.orientation import ORIENTATIONS, AxisMap
from volumetric.geometry.space import VoxelSpace
from volumetric.phantom.atlas import procedural_atlas
from volumetric.registration.orientation_check import OrientationCheck, check_orientation_fit
from volumetric.registration.prepare import normalise


@lru_cache(maxsize=1)
def lopsided() -> tuple[np.ndarray, VoxelSpace]:
    """The built-in template with a part of its left side brighter: no turn and no mirror leaves it as it is."""
    atlas = procedural_atlas()
    image = atlas.template[::2, ::2, ::2].astype(np.float32)
    z, y, x = (np.indices(image.shape) / np.reshape(image.shape, (3, 1, 1, 1)) - 0.5) * 2
    spot = np.exp(-(((z + 0.2) / 0.4) ** 2 + ((y + 0.2) / 0.5) ** 2 + ((x - 0.4) / 0.25) ** 2))
    return image * (1 + 0.8 * spot), VoxelSpace((200.0,) * 3)


def checked(true: str, declared: str) -> OrientationCheck:
    template, space = lopsided()
    rng = np.random.default_rng(0)
    brain = normalise(template[2:-1, 1:, :-3]) ** 0.8
    brain += rng.normal(0, 0.05, brain.shape).astype(np.float32)
    turned = AxisMap.between("asr", true).apply(brain)
    return check_orientation_fit(
        turned, space, declared, template=template, template_space=space, atlas_orientation="asr"
    )


@pytest.mark.parametrize("true", ORIENTATIONS)
def test_every_orientation_is_told_from_47_others(true: str) -> None:
    one = checked(true, true)
    assert one.better == ()
    assert one.sees_left_and_right
    for declared in ORIENTATIONS:
        # The scores depend on the brain alone, the likenesses on the declared orientation.
        found = OrientationCheck(declared, one.scores, checked_likeness(declared), brain_sized=True)
        assert found.better[:1] == (() if declared == true else (true,))


@lru_cache(maxsize=48)
def checked_likeness(declared: str) -> dict[str, float]:
    return dict(checked("asr", declared).likeness)


@pytest.mark.parametrize("true", ["asr", "psr", "air", "rsp", "sra", "pil"])
def test_a_symmetric_atlas_names_both_of_a_mirrored_pair(data_dir: Path, true: str) -> None:
    atlas = load_atlas("allen_mouse_200um", data_dir / "atlas")
    rng = np.random.default_rng(0)
    brain = normalise(atlas.template) ** 0.7 + rng.normal(0, 0.05, atlas.shape).astype(np.float32)
    turned = AxisMap.between("asr", true).apply(brain[3:-2, 1:, :-2]).astype(np.float32)
    found = check_orientation_fit(
        turned,
        atlas.space,
        "asr",
        template=atlas.template,
        template_space=atlas.space,
        atlas_orientation="asr",
    )
    assert not found.sees_left_and_right
    mirrored = true.translate(str.maketrans("lr", "rl"))
    assert set(found.better) == (set() if true == "asr" else {true, mirrored})


def test_a_crop_has_no_orientation() -> None:
    template, space = lopsided()
    found = check_orientation_fit(
        normalise(template[:, 20:26, 10:24]),
        space,
        "psl",
        template=template,
        template_space=space,
        atlas_orientation="asr",
    )
    assert not found.is_credible
    assert found.better == ()
