"""Whether the truth points at light: pixels of cells and of the background, and the difference between them.

The method (section 3.4) takes discs on synthetic tiles and, on real ones, where the heatmap is above 0.5: of a single
cell a disc of 2.4 px. Here it is discs on both, or the two sides would not be measured alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.synthesis.texture import WHITE

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Surroundings:
    """Which pixels are a cell's.

    Args:
        cell_px: distance from a cell's centre up to which a pixel shows the cell.
        background_px: distance from every cell's centre beyond which it is background.
    """

    cell_px: float = 3.0
    background_px: float = 8.0


USUAL = Surroundings()


def distance_to_cell(shape: tuple[int, int], yx: Floats) -> Floats:
    """Distance of each pixel (Y, X) from the nearest of the centres (n, 2), px; infinite without any."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    squared = np.full(shape, np.inf)
    for y, x in yx:
        np.minimum(squared, (rows - y) ** 2 + (columns - x) ** 2, out=squared)
    distance: Floats = np.sqrt(squared)
    return distance


def signal_minus_background(plane: npt.NDArray[np.float32], distance: Floats, around: Surroundings) -> float:
    """Mean of the discs around the cells less that of the background, in grey values 0 to 255.

    NaN where the plane has no cell or no background.

    Args:
        plane: (Y, X) 0 to 1.
        distance: of each pixel from the nearest cell.
        around: what is a cell's and what is background.
    """
    cell, background = distance <= around.cell_px, distance > around.background_px
    if not (cell.any() and background.any()):
        return float("nan")
    return WHITE * float(plane[cell].mean(dtype=np.float64) - plane[background].mean(dtype=np.float64))
