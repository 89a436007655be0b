"""Local maxima of a picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

AFTER = ((0, 1), (1, -1), (1, 0), (1, 1))
"""Steps to the neighbours that come later in row order; the others are their opposites."""


def local_maxima(image: npt.NDArray[np.floating], least: float) -> npt.NDArray[np.int64]:
    """(n, 2) y, x of pixels of at least `least` that none of their 3 x 3 exceeds; of equal neighbours the first.

    Only pixels that are high enough are looked at: on a picture that is mostly empty it costs next to nothing.
    """
    around = np.pad(image, 1, constant_values=-np.inf)
    width = around.shape[1]
    flat, at = around.ravel(), np.flatnonzero(around >= max(least, np.finfo(image.dtype).min))
    steps = [dy * width + dx for dy, dx in AFTER]
    for step in (*steps, *(-step for step in steps)):
        at = at[flat[at] >= flat[at + step]]
    # Tops that touch are equal: of each plateau the first counts.
    pairs = [(np.flatnonzero(np.isin(at + step, at)), step) for step in steps]
    rows = np.concatenate([row for row, _ in pairs])
    columns = np.concatenate([np.searchsorted(at, at[row] + step) for row, step in pairs])
    touching = sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(at), len(at)))
    plateau = connected_components(touching, directed=False)[1]
    first = at[np.unique(plateau, return_index=True)[1]]
    return np.column_stack([first // width - 1, first % width - 1]).astype(np.int64)
