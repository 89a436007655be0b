"""Windows whose targets stay on the cells however they are turned, and padding that teaches nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.detection.samples import TrainingVolume, sample_batch
from volumetric.detection.targets import decode
from volumetric.errors import InputError

NONE = np.empty((0, 4))


def batch(volumes, rng, **given):
    settings = {"count": 5, "window_px": 64, "stride": 2, "neighbours": 1, **given}
    return sample_batch(volumes, np.full(len(volumes), 1 / len(volumes)), rng, **settings)


@given(st.integers(0, 1000), st.sampled_from([1, 2, 4]))
@settings(max_examples=30, deadline=None)
def test_targets_stay_on_the_cells(seed, stride):
    rng = np.random.default_rng(seed)
    contrast = np.zeros((3, 80, 72), np.float32)
    at = np.unique(np.column_stack([rng.integers(0, 3, 6), rng.integers(5, 67, (6, 2))]), axis=0)
    contrast[tuple(at.T)] = 5.0
    volume = TrainingVolume(contrast, np.column_stack([at, np.full(len(at), 3.0)]).astype(float), NONE)
    images, targets = batch([volume], rng, stride=stride)
    assert images.shape == (5, 3, 64, 64)
    points = decode(targets.index[:, 1:].numpy(), targets.offset.numpy(), stride).round().astype(int)
    for (image, _, _), point in zip(targets.index.numpy(), points, strict=True):
        assert images[image, 1, point[0], point[1]] > 2
    assert len(points) == int((images[:, 1] > 2).sum())
    assert float(targets.offset.min()) >= 0 if len(points) else True


def test_neighbours_are_the_slices_beside_and_empty_beyond_the_volume():
    contrast = np.stack([np.full((32, 32), z + 1, np.float32) for z in range(3)])
    images, _ = batch([TrainingVolume(contrast, NONE, NONE)], np.random.default_rng(0), count=40, window_px=32)
    order = {tuple(np.argsort(image[:, 0, 0].tolist())) for image in images.numpy() if (image > 0).all()}
    assert order == {(0, 1, 2), (2, 1, 0)}
    assert any((image == 0).any() and image[1].all() for image in images.numpy())


def test_padding_teaches_nothing_and_shows_nothing():
    volume = TrainingVolume(np.ones((1, 40, 51), np.float32), NONE, NONE)
    images, targets = batch([volume], np.random.default_rng(0), neighbours=0)
    for image, weight in zip(images.numpy()[:, 0], targets.weight.numpy(), strict=True):
        assert (image > 0).sum() == 40 * 51
        # 51 pixels are 25 whole cells of 2 and a half one.
        assert weight.sum() == 20 * 25
        shown = image.reshape(32, 2, 32, 2).min(axis=(1, 3)) > 0
        assert ((weight > 0) <= shown).all()


def test_a_heatmap_is_the_target():
    heat = np.zeros((1, 64, 64), np.float32)
    heat[0, 20, 31] = 0.7
    contrast = np.zeros((1, 64, 64), np.float32)
    contrast[0, 20, 31] = 3
    images, targets = batch([TrainingVolume(contrast, NONE, NONE, heat)], np.random.default_rng(3), neighbours=0)
    for image, target in zip(images.numpy()[:, 0], targets.heatmap.numpy(), strict=True):
        assert target.max() == np.float32(0.7)
        y, x = np.unravel_index(image.argmax(), image.shape)
        assert target[y // 2, x // 2] == np.float32(0.7)
    assert len(targets.index) == 0


def test_what_is_ignored_has_no_weight():
    ignored = np.array([[0.0, 30.0, 30.0, 6.0]])
    _, targets = batch([TrainingVolume(np.ones((1, 64, 64), np.float32), NONE, ignored)], np.random.default_rng(3))
    assert (targets.weight == 0).any()


CELL = np.array([[0.0, 32.0, 32.0, 4.0]])


@pytest.mark.parametrize(("confidence", "weights"), [("ignore", {1.0}), ("weight", {0.25}), ("sample", {0.0, 1.0})])
def test_what_confidence_does(confidence, weights):
    volume = TrainingVolume(np.ones((1, 64, 64), np.float32), CELL, NONE, None, np.array([0.25]))
    _, targets = batch([volume], np.random.default_rng(0), count=400, neighbours=0, confidence=confidence)
    at = targets.weight[tuple(targets.index.T)].numpy()
    assert len(at) == 400
    assert set(at.tolist()) == weights
    # Five standard deviations.
    assert confidence != "sample" or at.mean() == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / 400))
    assert (targets.weight.numpy()[:, 0, 0] == 1).all()


@pytest.mark.parametrize("confidence", ["ignore", "weight", "sample"])
def test_sure_cells_are_learned_as_without_a_confidence(confidence):
    contrast = np.random.default_rng(0).random((1, 80, 80), np.float32)
    known, silent = (TrainingVolume(contrast, CELL, NONE, None, sure) for sure in (np.ones(1), None))
    (images, one), (same, two) = (batch([v], np.random.default_rng(5), confidence=confidence) for v in (known, silent))
    assert (images == same).all()
    assert all((a == b).all() for a, b in zip(vars(one).values(), vars(two).values(), strict=True))


def test_the_same_seed_gives_the_same_batch():
    volume = TrainingVolume(np.random.default_rng(0).random((3, 40, 40), np.float32), NONE, NONE)
    one, two = (batch([volume], np.random.default_rng(5))[0] for _ in range(2))
    assert (one == two).all()
    with pytest.raises(InputError, match="do not divide"):
        batch([volume], np.random.default_rng(5), window_px=33)
