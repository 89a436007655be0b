"""Whether a tile is worth a person's time: three figures of its histogram, any of which may reject it.

The rule is that of the published method (section 3.1): of the 64-bin histogram of the grey image, the share r_bg of
bins 0 to 13, and the share r_bright of bins 53 to 63; beside them sigma, the standard deviation of the brightness.
A tile is unfit where r_bg >= 0.50, sigma <= 0.1 or r_bright < 0.001. The senses are the method's: mostly background,
without contrast, without bright pixels.

The method says of sigma that it is "on the scale of the brightness" and not which scale. Here it is that of values from
0 to 1. The method's own tiles have a mean standard deviation of 28.3 with a spread of 6.6 of 255 (section 3.4), that is
0.11 and 0.026, so that a third of them may be below 0.1 on this scale, and the rule is stricter than theirs may have
been. Every number of it is a setting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError

BINS, BACKGROUND_BIN, BRIGHT_BIN = 64, 13, 53
"""Bins of four grey values each: background are 0 to 55 of 255, bright 212 to 255."""

DARK, FLAT, DULL = "dark", "flat", "dull"
REASONS = {
    DARK: "most of it is background",
    FLAT: "it has hardly any contrast",
    DULL: "hardly a pixel of it is bright",
}
"""Why a tile is rejected; several may hold."""


@dataclass(frozen=True)
class QualityRule:
    """Where a tile is unfit.

    Args:
        background_ratio: share of background pixels from which it is dark.
        deviation: standard deviation, of values from 0 to 1, up to which it is flat.
        bright_ratio: share of bright pixels below which it is dull.
    """

    background_ratio: float = 0.50
    deviation: float = 0.1
    bright_ratio: float = 0.001


@dataclass(frozen=True)
class Quality:
    """The three figures of a tile and why it is rejected; no reason: it is fit."""

    background_ratio: float
    deviation: float
    bright_ratio: float
    reasons: tuple[str, ...]


def judge(tile: npt.NDArray[np.uint8], rule: QualityRule = QualityRule()) -> Quality:
    """The figures of an 8-bit tile (y, x); raises `InputError` for values of another type or none."""
    if tile.dtype != np.uint8 or tile.size == 0:
        raise InputError(f"a tile is judged by its 8-bit values, got {tile.dtype} of shape {tile.shape}")
    histogram = np.bincount(tile.ravel() // (256 // BINS), minlength=BINS)
    background = float(histogram[: BACKGROUND_BIN + 1].sum() / tile.size)
    bright = float(histogram[BRIGHT_BIN:].sum() / tile.size)
    deviation = float(np.std(tile / 255))
    failed = {
        DARK: background >= rule.background_ratio,
        FLAT: deviation <= rule.deviation,
        DULL: bright < rule.bright_ratio,
    }
    return Quality(background, deviation, bright, tuple(reason for reason, holds in failed.items() if holds))
