"""Tiles with known cells, and what a detector finds in them: what `evaluate` and `calibrate` begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from volumetric.blocks.telling import tell
from volumetric.detection.cells import candidates, contrast_of_tiles
from volumetric.detection.evaluate import Found
from volumetric.detection.model import Detector, DetectorSettings
from volumetric.detection.targets import heatmap_peaks
from volumetric.detection.tileset import Tile
from volumetric.imaging.intensity import ContrastField
from volumetric.storage.tables import read_table, write_table

FOUND_COLUMNS = ("tile", "z_um", "y_um", "x_um", "score")


def with_cells(tile: Tile) -> Tile:
    """The tile, its cells taken from the peaks of its heatmap where it has that alone."""
    if tile.cells is not None or tile.heatmap is None:
        return tile
    places, sure = heatmap_peaks(tile.heatmap[0])
    return replace(tile, cells=np.column_stack([np.zeros(len(places)), places]), confidence=sure)


def find(tiles: Sequence[Tile], detector: Detector, out: Path) -> None:
    """Write all candidates of all tiles, columns as above."""
    parts = [pd.DataFrame(columns=list(FOUND_COLUMNS))]
    for number, (tile, field) in enumerate(zip(tiles, contrast_of_tiles(tiles), strict=True)):
        tell(number, len(tiles))
        found = found_by(detector, tile, field)
        columns = dict(zip(FOUND_COLUMNS[1:], [*found.points_um.T, found.score], strict=True))
        parts.append(pd.DataFrame({"tile": tile.name, **columns}))
    write_table(out, pd.concat(parts[1:] or parts, ignore_index=True))


def found_by(detector: Detector, tile: Tile, field: ContrastField) -> Found:
    """The candidates of a tile, without probabilities."""
    rows = candidates(tile.image, field, detector)
    um = tile.space.to_um(rows[["z_vox", "y_vox", "x_vox"]].to_numpy())
    return Found(um, rows["score"].to_numpy(dtype=np.float64))


def found_in(tiles: Sequence[Tile], table: Path, settings: DetectorSettings) -> list[Found]:
    """The candidates of each tile, with their probabilities where the detector has a calibration."""
    rows = read_table(table)
    result = []
    for tile in tiles:
        own = rows[rows["tile"] == tile.name]
        score = own["score"].to_numpy(dtype=np.float64)
        chance = settings.calibration(score) if settings.calibration else None
        result.append(Found(own[["z_um", "y_um", "x_um"]].to_numpy(dtype=np.float64), score, chance))
    return result
