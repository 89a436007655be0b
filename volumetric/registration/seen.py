"""Where an image shows the brain: what coverage is measured by, and where cells are counted.

Dimmer than the mask that is registered: deep tissue may have a small part of the usual light and is seen all the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.geometry.space import Um3
from volumetric.registration.prepare import Prepared

LIGHT = 0.12
"""Least light, between the dark around the tissue (0) and its median (1)."""

GAP_UM = 400.0
"""Width of dark places that lie in the brain: ventricles, fissures between lobes, the space around bulbs."""

AROUND_UM = 150.0
"""Width of a seam around what is seen: a registration is off by some of it, and cells lie at the brain's surface."""


def seen_brain(sample: Prepared) -> npt.NDArray[np.bool_]:
    """Where a prepared image shows the brain, (Z, Y, X) bool; what is excluded is as it looks.

    Tissue and all light that is joined to it, with gaps closed and holes filled; of a brain of which a part was imaged,
    up to its cut, and all of the image where the brain does not stand out from anything.
    """
    spacing = sample.space.spacing_um
    shown = sample.imaged
    if sample.body.stands_out:
        light = sample.body.light
        least = LIGHT * (light.tissue - light.dark) / (light.fence - light.dark)
        lit = ndimage.gaussian_filter(sample.image, 1.0) > least
        closed = _closed((lit | sample.tissue) & sample.imaged, GAP_UM / 2, spacing)
        shown = ndimage.binary_fill_holes(ndimage.binary_propagation(sample.tissue & sample.imaged, mask=closed))
    return _grown(shown, max(AROUND_UM, *spacing), spacing)


def _grown(mask: npt.NDArray[np.bool_], by_um: float, spacing_um: Um3) -> npt.NDArray[np.bool_]:
    """All within a distance of the mask."""
    if not mask.any():
        return mask
    grown: npt.NDArray[np.bool_] = ndimage.distance_transform_edt(~mask, sampling=spacing_um) <= by_um
    return grown


def _closed(mask: npt.NDArray[np.bool_], by_um: float, spacing_um: Um3) -> npt.NDArray[np.bool_]:
    """The mask grown and shrunk again: gaps of up to twice the distance are closed."""
    margin = [int(np.ceil(by_um / step)) + 1 for step in spacing_um]
    grown = _grown(np.pad(mask, [(m, m) for m in margin]), by_um, spacing_um)
    shrunk = ndimage.distance_transform_edt(grown, sampling=spacing_um) > by_um
    inner = tuple(slice(m, -m) for m in margin)
    closed: npt.NDArray[np.bool_] = shrunk[inner] | mask
    return closed
