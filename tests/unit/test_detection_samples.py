"""Which slices teach what, and windows whose targets stay on the cells however they are turned."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.detection.samples import TrainingCrop, sample_batch, training_crop
from volumetric.detection.targets import decode
from volumetric.errors import InputError


def stack(profile: list[float], centre=(3.0, 20.0, 30.0), half=1.5) -> TrainingCrop:
    """One cell whose light along z (noise levels) is given."""
    y, x = np.mgrid[:48, :48]
    disc = ((y - centre[1]) ** 2 + (x - centre[2]) ** 2 < 16).astype(np.float32)
    contrast = np.arcsinh(np.asarray(profile, np.float32)[:, None, None] * disc)
    row = dict(zip(("z_vox", "y_vox", "x_vox"), centre, strict=True)) | {"radius_px": 4.0, "half_slices": half}
    return training_crop(contrast, pd.DataFrame([row]))


def test_bright_slices_show_the_cell_and_the_rim_teaches_nothing():
    crop = stack([0, 0, 6, 10, 6, 0.5, 0])
    assert crop.shown[:, 0].tolist() == [2, 3, 4]
    assert len(crop.rims) == 0
    assert stack([0, 3, 9, 10, 9, 3, 0]).rims[:, 0].tolist() == [1, 5]
    assert stack([0, 0, 3, 10, 3, 0, 0]).rims[:, 0].tolist() == [2, 4]


def test_invisible_cells_are_neither_cell_nor_background():
    crop = stack([0, 0, 0.2, 0.5, 0.2, 0, 0])
    assert len(crop.shown) == 0
    assert 3 in crop.rims[:, 0]


def test_cells_beyond_the_border_leave_rims_only():
    crop = stack([9, 4, 0, 0, 0], centre=(-1.2, 20.0, 30.0))
    assert crop.shown[:, 0].tolist() == [0]
    assert len(stack([2, 0, 0], centre=(-4.0, 20.0, 30.0)).shown) == 0


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_targets_stay_on_the_cells(seed):
    rng = np.random.default_rng(seed)
    contrast = np.zeros((2, 80, 72), np.float32)
    at = np.unique(np.column_stack([rng.integers(0, 2, 6), rng.integers(5, 67, (6, 2))]), axis=0)
    contrast[tuple(at.T)] = 5.0
    shown = np.column_stack([at, np.full(len(at), 3.0)]).astype(float)
    crop = TrainingCrop(contrast, shown, np.empty((0, 4)))
    images, targets = sample_batch([crop], rng, 5, 64, 2)
    assert images.shape == (5, 1, 64, 64)
    points = decode(targets.index[:, 1:].numpy(), targets.offset.numpy(), 2).round().astype(int)
    for (image, _, _), point in zip(targets.index.numpy(), points, strict=True):
        assert images[image, 0, point[0], point[1]] > 2
    assert len(points) == int((images > 2).sum())


def test_the_same_seed_gives_the_same_batch():
    crop = TrainingCrop(np.random.default_rng(0).random((3, 40, 40), np.float32), np.empty((0, 4)), np.empty((0, 4)))
    one, two = (sample_batch([crop], np.random.default_rng(5), 4, 32, 2)[0] for _ in range(2))
    assert (one == two).all()
    with pytest.raises(InputError, match="smaller"):
        sample_batch([crop], np.random.default_rng(5), 4, 64, 2)
