"""A detector teaches itself on images without marks: what it is sure of becomes cells, what it is not sure of nothing.

Pseudo-labels (Lee 2013), of a detector those with a high score alone (Sohn et al. 2020, STAC): candidates from `sure`
up are cells, those from `unsure` to `sure` are left out of learning, and everything else is background.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from volumetric.blocks.telling import tell
from volumetric.detection.cells import candidates, contrast_of_tiles
from volumetric.detection.model import Detector
from volumetric.detection.samples import CELL_RADIUS_PX, Floats, TrainingVolume
from volumetric.detection.tileset import Tile
from volumetric.geometry.box import Box


def self_taught(tiles: Sequence[Tile], detector: Detector, *, sure: float, unsure: float) -> list[TrainingVolume]:
    """Tiles ready for training, with what a detector finds in them for their cells.

    Args:
        tiles: their own cells, if they have any, are not looked at.
        detector: of candidates however unsure.
        sure: least score of a cell.
        unsure: least score of what is neither cell nor background.
    """
    volumes = []
    for number, (tile, field) in enumerate(zip(tiles, contrast_of_tiles(tiles), strict=True)):
        tell(number, len(tiles))
        contrast = field.normalise(tile.image, Box.of_shape(tile.image.shape))
        volumes.append(as_taught(contrast, candidates(tile.image, field, detector), sure=sure, unsure=unsure))
    return volumes


def as_taught(contrast: Floats, found: pd.DataFrame, *, sure: float, unsure: float) -> TrainingVolume:
    """One volume with its candidates (`points.linking.CELL_COLUMNS`) told apart by their score."""
    score = found["score"].to_numpy(dtype=np.float64)
    places = found[["z_vox", "y_vox", "x_vox"]].to_numpy(dtype=np.float64)
    rows = np.column_stack([places, np.full(len(found), CELL_RADIUS_PX)])
    return TrainingVolume(contrast, rows[score >= sure], rows[(score >= unsure) & (score < sure)])
