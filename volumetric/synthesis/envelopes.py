"""Is a curve such as a model's simulations are, at all distances at once?

Global envelopes by extreme rank length (Myllymaki et al. 2017, J. R. Stat. Soc. B 79, 381; Mrkvicka et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from volumetric.errors import InputError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Envelope:
    """A curve beside simulations.

    Args:
        low: (k,) of the envelope.
        high: (k,).
        p: chance of a curve as extreme as the observed one, where the model is true.
        level: of the envelope, for example 0.95.
    """

    low: Floats
    high: Floats
    p: float
    level: float

    @property
    def inside(self) -> bool:
        """Whether the model may have made the curve; with a chance of `level` where it has."""
        return self.p > 1 - self.level


def envelope(observed: Floats, simulated: Floats, level: float = 0.95) -> Envelope:
    """The envelope that holds a share `level` of a model's curves whole.

    Each curve is as extreme as its ranks among all, at each distance from the nearer end, sorted from the most extreme
    on; curves are compared by the first rank that differs. The envelope spans the curves that are not the most
    extreme. Equal values share their mean rank.

    Args:
        observed: (k,).
        simulated: (n, k), n large enough that the level can be told.
        level: between 0 and 1.

    Raises `InputError` for too few simulations.
    """
    if (len(simulated) + 1) * (1 - level) < 1:
        raise InputError(
            f"{len(simulated)} simulations cannot tell a level of {level:g}: expected at least "
            f"{int(np.ceil(1 / (1 - level) - 1e-9)) - 1}"
        )
    curves = np.vstack([observed, simulated])
    ranks = rankdata(curves, axis=0)
    extreme = np.sort(np.minimum(ranks, len(curves) + 1 - ranks), axis=1)
    _, place = np.unique(extreme, axis=0, return_inverse=True)  # sorted by the first rank that differs
    share = rankdata(place.ravel(), method="max") / len(curves)
    kept = curves[share > 1 - level]
    return Envelope(kept.min(axis=0), kept.max(axis=0), float(share[0]), level)
