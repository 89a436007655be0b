"""Local maxima of a picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage


def local_maxima(image: npt.NDArray[np.floating], least: float) -> npt.NDArray[np.int64]:
    """(n, 2) y, x of pixels of at least `least` that none of their 3 x 3 exceeds; of equal neighbours the first."""
    tops = (image == ndimage.maximum_filter(image, size=3)) & (image >= least)
    plateaus, _ = ndimage.label(tops, structure=np.ones((3, 3)))
    places = np.argwhere(tops)
    return places[np.unique(plateaus[tops], return_index=True)[1]].astype(np.int64)
