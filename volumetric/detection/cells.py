"""The cells of a volume in memory: contrast, peaks and linking in one go, for tiles and for training.

`pipelines.detect` does the same block by block for volumes of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from volumetric.detection.infer import detect_block
from volumetric.detection.model import Detector, DetectorSettings
from volumetric.detection.tileset import Tile
from volumetric.geometry.box import Box, Index3
from volumetric.imaging.intensity import ContrastField, fit_contrast
from volumetric.imaging.pooling import block_means
from volumetric.points.linking import link_peaks

FACTORS: Index3 = (2, 8, 8)


def contrast_of(image: npt.NDArray[Any]) -> ContrastField:
    """The contrast field of a volume in memory, (z, y, x) of any numeric type."""
    coarse = block_means(image, FACTORS)
    return fit_contrast(coarse, FACTORS, Box.of_shape(image.shape).shape, lambda box: image[box.slices])


def contrast_of_tiles(tiles: Sequence[Tile]) -> list[ContrastField]:
    """The contrast field of each tile; tiles of one brain share the noise level, the median of their own.

    A tile may show nothing but bright cells, or a tract without any: its brain tells how it was imaged.
    """
    fields = [contrast_of(tile.image) for tile in tiles]
    units = {
        brain: float(np.median([f.unit for f, tile in zip(fields, tiles, strict=True) if tile.brain == brain]))
        for brain in {tile.brain for tile in tiles}
    }
    return [replace(f, unit=units[tile.brain]) for f, tile in zip(fields, tiles, strict=True)]


def candidates(image: npt.NDArray[Any], field: ContrastField, detector: Detector) -> pd.DataFrame:
    """All that may be a cell, with its score, however low; columns of `points.linking.CELL_COLUMNS`.

    Args:
        image: (z, y, x) grey values of a whole volume.
        field: its contrast.
        detector: runs where it was loaded.
    """
    whole = Box.of_shape(image.shape)
    peaks = detect_block(image, whole, whole, shape=whole.shape, field=field, detector=detector)
    return link_peaks(peaks, detector.settings.linking)


def cells_among(found: pd.DataFrame, settings: DetectorSettings) -> pd.DataFrame:
    """The candidates that count, with their `probability` (NaN from a detector that is not calibrated)."""
    kept = found[found["score"] >= settings.threshold].reset_index(drop=True)
    chance = settings.calibration(kept["score"]) if settings.calibration else np.full(len(kept), np.nan)
    return kept.assign(probability=chance)
