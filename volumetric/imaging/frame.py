"""What of a volume is empty: blank padding, and the frame around the tissue that the microscope saw without light.

Nothing here depends on a constant added to the image or on its gain, nor on how bright a few voxels are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.imaging.noise import deviation
from volumetric.imaging.otsu import otsu_threshold

Floats = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]

_TISSUE_LIGHT = 0.12
"""Least light of tissue, as a share of its median: fibre tracts and ventricles stay, haze around it goes."""

_LEAST_FRAME = 0.03
"""Least share of a frame: a few dark holes are none."""

_FLAT = 0.1
"""Most spread of a frame, as a share of its distance to the tissue."""

_MUCH = 0.1
"""Share of the volume from which what is brighter is tissue for sure: a bright object is smaller."""

_GRAIN = 1.5
"""Most spread of a frame in its own grain, where what is brighter is less: tissue differs from place to place by more
than from block to block, an empty frame does not. Only its darker half is looked at: haze lies around tissue."""

_SHELL = 3
"""Blocks below the surface that are looked at for a frame: a bright rim of a few pixels does not hide it."""

_AT_THE_SURFACE = 0.2
"""Least share of these blocks that belong to a frame."""

_ENOUGH = 2**22
"""Values that a threshold is chosen from, at most."""


@dataclass(frozen=True)
class Parts:
    """The parts of a volume on a coarse grid.

    Args:
        tissue: (Z, Y, X) bool; everything that was imaged where no frame is seen.
        imaged: (Z, Y, X) bool; all but padding and NaN.
        padding: (Z, Y, X) bool, blocks that may hold padding: those of one value alone, and all beside them.
        fill: the value of padding, NaN where there is none.
        dark: the level of the frame without light, NaN where none is seen.
    """

    tissue: Mask
    imaged: Mask
    padding: Mask
    fill: float
    dark: float


def find_parts(coarse: Floats) -> Parts:
    """Tell tissue from what is empty.

    A frame is the lowest class of values that is flat, compared with its distance from what is brighter, and lies at
    the surface of what was imaged. Classes are split by Otsu's threshold, from the brightest down: each split takes
    off what is brightest, a bright object first, until the frame is left.

    Args:
        coarse: (Z, Y, X) means over blocks of voxels; NaN is empty.
    """
    imaged = np.isfinite(coarse)
    blank = _blank(coarse) & imaged
    if (blank == imaged).all():  # a constant image shows nothing, but all of it was imaged
        blank = np.zeros_like(imaged)
    fill = _fill(coarse, blank)
    padding = ndimage.maximum_filter(blank & (coarse == fill), 3)
    imaged &= ~blank
    rest, dark, size = imaged, float("nan"), 0
    while rest.any() and (found := _frame(coarse, rest)) is not None:
        level, top = found
        above = rest & (coarse > top)
        # A thin padding may lie around the frame; what lies inside the frame, and is less, is haze.
        below = int(np.count_nonzero(rest)) - int(np.count_nonzero(above))
        if below <= size:
            break
        rest, dark, size = above, level, below
    if size == 0:
        return Parts(imaged, imaged, padding, fill, dark)
    rise = float(np.median(coarse[rest])) - dark
    return Parts(imaged & (coarse > dark + _TISSUE_LIGHT * rise), imaged, padding, fill, dark)


def _fill(coarse: Floats, blank: Mask) -> float:
    """The most common value of blank blocks on the faces of the volume."""
    faces = [(np.take(coarse, i, axis=a), np.take(blank, i, axis=a)) for a in range(3) for i in (0, -1)]
    values, counts = np.unique(np.concatenate([face[empty] for face, empty in faces]), return_counts=True)
    return float(values[np.argmax(counts)]) if values.size else float("nan")


def _blank(coarse: Floats) -> Mask:
    """Blocks of one and the same value with their neighbours in a plane, and those of that value beside them."""
    known = np.where(np.isfinite(coarse), coarse, coarse.dtype.type(np.inf))
    same = np.zeros(coarse.shape, dtype=np.bool_)
    for axis in range(3):
        plane = [1 if axis == other else 3 for other in range(3)]
        same |= ndimage.maximum_filter(known, plane) == ndimage.minimum_filter(known, plane)
    grown: Mask = ndimage.maximum_filter(np.where(same, known, coarse.dtype.type(-np.inf)), 3) == known
    return grown


def _frame(coarse: Floats, imaged: Mask) -> tuple[float, float] | None:
    """The level of the frame and its highest value, or None where there is none."""
    shell = coarse[imaged & ~ndimage.binary_erosion(imaged, np.ones((3, 3, 3), dtype=np.bool_), _SHELL)]
    values = coarse[imaged]
    found = None
    low = values[:: -(-values.size // _ENOUGH)]
    least = _LEAST_FRAME * low.size
    whole = low.size
    while low.size >= least and low.min() < low.max():
        threshold = otsu_threshold(low)
        low, high = low[low < threshold], low[low >= threshold]
        if low.size < least or not high.size:
            break
        darker, dark, brighter = (float(q) for q in np.quantile(low, [0.16, 0.5, 0.84]))
        flat = brighter - darker <= 2 * _FLAT * (float(np.median(high)) - dark)
        top = float(low.max())
        if flat and np.mean(shell <= top) >= _AT_THE_SURFACE:
            much = low.size <= (1 - _MUCH) * whole
            if much or dark - darker <= _GRAIN * _grain(coarse, imaged, top):
                found = dark, top
    return found


def _grain(coarse: Floats, imaged: Mask, top: float) -> float:
    """Standard deviation of a block by how much neighbours differ, of those that are not above a value."""
    low = imaged & (coarse <= top)
    steps = np.abs(np.diff(coarse, axis=-1)[low[..., 1:] & low[..., :-1]])
    return deviation(steps) / math.sqrt(2) if steps.size else 0.0
