"""How likely people mark what stands out, by how bright it is.

Far more stands out in tissue than people mark, and brightness alone does not tell which; it only makes it likelier. So
a made-up spot is a cell with the share of equally bright real spots that people marked: isotonic regression over bins
of light (Barlow et al. 1972), as brighter ones are marked no less often.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import isotonic_regression

from volumetric.errors import InputError

Floats = npt.NDArray[np.float64]

BINS, LEAST_IN_BIN = 12, 20


@dataclass(frozen=True)
class Marked:
    """The share of marked spots, by light; between the lights it is straight over their logarithm, beyond level.

    Args:
        light: (k,) noise levels, growing.
        share: (k,) 0 to 1, nowhere falling.

    Raises `InputError` for numbers that are no such curve.
    """

    light: tuple[float, ...]
    share: tuple[float, ...]

    def __post_init__(self) -> None:
        light, share = (np.asarray(one, dtype=np.float64) for one in (self.light, self.share))
        fine = len(light) == len(share) > 0 and bool(np.isfinite([light, share]).all())
        if not (
            fine
            and light[0] > 0
            and np.all(np.diff(light) > 0)
            and np.all(np.diff(share) >= 0)
            and 0 <= share[0] <= share[-1] <= 1
        ):
            raise InputError(f"shares of marked spots grow with light, within 0 to 1; got {self.share} at {self.light}")

    def of(self, light: Floats) -> Floats:
        """Of spots with a light (n,), noise levels above 0."""
        shares: Floats = np.interp(np.log(light), np.log(self.light), self.share)
        return shares


def fit_marked(light: Floats, marked: npt.NDArray[np.bool_]) -> Marked:
    """From spots (n,), their light and whether each is marked; a light of NaN is left out.

    Raises `InputError` where none is left. Fewer than some twenty spots tell a single share.
    """
    known = np.isfinite(light)
    if not known.any():
        raise InputError("not a spot whose light is known: there is nothing to tell from which ones people mark")
    order = np.argsort(light[known], kind="stable")
    bins = min(BINS, max(1, len(order) // LEAST_IN_BIN))
    parts = np.array_split(order, bins)
    # As if half a marked and half an unmarked spot were there too: no share is 0 or 1 by chance.
    share = [(marked[known][part].sum() + 0.5) / (len(part) + 1) for part in parts]
    middle = [float(np.median(light[known][part])) for part in parts]
    rising = isotonic_regression(share, sample_weight=[len(part) for part in parts])
    at, first = np.unique(middle, return_index=True)
    return Marked(tuple(at.tolist()), tuple(np.asarray(rising)[first].tolist()))
