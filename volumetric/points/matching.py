"""One-to-one matching of found points with true ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching
from scipy.spatial import KDTree

from volumetric.errors import InputError

Pairs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_DENSE_LIMIT = 1_000_000
"""Entries of a cost matrix above which a crowded component is solved sparsely (8 MB against minutes)."""


def match_points(truth_um: npt.ArrayLike, found_um: npt.ArrayLike, tolerance_um: float) -> Pairs:
    """The one-to-one pairs within a tolerance: as many as possible, then the least total distance.

    Args:
        truth_um: (n, d) coordinates, d = 2 or 3; any unit, if the tolerance has the same.
        found_um: (m, d) coordinates.
        tolerance_um: the largest distance of a pair, inclusive; >= 0.

    Returns:
        (k, 2) int64 rows (index into truth, index into found), sorted by the first.

    Raises:
        InputError: other shapes, values that are not finite, or a negative tolerance.

    Candidates come from k-d trees, so 100,000 points take seconds; each connected component of the graph
    of candidates is an assignment problem of its own.

    >>> match_points([[0.0, 0.0], [0.0, 4.0]], [[0.0, 3.0]], 5.0)
    array([[1, 0]])
    """
    truth, found = checked_points(truth_um, "true"), checked_points(found_um, "found")
    if not (np.isfinite(tolerance_um) and tolerance_um >= 0):
        raise InputError(f"the tolerance must be a number >= 0, got {tolerance_um}")
    if len(truth) == 0 or len(found) == 0:
        return np.empty((0, 2), dtype=np.int64)
    if truth.shape[1] != found.shape[1]:
        raise InputError(f"true points have {truth.shape[1]} coordinates, found points {found.shape[1]}")
    rows, cols, dist = _candidates(truth, found, tolerance_um)
    n = len(truth)
    graph = sparse.coo_array((np.ones(len(rows)), (rows, cols + n)), shape=(n + len(found),) * 2)
    _, labels = connected_components(graph, directed=False)
    component = labels[rows]
    edges = np.bincount(component, minlength=int(labels.max()) + 1)
    alone = edges[component] == 1
    crowded = np.flatnonzero(~alone)
    crowded = crowded[np.argsort(component[crowded], kind="stable")]
    parts = np.split(crowded, np.flatnonzero(np.diff(component[crowded])) + 1) if len(crowded) else []
    pairs = [_assign(rows[part], cols[part], dist[part], tolerance_um) for part in parts]
    result: Pairs = np.concatenate([np.column_stack([rows[alone], cols[alone]]), *pairs])
    return result[np.argsort(result[:, 0])]


def checked_points(points: npt.ArrayLike, name: str) -> Floats:
    """(n, 2) or (n, 3) float64; `InputError`, which calls the points by name, for all else or what is not finite."""
    array = np.asarray(points, dtype=np.float64)
    if array.size == 0:
        return array.reshape(0, array.shape[1] if array.ndim == 2 else 3)
    if array.ndim != 2 or array.shape[1] not in (2, 3):
        raise InputError(f"{name} points must have shape (n, 2) or (n, 3), got {array.shape}")
    if not np.all(np.isfinite(array)):
        raise InputError(f"{name} points hold values that are not finite; drop those rows first")
    return array


def neighbours(points: Floats, others: Floats, tolerance: float) -> list[list[int]]:
    """For each point the indices of the other points within the tolerance, inclusive."""
    near: list[list[int]] = KDTree(points).query_ball_tree(KDTree(others), tolerance * (1 + 1e-12))
    return near


def _candidates(truth: Floats, found: Floats, tolerance: float) -> tuple[Pairs, Pairs, Floats]:
    near = neighbours(truth, found, tolerance)
    counts = np.fromiter((len(n) for n in near), dtype=np.int64, count=len(near))
    rows = np.repeat(np.arange(len(truth), dtype=np.int64), counts)
    cols = np.fromiter((c for n in near for c in n), dtype=np.int64, count=int(counts.sum()))
    return rows, cols, np.linalg.norm(truth[rows] - found[cols], axis=1)


def _assign(rows: Pairs, cols: Pairs, dist: Floats, tolerance: float) -> Pairs:
    """One component: leaving a point alone costs more than all distances together could."""
    row_ids, r = np.unique(rows, return_inverse=True)
    col_ids, c = np.unique(cols, return_inverse=True)
    n, m = len(row_ids), len(col_ids)
    i: npt.NDArray[np.integer]
    j: npt.NDArray[np.integer]
    alone = (tolerance + 1.0) * (min(n, m) + 1)
    if n * m <= _DENSE_LIMIT:
        cost = np.zeros((n, m))
        cost[r, c] = dist - alone
        i, j = linear_sum_assignment(cost)
        kept = cost[i, j] < 0
    else:
        # A private column for each row lets it stay alone; weights are shifted as zeros would vanish.
        private = np.arange(n)
        weights = np.concatenate([dist + 1.0, np.full(n, alone + 1.0)])
        index = (np.concatenate([r, private]), np.concatenate([c, m + private]))
        i, j = min_weight_full_bipartite_matching(sparse.csr_array((weights, index), shape=(n, m + n)))
        kept = j < m
    return np.column_stack([row_ids[i[kept]], col_ids[j[kept]]])
