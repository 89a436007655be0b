"""Columns that miss the same brains, so that each kind is computed at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def patterns(present: Mask) -> Iterator[tuple[Mask, npt.NDArray[np.int64]]]:
    """For each different column of the (n_brains, n_tests) mask: that column, and the numbers of those like it.

    >>> [(row.tolist(), columns.tolist()) for row, columns in patterns(np.array([[True, True, False]]))]
    [([False], [2]), ([True], [0, 1])]
    """
    if present.shape[1] == 0:
        return
    kinds, which = np.unique(present, axis=1, return_inverse=True)
    for number in range(kinds.shape[1]):
        yield kinds[:, number], np.flatnonzero(which.ravel() == number)
