"""Where cells lie relative to one another: clusters at short range, but never one inside another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from volumetric.geometry.space import Points

Array = npt.NDArray[np.float64]

TOUCH_LATERAL, TOUCH_AXIAL = 0.9, 1.15
"""Nearest approach of two cells in sums of their radii. Beside one another their soft rims may merge; on top of one
another, where slices are few, a darker slice must remain between them or nobody could tell two cells from one."""


def neighbours_of(rng: np.random.Generator, parents_um: Points, radius_um: Array, half_um: Array) -> Points:
    """A point near each parent: 1.8 to 3 radii away in a random direction of the parent's own ellipsoid.

    Args:
        rng: the only source of chance.
        parents_um: (n, 3) centres.
        radius_um: (n,) lateral radii.
        half_um: (n,) half heights.
    """
    heading = rng.standard_normal(parents_um.shape)
    heading /= np.linalg.norm(heading, axis=1, keepdims=True)
    axes = np.column_stack([half_um * (TOUCH_AXIAL / TOUCH_LATERAL), radius_um, radius_um])
    near: Points = parents_um + heading * axes * rng.uniform(1.8, 3.0, (len(parents_um), 1))
    return near


def keep_apart(centres_um: Points, radius_um: Array, half_um: Array) -> npt.NDArray[np.bool_]:
    """Which points to keep so that no two cells overlap; (n,) bool.

    Of two cells nearer than `TOUCH_LATERAL`, `TOUCH_AXIAL` times the sums of their radii the later one goes
    (Matern's second hard-core process, with the order in place of a random mark).
    """
    keep = np.ones(len(centres_um), dtype=np.bool_)
    if len(centres_um) < 2:
        return keep
    farthest = 2 * max(TOUCH_LATERAL * radius_um.max(), TOUCH_AXIAL * half_um.max())
    first, second = KDTree(centres_um).query_pairs(farthest, output_type="ndarray").T
    gap = centres_um[first] - centres_um[second]
    axial = gap[:, 0] / (TOUCH_AXIAL * (half_um[first] + half_um[second]))
    lateral = np.hypot(gap[:, 1], gap[:, 2]) / (TOUCH_LATERAL * (radius_um[first] + radius_um[second]))
    keep[np.maximum(first, second)[axial**2 + lateral**2 < 1]] = False
    return keep
