"""The tables of a consensus: one row a worker, one row a candidate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipelines.consensus.inputs import Inputs
from volumetric.crowd.candidates import Candidates
from volumetric.crowd.reliability import Estimate
from volumetric.crowd.workers import Intervals, clicks_per_tile, false_rate, volume_group, weights_of

CANDIDATE_COLUMNS = ("tile", "x", "y", "posterior", "confidence", "n_clicked", "n_shown", "log_odds")

BELOW_CHANCE, IDLE, REPEATS = "below chance", "hardly clicks", "clicks one place over and over"
"""Why a worker is doubtful: surely more often on no cell than on a cell; hardly ever on one; few places."""

IDLE_SENSITIVITY = 0.1
"""Below which the whole interval lies of who hardly clicks."""

MOST_REPEATS = 0.5
"""Share of clicks that only repeat another."""


def candidate_rows(tiles: Sequence[Candidates], estimate: Estimate) -> pd.DataFrame:
    """Columns `CANDIDATE_COLUMNS`, tile after tile; `confidence` is of the heatmap and still missing."""
    names = [name for tile in tiles for name in [tile.tile.tile] * len(tile.yx)]
    yx = np.concatenate([np.empty((0, 2)), *(tile.yx for tile in tiles)])
    counts = [np.concatenate([np.empty(0, np.int64), *(getattr(t, name).sum(axis=1) for t in tiles)]) for name in _SAID]
    return pd.DataFrame(
        {
            "tile": pd.Series(names, dtype=object),
            "x": yx[:, 1],
            "y": yx[:, 0],
            "posterior": estimate.cell,
            "confidence": np.nan,
            "n_clicked": counts[0],
            "n_shown": counts[1],
            "log_odds": estimate.log_odds,
        }
    )


_SAID = ("clicked", "seen")


def worker_rows(inputs: Inputs, tiles: Sequence[Candidates], estimate: Estimate, ends: Intervals) -> pd.DataFrame:
    """One row a worker, those who take no part at the end with the reason."""
    crowd = inputs.crowd
    weights = weights_of(estimate.sensitivity, estimate.specificity)
    per_tile = clicks_per_tile(crowd)
    chosen = [crowd.tiles.index(name) for name in inputs.quality_control] or list(range(len(crowd.tiles)))
    clicks = np.nansum(per_tile, axis=1).astype(np.int64)
    counted = np.zeros(len(crowd.workers), dtype=np.int64)
    for tile in tiles:
        np.add.at(counted, tile.tile.worker, 1)
    reason = np.select(
        [
            clicks - counted > MOST_REPEATS * np.maximum(clicks, 1),
            ends.sensitivity[:, 1] + ends.specificity[:, 1] < 1,
            ends.sensitivity[:, 1] < IDLE_SENSITIVITY,
        ],
        [REPEATS, BELOW_CHANCE, IDLE],
        "",
    )
    table = pd.DataFrame(
        {
            "worker": pd.Series(crowd.workers, dtype=object),
            "sensitivity": estimate.sensitivity,
            "sensitivity_low": ends.sensitivity[:, 0],
            "sensitivity_high": ends.sensitivity[:, 1],
            "specificity": estimate.specificity,
            "specificity_low": ends.specificity[:, 0],
            "specificity_high": ends.specificity[:, 1],
            "weight_positive": weights.positive,
            "weight_negative": weights.negative,
            "weight_capped": weights.capped,
            "false_clicks_per_mpx": false_rate(tiles, estimate.cell, len(crowd.workers)),
            "n_clicks": clicks,
            "n_repeats": clicks - counted,
            "n_shown": np.isfinite(per_tile).sum(axis=1),
            "volume_group": volume_group(per_tile[:, chosen]),
            "excluded": False,
            "reason": reason,
        }
    )
    excluded = inputs.excluded
    out = pd.DataFrame({"worker": list(excluded), "excluded": True, "reason": list(excluded.values())})
    return pd.concat([table, out], ignore_index=True) if len(out) else table
