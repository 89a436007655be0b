"""The check of the orientation: on an asymmetric phantom, and on the real template."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from pipelines.register.orientation import refuse_orientation
from volumetric.atlas.loader import load_atlas
from volumetric.errors import InputError
from volumetric.geometry.orientation import ORIENTATIONS, AxisMap
from volumetric.geometry.space import VoxelSpace
from volumetric.phantom.atlas import procedural_atlas
from volumetric.registration.orientation_check import OrientationCheck, check_orientation_fit
from volumetric.registration.placement import Template
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
    return check_orientation_fit(turned, space, declared, template=coarse(), atlas_orientation="asr")


@lru_cache(maxsize=1)
def coarse() -> Template:
    return Template(*lopsided())


@pytest.mark.parametrize(
    ("true", "declared"),
    [("psl", "psl"), ("asr", "psl"), ("psl", "psr"), ("iar", "lsp")],
    ids=["right", "front and back, left and right", "mirrored", "axes exchanged"],
)
def test_the_true_orientation_is_told_from_all_others(true: str, declared: str) -> None:
    found = checked(true, declared)
    assert found.sees_left_and_right
    assert found.better == (() if true == declared else (true,))


@pytest.mark.parametrize("true", ["asr", "rsp"])
def test_a_symmetric_atlas_names_both_of_a_mirrored_pair(data_dir: Path, true: str) -> None:
    atlas = load_atlas("allen_mouse_200um", data_dir / "atlas")
    rng = np.random.default_rng(0)
    brain = normalise(atlas.template) ** 0.7 + rng.normal(0, 0.05, atlas.shape).astype(np.float32)
    turned = AxisMap.between("asr", true).apply(brain[3:-2, 1:, :-2]).astype(np.float32)
    found = check_orientation_fit(
        turned,
        atlas.space,
        "asr",
        template=Template(atlas.template, atlas.space),
        atlas_orientation="asr",
    )
    assert not found.sees_left_and_right
    mirrored = true.translate(str.maketrans("lr", "rl"))
    assert set(found.better) == (set() if true == "asr" else {true, mirrored})


def test_noise_has_no_orientation() -> None:
    _, space = lopsided()
    noise = np.random.default_rng(0).uniform(0, 1, (40, 30, 40)).astype(np.float32)
    found = check_orientation_fit(noise, space, "psl", template=coarse(), atlas_orientation="asr")
    assert not found.is_credible
    assert found.better == ()


def test_all_that_fit_alike_are_named() -> None:
    scores = dict.fromkeys(ORIENTATIONS, 0.3) | {"psl": 0.8, "psr": 0.8}
    likeness = dict.fromkeys(ORIENTATIONS, 0.5) | {"psl": 1.0, "psr": 1.0}
    with pytest.raises(
        InputError, match=r"psl or psr.*cannot tell apart.*with the one of them that is true"
    ) as refused:
        refuse_orientation(OrientationCheck("asr", scores, likeness), ())
    assert "--orientation psl" not in str(refused.value)
    refuse_orientation(OrientationCheck("psl", scores, likeness), ())
