"""The tables of `tiles`: one row a tile, one row a tile of a data set, one row a region."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from volumetric.tiles.quality import REASONS
from volumetric.tiles.sets import MAIN, QUALITY_CONTROL, SPARE, DataSets

REJECTED = "rejected"
"""What a tile is for that is shown to nobody: nothing. The other roles are those of `volumetric.tiles.sets`."""

COLUMNS = {
    "tile": "object",
    "brain": "object",
    "z_vox": "int64",
    "y_vox": "int64",
    "x_vox": "int64",
    "z_um": "float64",
    "y_um": "float64",
    "x_um": "float64",
    "size_px": "int64",
    "region_id": "int64",
    "acronym": "object",
    "share": "float64",
    "hemisphere": "object",
    "background_ratio": "float64",
    "deviation": "float64",
    "bright_ratio": "float64",
    "accepted": "bool",
    "reason": "object",
}
"""Column -> type of `tiles.parquet`, before the tiles are dealt out. Places are of a tile's first pixel: a click at
(x, y) of the tile is at (x_vox + x, y_vox + y) of the volume. `reason` has words of
`volumetric.tiles.quality` with spaces between; it is empty for accepted tiles."""


def with_sets(tiles: pd.DataFrame, sets: DataSets) -> pd.DataFrame:
    """The tiles with what each is for (`role`) and the data sets it is in (`sets`, numbers with spaces between)."""
    sets_of = sets.sets_of
    roles = np.where(tiles["accepted"], SPARE, REJECTED).astype(object)
    roles[list(sets_of)] = MAIN
    roles[list(sets.quality_control)] = QUALITY_CONTROL
    own = [" ".join(map(str, sets_of.get(number, ()))) for number in range(len(tiles))]
    return tiles.assign(role=roles, sets=own)


def sets_table(tiles: pd.DataFrame, sets: DataSets) -> pd.DataFrame:
    """Columns set (from 1 on), tile, quality_control; the rows of a set in the order that a worker sees them."""
    names = tiles["tile"].tolist()
    rows = [
        (number, names[tile], first)
        for number, (control, main) in enumerate(zip(sets.order, sets.main, strict=True), start=1)
        for tiles_of, first in ((control, True), (main, False))
        for tile in tiles_of
    ]
    return pd.DataFrame(rows, columns=["set", "tile", "quality_control"])


def summary(tiles: pd.DataFrame, acronyms: Mapping[int, str]) -> pd.DataFrame:
    """One row a named region (id -> acronym): tiles cut, kept, rejected, and rejected for each reason or several."""
    rows = []
    for region_id, acronym in acronyms.items():
        own = tiles[tiles["region_id"] == region_id]
        kept = int(own["accepted"].sum())
        reasons = own["reason"].str.split().tolist()
        counts = {reason: sum(reason in given for given in reasons) for reason in REASONS}
        rows.append({"region": acronym, "cut": len(own), "kept": kept, "rejected": len(own) - kept, **counts})
    return pd.DataFrame(rows)
