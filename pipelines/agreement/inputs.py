"""What an agreement reads: a finished consensus, and the experts' marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines.consensus.config import Config as ConsensusConfig
from pipelines.consensus.inputs import Inputs, read_inputs
from pipelines.csv_file import read_csv
from volumetric.crowd.agreement import Marks
from volumetric.crowd.clicks import Crowd, checked
from volumetric.errors import InputError
from volumetric.storage.atomic import read_json

ALONE = "expert"
"""Name of the one expert, where the table does not say whose a mark is."""


@dataclass(frozen=True)
class Compared:
    """The crowd of a consensus and its experts.

    Args:
        inputs: of the consensus, as it read them.
        config: of the consensus, whole.
        experts: what each marked, on every tile that they looked at.
        rejected: rows of the experts' table that make no sense.
        shown: (expert, tile) pairs, columns tile and worker.
    """

    inputs: Inputs
    config: ConsensusConfig
    experts: Mapping[str, Marks]
    rejected: pd.DataFrame
    clicks: pd.DataFrame
    shown: pd.DataFrame

    def without_experts(self) -> Inputs:
        """The crowd without those of its workers who are experts."""
        return replace(self.inputs, crowd=self.inputs.crowd.without(set(self.experts)))

    def with_experts(self) -> Inputs:
        """The crowd with the experts' marks as clicks of theirs."""
        crowd = self.without_experts().crowd
        workers = (*crowd.workers, *sorted(self.experts))
        number = {name: i for i, name in enumerate(workers)}
        tile = {name: i for i, name in enumerate(crowd.tiles)}
        clicks, shown = (
            table.assign(tile=table["tile"].map(tile), worker=table["worker"].map(number))
            for table in (self.clicks, self.shown)
        )
        whole = np.asarray(crowd.shapes, dtype=np.float64)[shown["tile"].to_numpy(dtype=np.int64)]
        shown = shown.assign(y0=-0.5, y1=whole[:, 0] - 0.5, x0=-0.5, x1=whole[:, 1] - 0.5)
        joined = Crowd(
            crowd.tiles,
            crowd.shapes,
            workers,
            pd.concat([crowd.clicks, clicks[list(crowd.clicks.columns)]], ignore_index=True),
            pd.concat([crowd.shown, shown[list(crowd.shown.columns)]], ignore_index=True),
        )
        return replace(self.inputs, crowd=joined)


def read_compared(consensus: Path, experts: Path) -> Compared:
    """Read and check everything; raises `InputError` for what is no finished consensus, or marks that do not fit."""
    path = consensus / "consensus.json"
    if not path.is_file():
        raise InputError(f"{consensus} is no finished consensus: it lacks consensus.json. Run `volumetric consensus`")
    record = read_json(path)
    config = ConsensusConfig(**record["config"])
    inputs = read_inputs(*_paths(record, consensus), qc_only=bool(config.qc_only))
    table = read_csv(experts, "table of experts' marks", ("tile", "x", "y"))
    table["worker"] = table.get("expert", ALONE)
    crowd = inputs.crowd
    shapes = {name: (int(h), int(w)) for name, (h, w) in zip(crowd.tiles, crowd.shapes, strict=True)}
    looked = pd.concat([table[["tile", "worker"]], _shown_to(crowd, set(table["worker"]))]).drop_duplicates()
    known = looked[looked["tile"].isin(crowd.tiles)]
    marked, rejected = checked(table, known, shapes, "experts' marks")
    clicks = marked.clicks.assign(
        tile=np.asarray(marked.tiles, dtype=object)[marked.clicks["tile"]],
        worker=np.asarray(marked.workers, dtype=object)[marked.clicks["worker"]],
    )
    marks: dict[str, dict[str, Any]] = {
        str(name): {
            str(tile): clicks.loc[(clicks["worker"] == name) & (clicks["tile"] == tile), ["y", "x"]].to_numpy()
            for tile in sorted(own["tile"])
        }
        for name, own in known.groupby("worker")
    }
    return Compared(inputs, config, marks, rejected, clicks, known.reset_index(drop=True))


def _paths(record: Mapping[str, Any], consensus: Path) -> tuple[Path, Path | None, Path, Path | None]:
    """Clicks, shown, tiles and sets of a consensus, where they still are."""
    given = record["inputs"]
    paths = [Path(given[name]) if given[name] else None for name in ("clicks", "shown", "tiles", "sets")]
    clicks, shown, tiles, sets = paths
    if clicks is None or tiles is None:
        raise InputError(f"{consensus / 'consensus.json'} does not say what it was made from: make it again")
    return clicks, shown, tiles, sets


def _shown_to(crowd: Crowd, names: set[str]) -> pd.DataFrame:
    """Tiles that workers of these names were shown: an expert among the workers has looked at them."""
    worker = np.asarray(crowd.workers, dtype=object)[crowd.shown["worker"]]
    tile = np.asarray(crowd.tiles, dtype=object)[crowd.shown["tile"]]
    table = pd.DataFrame({"tile": tile, "worker": worker})
    return table[table["worker"].isin(names)]
