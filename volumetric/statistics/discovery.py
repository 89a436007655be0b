"""Which of many tests are discoveries: the false discovery rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def benjamini_hochberg(p: Floats) -> Floats:
    """q-values: the smallest false discovery rate at which each test is a discovery; same shape as `p`.

    NaN is not a test and stays NaN. Benjamini and Hochberg 1995, J R Stat Soc B 57:289; valid for independent tests
    and for such positive dependence as a labelling efficiency shared by all regions of a brain causes
    (Benjamini and Yekutieli 2001, Ann Stat 29:1165).
    """
    q = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    values = p[known]
    order = np.argsort(values)[::-1]
    ranks = np.arange(len(values), 0, -1)
    stepped = np.minimum.accumulate(values[order] * len(values) / ranks)
    ranked = np.empty(len(values))
    ranked[order] = np.minimum(stepped, 1.0)
    q[known] = ranked
    return q
