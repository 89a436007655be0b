"""What a detector learns from: tiles with known cells, and synthetic crops made from a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from volumetric.detection.cells import candidates, contrast_of, contrast_of_tiles
from volumetric.detection.evaluate import Tolerance
from volumetric.detection.model import Detector
from volumetric.detection.samples import CELL_RADIUS_PX, TrainingVolume
from volumetric.detection.tileset import Tile
from volumetric.geometry.box import Box, Index3
from volumetric.geometry.space import VoxelSpace
from volumetric.phantom.crops import random_crop
from volumetric.points.curves import ScoredTile, score_tile
from volumetric.points.matching import match_points

CROP_SHAPE: Index3 = (14, 192, 192)
CROP_UM = (5.0, 2.0, 2.0)

FAINTEST = 10.0
"""Noise levels from which a synthetic cell is asked for; fainter ones teach nothing: people mark some and some not."""

HELD_OUT_CROPS, HELD_OUT_SEED = 24, 1_000_003
"""Synthetic crops on which the threshold is chosen where no tiles can be held out, of another seed."""

Volume = tuple[npt.NDArray[np.uint16], pd.DataFrame]


def synthetic_volume(seed: int, index: int, shape: Index3 = CROP_SHAPE) -> Volume:
    """Synthetic crop number `index` of a seed: image and cells."""
    return random_crop(np.random.default_rng([seed, index]), shape, CROP_UM)


def synthetic_training(seed: int, index: int) -> TrainingVolume:
    """The same, ready for training."""
    image, cells = synthetic_volume(seed, index)
    rows = cells[["z_vox", "y_vox", "x_vox", "radius_px"]].to_numpy(dtype=np.float64)
    asked = (cells["snr"] >= FAINTEST).to_numpy()
    contrast = contrast_of(image).normalise(image, Box.of_shape(image.shape))
    return TrainingVolume(contrast, rows[asked], _columns(rows[~asked], cells["half_slices"].to_numpy()[~asked]))


def _columns(rows: npt.NDArray[np.float64], half: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A row for each slice in which a cell lies."""
    spans = [np.arange(np.ceil(z - h - 0.5), z + h + 0.5) for (z, *_), h in zip(rows, half, strict=True)]
    return np.concatenate(
        [
            np.empty((0, 4)),
            *(np.column_stack([s, np.tile(row[1:], (len(s), 1))]) for s, row in zip(spans, rows, strict=True)),
        ]
    )


def tile_training(tiles: Sequence[Tile]) -> list[TrainingVolume]:
    """Tiles ready for training."""
    volumes = []
    for tile, field in zip(tiles, contrast_of_tiles(tiles), strict=True):
        points = np.empty((0, 3)) if tile.cells is None else tile.cells
        cells = np.column_stack([points, np.full(len(points), CELL_RADIUS_PX)])
        contrast = field.normalise(tile.image, Box.of_shape(tile.image.shape))
        # A heatmap says by itself how sure its cells are.
        sure = tile.confidence if tile.heatmap is None else None
        volumes.append(TrainingVolume(contrast, cells, np.empty((0, 4)), tile.heatmap, sure))
    return volumes


def score_synthetic(detector: Detector, seed: int, tolerance: Tolerance) -> list[ScoredTile]:
    """What a detector finds in synthetic crops of another seed; finding a cell that is not asked for is no mistake."""
    scored = []
    for index in range(HELD_OUT_CROPS):
        image, true = synthetic_volume(seed + HELD_OUT_SEED, index)
        found = candidates(image, contrast_of(image), detector)
        asked = (true["inside"] & (true["snr"] >= FAINTEST)).to_numpy()
        space = VoxelSpace(CROP_UM)
        cells, places = (space.to_um(t[["z_vox", "y_vox", "x_vox"]].to_numpy(dtype=np.float64)) for t in (true, found))
        reach = tolerance.um(space)
        pairs = match_points(cells, places, reach)
        judged = np.ones(len(places), dtype=np.bool_)
        judged[pairs[~asked[pairs[:, 0]], 1]] = False
        scored.append(score_tile(cells[asked], places[judged], found["score"].to_numpy()[judged], reach))
    return scored
