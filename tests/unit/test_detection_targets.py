"""Points become targets and come back; the losses have their minimum where they should."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.detection.losses import (
    TargetBatch,
    finetuning_loss,
    focal_loss,
    joint_loss,
    l1_loss,
    pretraining_loss,
    soft_cross_entropy,
)
from volumetric.detection.targets import decode, heatmap_peaks, make_targets, soft_target


@given(st.integers(0, 10_000), st.integers(0, 30), st.sampled_from([1, 2, 4]))
@settings(max_examples=60, deadline=None)
def test_points_come_back_from_their_targets(seed, n, stride):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.0, 63.99, (n, 2))
    target = make_targets((64, 64), points, rng.uniform(1, 6, n), stride)
    found = decode(target.cells, target.offset, stride)
    np.testing.assert_allclose(found, points, atol=0.01)
    assert np.all((target.offset >= 0) & (target.offset < 1 + 1e-6))
    assert np.all(target.heatmap[tuple(target.cells.T)] == 1)
    assert np.count_nonzero(target.heatmap == 1) == len(np.unique(target.cells, axis=0))


@pytest.mark.parametrize(("radius", "stride", "cells"), [(5.0, 2, 2), (2.5, 1, 2), (0.4, 4, 1), (8.0, 4, 2)])
def test_gaussian_has_the_width_of_the_method(radius, stride, cells):
    target = make_targets((64, 64), [[32.0, 32.0]], [radius], stride)
    v, u = target.cells[0]
    sigma = (2 * cells + 1) / 6
    assert target.heatmap[v, u + 1] == pytest.approx(np.exp(-1 / (2 * sigma**2)), rel=1e-6)
    assert np.count_nonzero(target.heatmap) == (2 * cells + 1) ** 2
    np.testing.assert_allclose(target.size, [[2 * radius, 2 * radius]])


def test_rims_are_not_taught_but_centres_always_are():
    target = make_targets(
        (64, 64), [[20.0, 20.0]], [4.0], 2, ignored_px=[[22.0, 20.0], [50.0, 50.0]], ignored_radius_px=[6.0, 6.0]
    )
    assert target.weight[10, 10] == 1
    assert target.weight[25, 25] == 0
    assert target.weight[25, 29] == 1


def test_cells_outside_cast_their_gaussian_but_ask_for_nothing():
    target = make_targets((32, 32), [[-1.0, 10.0]], [4.0], 2)
    assert len(target.cells) == 0
    assert target.heatmap.max() > 0


def ideal(target) -> torch.Tensor:
    output = torch.zeros(1, 5, *target.heatmap.shape)
    output[0, 0] = torch.where(torch.from_numpy(target.heatmap) == 1, 30.0, -30.0)
    v, u = target.cells.T
    output[0, 1:3, v, u] = torch.from_numpy(target.offset.T)
    output[0, 3:5, v, u] = torch.from_numpy(target.size.T)
    return output


def batch(target) -> TargetBatch:
    index = np.column_stack([np.zeros(len(target.cells), np.int64), target.cells])
    return TargetBatch(
        torch.from_numpy(target.heatmap)[None],
        torch.from_numpy(target.weight)[None],
        torch.from_numpy(index),
        torch.from_numpy(target.offset),
        torch.from_numpy(target.size),
    )


def test_the_loss_vanishes_for_the_ideal_answer_only():
    target = make_targets((64, 64), [[20.3, 21.9], [40.0, 12.5]], [3.0, 5.0], 2)
    best = pretraining_loss(ideal(target), batch(target))
    assert best.item() == pytest.approx(0, abs=1e-6)
    worse = ideal(target)
    worse[0, 1:3] += 0.25
    worse[0, 3:5] += 1.0
    # Two components each: offset 2 x 0.25, and a tenth of 2 x 1 pixel.
    assert pretraining_loss(worse, batch(target)).item() == pytest.approx(0.5 + 0.2, abs=1e-5)
    # Fine-tuning does not look at offsets and sizes, the joint loss a little.
    assert finetuning_loss(worse, batch(target)).item() == finetuning_loss(ideal(target), batch(target)).item()
    more = joint_loss(worse, batch(target)) - joint_loss(ideal(target), batch(target))
    assert more.item() == pytest.approx(0.02 * 0.7, abs=1e-5)


def test_the_joint_loss_weighs_centres_less_than_the_published_one():
    target = make_targets((64, 64), [[20.3, 21.9]], [3.0], 2)
    missed = ideal(target)
    missed[0, 0] = -5.0
    published, ours = finetuning_loss(missed, batch(target)), joint_loss(missed, batch(target))
    even = soft_cross_entropy(missed[:, 0], batch(target).heatmap, batch(target).weight, 1.0)
    assert ours.item() == pytest.approx(even.item() + (published - even).item() * (3 - 1) / (10 - 1), rel=1e-4)


def test_focal_loss_is_the_published_formula():
    rng = np.random.default_rng(0)
    target = make_targets((32, 32), [[10.0, 10.0], [20.0, 25.0]], [4.0, 3.0], 2)
    logits = rng.normal(size=target.heatmap.shape)
    p, h = 1 / (1 + np.exp(-logits)), target.heatmap.astype(np.float64)
    terms = np.where(h == 1, (1 - p) ** 2 * np.log(p), (1 - h) ** 4 * p**2 * np.log(1 - p))
    found = focal_loss(
        torch.from_numpy(logits)[None], torch.from_numpy(h)[None], torch.ones(1, *h.shape, dtype=torch.float64)
    )
    assert found.item() == pytest.approx(-terms.sum() / 2)


def test_slices_without_cells_have_a_finite_loss():
    target = make_targets((32, 32), [], [], 2)
    for loss in (pretraining_loss, finetuning_loss, joint_loss):
        value = loss(torch.zeros(1, 5, 16, 16, requires_grad=True), batch(target))
        value.backward()
        assert torch.isfinite(value)
    assert l1_loss(torch.zeros(0, 2), torch.zeros(0, 2), torch.zeros(0)).item() == 0


def test_soft_cross_entropy_is_the_published_formula():
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(1, 6, 5)), rng.random((1, 6, 5))
    taught = rng.integers(0, 2, (1, 6, 5)).astype(float)
    p = 1 / (1 + np.exp(-logits))
    each = (1 + 9 * y) * (-y * np.log(p) - (1 - y) * np.log(1 - p))
    found = soft_cross_entropy(*(torch.from_numpy(a) for a in (logits, y, taught)))
    assert found.item() == pytest.approx((each * taught).sum() / taught.sum())
    best = torch.logit(torch.from_numpy(y)).requires_grad_()
    soft_cross_entropy(best, torch.from_numpy(y), torch.ones(1, 6, 5)).backward()
    assert best.grad is not None
    assert best.grad.abs().max() < 1e-12


def test_a_cell_teaches_as_much_as_it_is_sure():
    # Of radius 2, a Gaussian reaches two cells; half-way between the two both are equal, and the first has it.
    target = make_targets((32, 32), [[10.0, 10.0], [10.0, 14.0]], [2.0, 2.0], 1, confidence=[0.25, 0.75])
    expected = np.ones((32, 32))
    expected[8:13, 8:13] = 0.25
    expected[8:13, 13:17] = 0.75
    np.testing.assert_array_equal(target.weight, expected)
    sure = make_targets((32, 32), [[10.0, 10.0], [10.0, 14.0]], [2.0, 2.0], 1)
    np.testing.assert_array_equal(target.heatmap, sure.heatmap)
    np.testing.assert_array_equal(sure.weight, np.ones((32, 32)))


def test_a_heatmap_is_as_high_as_it_is_asked_to_be():
    both = make_targets((32, 32), [[8.0, 8.0], [20.0, 20.0]], [3.0, 3.0], 1, height=[0.25, 1.0])
    full = make_targets((32, 32), [[8.0, 8.0], [20.0, 20.0]], [3.0, 3.0], 1)
    np.testing.assert_allclose(both.heatmap[:14], 0.25 * full.heatmap[:14], rtol=1e-6)
    np.testing.assert_array_equal(both.heatmap[14:], full.heatmap[14:])
    np.testing.assert_array_equal(both.cells, full.cells)


def test_what_is_ignored_stays_so_beside_a_cell_that_is_not_sure():
    places = {"ignored_px": [[10.0, 10.0], [25.0, 25.0]], "ignored_radius_px": [1.0, 1.0]}
    target = make_targets((32, 32), [[10.0, 10.0]], [2.0], 1, confidence=[0.5], **places)
    assert target.weight[10, 10] == 0.5
    assert target.weight[25, 25] == 0
    assert target.weight[25, 27] == 1


def test_the_losses_of_a_cell_count_as_much_as_it_is_sure():
    target = make_targets((32, 32), [[10.0, 10.0], [20.0, 20.0]], [2.0, 2.0], 1, confidence=[0.25, 1.0])
    # Where the answer is 1/2 a pixel costs log 2, times 1 for background and 3 at a centre: by hand, with the
    # Gaussians' sums over 5 x 5 cells and sigma 5/6.
    gaussian = np.exp(-(np.add.outer(np.arange(-2, 3) ** 2, np.arange(-2, 3) ** 2)) / (2 * (5 / 6) ** 2)).sum()
    emphasis, taught = 32 * 32 - 50 + 1.25 * (25 + 2 * gaussian), 32 * 32 - 0.75 * 25
    even = torch.zeros(1, 32, 32)
    found = soft_cross_entropy(even, batch(target).heatmap, batch(target).weight, 3.0)
    assert found.item() == pytest.approx(np.log(2) * emphasis / taught, rel=1e-5)
    output = ideal(target)
    output[0, 1, 10, 10] += 4.0
    wrong = focal_loss(output[:, 0], batch(target).heatmap, batch(target).weight).item()
    assert pretraining_loss(output, batch(target)).item() - wrong == pytest.approx(0.25 * 4.0 / 1.25, rel=1e-5)
    output[0, 1, 10, 10] -= 4.0
    output[0, 1, 20, 20] += 4.0
    assert pretraining_loss(output, batch(target)).item() - wrong == pytest.approx(4.0 / 1.25, rel=1e-5)


def test_a_cell_fades_in_the_slices_beside_its_own():
    shallow, beside, far = (make_targets((32, 32), [[10.0, 10.0]], [4.0], 2, depth=[d]) for d in (0.4, -1.3, 3.0))
    assert shallow.heatmap.max() == 1
    assert len(shallow.cells) == 1
    assert beside.heatmap.max() == pytest.approx(np.exp(-(0.8**2) / (2 * 0.8**2)))
    assert len(beside.cells) == 0
    assert far.heatmap.max() < 0.01


def test_heatmaps_keep_their_peaks_on_the_output_grid():
    heat = np.zeros((9, 8), np.float32)
    heat[3, 5], heat[6, 2], heat[0, 0], heat[8, 7] = 0.9, 0.4, 0.2, 0.7
    assert soft_target(heat, 2).shape == (4, 4)
    assert soft_target(heat, 2)[1, 2] == np.float32(0.9)
    places, sure = heatmap_peaks(heat)
    # 0.2 is less than 0.3 x 0.9.
    assert {tuple(p): round(s, 3) for p, s in zip(places.tolist(), sure, strict=True)} == {
        (3, 5): 0.9,
        (6, 2): 0.4,
        (8, 7): 0.7,
    }


def test_a_plateau_is_one_peak_and_faint_maps_have_none():
    heat = np.zeros((6, 6), np.float32)
    heat[2:4, 2:4] = 0.5
    assert heatmap_peaks(heat)[0].tolist() == [[2, 2]]
    assert len(heatmap_peaks(np.full((6, 6), 0.04, np.float32))[0]) == 0
    assert len(heatmap_peaks(np.zeros((6, 6), np.float32))[0]) == 0
