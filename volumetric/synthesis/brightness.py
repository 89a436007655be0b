"""How bright the pixels of planes are, and how far two such distributions lie apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import rel_entr

Floats = npt.NDArray[np.float64]
Masks = npt.NDArray[np.bool_]

BINS = 64
"""As in the quality rule of tiles."""


def brightness_histogram(stack: npt.NDArray[np.float32], which: Masks | None = None) -> npt.NDArray[np.int64]:
    """Pixels of each plane by brightness, (n, BINS); the last bin holds 1 as well.

    Args:
        stack: (n, Y, X) 0 to 1.
        which: (n, Y, X) the pixels to be counted, or None for all.
    """
    bins = np.minimum((stack * BINS).astype(np.int64), BINS - 1)
    counts = np.zeros((len(stack), BINS), dtype=np.int64)
    for number, plane in enumerate(bins):
        counts[number] = np.bincount(plane.ravel() if which is None else plane[which[number]], minlength=BINS)
    return counts


def js_divergence(one: npt.ArrayLike, other: npt.ArrayLike) -> float | None:
    """Jensen-Shannon divergence of two histograms, in bits: 0 where they are alike, 1 where they share no bin.

    The divergence itself, without the square root that makes it a metric (Lin 1991, IEEE Trans Inf Theory 37:145).
    None where one is empty.
    """
    p, q = (np.asarray(counts, dtype=np.float64) for counts in (one, other))
    if not (p.sum() and q.sum()):
        return None
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    nats = rel_entr(p, middle).sum() + rel_entr(q, middle).sum()
    return float(np.clip(nats / (2 * np.log(2)), 0, 1))
