"""Cells keep apart, and some touch."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.phantom.placement import TOUCH_AXIAL, TOUCH_LATERAL, keep_apart, neighbours_of


def closeness(centres, radius, half):
    """Normalised distance of every pair, brute force; below 1 is an overlap."""
    gap = centres[:, None] - centres[None]
    axial = gap[..., 0] / (TOUCH_AXIAL * (half[:, None] + half))
    lateral = np.hypot(gap[..., 1], gap[..., 2]) / (TOUCH_LATERAL * (radius[:, None] + radius))
    near = np.hypot(axial, lateral)
    np.fill_diagonal(near, np.inf)
    return near


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(0, 150))
def test_no_two_kept_cells_overlap_and_none_goes_without_a_reason(seed, n):
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 60, (n, 3))
    radius, half = rng.uniform(4, 10, n), rng.uniform(4, 10, n)
    kept = keep_apart(centres, radius, half)
    near = closeness(centres, radius, half) if n else np.empty((0, 0))
    assert np.all(near[np.ix_(kept, kept)] >= 1)
    for i in np.flatnonzero(~kept):
        assert near[i, :i].min() < 1


def test_neighbours_touch_without_overlapping():
    rng = np.random.default_rng(0)
    parents = rng.uniform(0, 1e5, (500, 3))
    radius, half = np.full(500, 7.0), np.full(500, 6.0)
    near = neighbours_of(rng, parents, radius, half)
    gap = near - parents
    axial, lateral = gap[:, 0] / (2 * TOUCH_AXIAL * 6), np.hypot(gap[:, 1], gap[:, 2]) / (2 * TOUCH_LATERAL * 7)
    distance = np.hypot(axial, lateral)
    assert distance.min() >= 1 - 1e-9
    assert distance.max() < 2
