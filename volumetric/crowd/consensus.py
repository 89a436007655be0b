"""Ground truth as a picture: how sure the crowd is, at each pixel of a tile, that a cell's centre is there.

Two kinds: the method's, a sum over clicks (equations 8 and 9), and one of posteriors, a Gaussian for each candidate.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from volumetric.crowd.candidates import Candidates
from volumetric.crowd.clicks import TileClicks
from volumetric.imaging.gaussians import gaussian_max, gaussian_sum

Floats = npt.NDArray[np.float64]

SIGMA_PX, CUT = 2.0, 2.5
"""Width of a click, and its end in widths (method, section 3.3 and figure 19)."""

SATURATION = 6.0
"""S of equation 9: where all agree the confidence is 1 - exp(-6) = .998."""


def clicks_heatmap(tile: TileClicks, weight: Floats) -> Floats:
    """Confidence of the method: weighted clicks as a share of those who saw the pixel, saturated; (Y, X), 0 to 1.

    Where parts of a tile were shown to some, the total of equation 9 is of the workers who saw that pixel.

    Args:
        tile: all its clicks.
        weight: (n_workers,) of a click, by worker's number; negative ones count as the method has it, but no pixel is
            below 0.
    """
    clicked = gaussian_sum(tile.shape, tile.yx, weight[tile.worker], SIGMA_PX, CUT)
    total = shown_weight(tile, weight)
    share = np.divide(clicked, total, out=np.zeros(tile.shape), where=total > 0)
    return np.asarray(-np.expm1(-SATURATION * np.maximum(share, 0.0)))


def shown_weight(tile: TileClicks, weight: Floats) -> Floats:
    """(Y, X) total weight of the workers who were shown each pixel; one shown it twice counts once."""
    total = np.zeros(tile.shape)
    for viewer in tile.viewers:
        seen = np.zeros(tile.shape, dtype=np.bool_)
        for y0, y1, x0, x1 in np.ceil(tile.views[tile.viewer == viewer]).astype(np.int64):
            seen[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
        total += weight[viewer] * seen
    return total


def posterior_heatmap(found: Candidates, posterior: Floats) -> Floats:
    """One Gaussian for each candidate, its posterior at the peak; near ones do not add up. (Y, X), 0 to 1.

    The peak is drawn at the candidate's pixel, so that it is reached.
    """
    return gaussian_max(found.tile.shape, np.rint(found.yx), posterior, SIGMA_PX, CUT)
