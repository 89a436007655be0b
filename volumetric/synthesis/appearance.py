"""How cells and a background become a plane: as the method has it, or as light that adds to light.

    white   X = C M + B (1 - M)            eq. 11 and 14 of the method: the mask M is filled with the cell image C = M
    lit     X = shown(levels(B) + S)       the light S of the cells, noise levels, on top of the background's own

B and X are 0 to 1; `levels` and `shown` are those of `scale`. A cell's light falls to half of its middle's at its
outline; how steeply, varies from cell to cell.
"""

from __future__ import annotations

import math
from typing import Literal

import numba
import numpy as np
import numpy.typing as npt
import torch

from volumetric.imaging.intensity import SOFTNESS
from volumetric.synthesis.layout import Layout
from volumetric.synthesis.scale import HIGHEST, LOWEST

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]
Appearance = Literal["white", "lit"]

STEEPNESS = (0.8, 1.6)
"""Half the power of the distance in a cell's profile: 1 is a Gaussian, more is a disc with softer rim."""

REACH = 3.0
"""Radii from its centre beyond which a cell gives no light."""


def render(
    layout: Layout, shape: tuple[int, int], appearance: Appearance, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Mask and cell image of a plane (Y, X), float32: pixels within an outline, and these again or their light."""
    mask, light = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    steepness = rng.uniform(*STEEPNESS, len(layout))
    if len(layout):
        radii = np.linalg.norm(np.stack(layout.outlines) - layout.yx[:, None], axis=2)
        _draw(mask, light, np.column_stack([layout.yx, layout.light, steepness, radii]))
    return mask, mask if appearance == "white" else light


def compose(background: torch.Tensor, mask: torch.Tensor, cells: torch.Tensor, appearance: Appearance) -> torch.Tensor:
    """Planes 0 to 1 of backgrounds 0 to 1, masks and cell images; all (n, 1, Y, X)."""
    if appearance == "white":
        return cells * mask + background * (1 - mask)
    contrast = LOWEST + background * (HIGHEST - LOWEST)
    whole = torch.arcsinh(torch.sinh(contrast) + cells / SOFTNESS)
    # Not cut off below and above here: a generator learns nothing where its output is cut.
    return (whole - LOWEST) / (HIGHEST - LOWEST)


@numba.njit(nogil=True, cache=True)
def _draw(mask: Floats, image: Floats, rows: Array) -> None:
    """Draw a cell for each row: y, x, its middle's light, steepness, and radii in equal steps of the direction."""
    for cell in rows:
        y, x, light, steepness = cell[:4]
        radii = cell[4:]
        directions = len(radii)
        reach = REACH * radii.max()
        for row in range(max(math.ceil(y - reach), 0), min(math.floor(y + reach) + 1, image.shape[0])):
            for column in range(max(math.ceil(x - reach), 0), min(math.floor(x + reach) + 1, image.shape[1])):
                turn = math.atan2(row - y, column - x) % (2 * math.pi) * (directions / (2 * math.pi))
                before = int(turn) % directions
                part = turn - int(turn)
                edge = (1 - part) * radii[before] + part * radii[(before + 1) % directions]
                share = ((row - y) ** 2 + (column - x) ** 2) / edge**2
                if share <= 1:
                    mask[row, column] = 1
                if share <= REACH**2:
                    image[row, column] += light * 0.5 ** (share**steepness)
