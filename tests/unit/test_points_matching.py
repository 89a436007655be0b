"""Matching against brute force, its laws, and its speed on whole-brain numbers."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.points import matching
from volumetric.points.matching import match_points


def brute_force(truth: np.ndarray, found: np.ndarray, tolerance: float) -> tuple[int, float]:
    """(number of pairs, total distance) of the best matching, by trying all of them."""
    if len(truth) > len(found):
        truth, found = found, truth
    dist = np.linalg.norm(truth[:, None] - found[None], axis=2)
    best = (0, 0.0)
    for chosen in permutations(range(len(found)), len(truth)):
        d = dist[np.arange(len(truth)), list(chosen)]
        d = d[d <= tolerance]
        best = min(best, (-len(d), float(d.sum())))
    return (-best[0], best[1])


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 6), st.floats(0.05, 1.0), st.booleans())
@settings(max_examples=80, deadline=None)
def test_is_the_best_matching(seed, n, m, tolerance, flat):
    rng = np.random.default_rng(seed)
    truth, found = rng.random((n, 2 if flat else 3)), rng.random((m, 2 if flat else 3))
    pairs = match_points(truth, found, tolerance)
    dist = np.linalg.norm(truth[pairs[:, 0]] - found[pairs[:, 1]], axis=1)
    count, total = brute_force(truth, found, tolerance)
    assert len(pairs) == count
    assert dist.sum() == pytest.approx(total, abs=1e-9)
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
    assert np.all(dist <= tolerance * (1 + 1e-9))


def test_sparse_and_dense_solutions_agree(monkeypatch):
    rng = np.random.default_rng(3)
    truth, found = rng.random((60, 3)), rng.random((70, 3))
    dense = match_points(truth, found, 0.3)
    monkeypatch.setattr(matching, "_DENSE_LIMIT", 0)
    np.testing.assert_array_equal(match_points(truth, found, 0.3), dense)


def test_prefers_more_pairs_over_nearer_ones():
    # The middle found point is nearest to the first true one, but only it is left for the second.
    pairs = match_points([[0.0, 0.0], [0.0, 2.0]], [[0.0, 0.9], [0.0, -1.5]], 1.6)
    assert pairs.tolist() == [[0, 1], [1, 0]]


def test_a_pair_at_exactly_the_tolerance_counts():
    assert len(match_points([[0.0, 0.0, 0.0]], [[0.0, 0.0, 10.0]], 10.0)) == 1
    assert len(match_points([[0.0, 0.0, 0.0]], [[0.0, 0.0, 10.001]], 10.0)) == 0


def test_nothing_to_match():
    assert match_points(np.empty((0, 3)), np.ones((4, 3)), 1.0).shape == (0, 2)
    assert match_points([], [], 1.0).shape == (0, 2)


@pytest.mark.parametrize(
    ("truth", "found", "tolerance"),
    [
        (np.zeros(3), np.zeros((1, 3)), 1.0),
        (np.zeros((1, 3)), np.zeros((1, 2)), 1.0),
        (np.full((1, 3), np.nan), np.zeros((1, 3)), 1.0),
        (np.zeros((1, 3)), np.zeros((1, 3)), -1.0),
    ],
)
def test_refuses_what_cannot_be_matched(truth, found, tolerance):
    with pytest.raises(InputError):
        match_points(truth, found, tolerance)


def test_a_hundred_thousand_points_in_seconds():
    rng = np.random.default_rng(0)
    truth = rng.random((100_000, 3)) * [5000, 6000, 8000]
    order = rng.permutation(len(truth))
    pairs = match_points(truth, truth[order] + rng.normal(0, 0.5, truth.shape), 10.0)
    assert len(pairs) == len(truth)
    assert np.mean(order[pairs[:, 1]] == pairs[:, 0]) > 0.999
