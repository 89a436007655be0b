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
    height, width = image.shape
    lowest = float(np.finfo(image.dtype).min)
    y, x = np.divmod(np.flatnonzero(image >= max(least, lowest)), max(width, 1))
    for dy, dx in (*AFTER, *((-dy, -dx) for dy, dx in AFTER)):
        # Beyond the edge a pixel is compared with another of its neighbours, or itself.
        top = image[y, x] >= image[np.clip(y + dy, 0, height - 1), np.clip(x + dx, 0, width - 1)]
        y, x = y[top], x[top]
    # Numbered as in a picture that is wider by a column, so that the ends of rows do not touch.
    at = y * (width + 1) + x
    steps = [dy * (width + 1) + dx for dy, dx in AFTER]
    # Tops that touch are equal: of each plateau the first counts.
    pairs = [(np.flatnonzero(np.isin(at + step, at)), step) for step in steps]
    rows = np.concatenate([row for row, _ in pairs])
    columns = np.concatenate([np.searchsorted(at, at[row] + step) for row, step in pairs])
    touching = sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(at), len(at)))
    plateau = connected_components(touching, directed=False)[1]
    first = np.unique(plateau, return_index=True)[1]
    return np.column_stack([y[first], x[first]]).astype(np.int64)
