"""How grey values become the values 0 to 1 of a plane, which is what generators make and realism compares.

Two scales. On `brain` the quantiles `BLACK` and `WHITE` of a brain's pixels are 0 and 1, as tiles are shown to people;
8-bit images were cut so and stay as they are. On `contrast` a pixel is what `imaging.intensity` makes of it, its height
over the local background in noise levels, between two bounds: brains that were imaged differently look alike.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from volumetric.imaging.intensity import SOFTNESS

Floats = npt.NDArray[np.float32]
Scale = Literal["brain", "contrast"]

BLACK, WHITE = 0.001, 0.99
"""Quantiles of a brain's pixels, as `volumetric tiles` has them."""

LOWEST, HIGHEST = -2.5, 4.0
"""Contrast shown as 0 and 1: hardly a pixel of real tiles lies beyond."""

GREY_LEVEL, GREY_UNIT = 2000.0, 25.0
"""Grey value of a plane's background, and of a noise level, where contrast becomes an image again."""


def shown(contrast: npt.NDArray[np.floating[Any]]) -> Floats:
    """Contrast as values 0 to 1, cut off beyond; any shape, float32."""
    share: Floats = np.clip((contrast - LOWEST) / (HIGHEST - LOWEST), 0, 1).astype(np.float32)
    return share


def levels(plane: npt.NDArray[np.floating[Any]]) -> Floats:
    """Noise levels above the background of a plane's values 0 to 1 on the scale `contrast`; any shape, float32."""
    contrast = LOWEST + plane * (HIGHEST - LOWEST)
    above: Floats = (SOFTNESS * np.sinh(contrast)).astype(np.float32)
    return above


def from_levels(above: npt.NDArray[np.floating[Any]]) -> Floats:
    """The inverse of `levels`, cut off to 0 to 1."""
    return shown(np.arcsinh(above / SOFTNESS))


def grey16(plane: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint16]:
    """A plane on the scale `contrast` as an image that any program reads: linear in light, flat background."""
    grey: npt.NDArray[np.uint16] = np.rint(GREY_LEVEL + GREY_UNIT * levels(plane)).astype(np.uint16)
    return grey


def grey8(plane: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint8]:
    """A plane on the scale `brain` as an 8-bit image, rounded half up."""
    grey: npt.NDArray[np.uint8] = np.floor(255 * np.clip(plane, 0, 1) + 0.5).astype(np.uint8)
    return grey
