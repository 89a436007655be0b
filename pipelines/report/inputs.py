"""What the page is made from: files of the run folder, opened and checked, nothing large read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.overview import completed
from pipelines.report.regions import read_regions
from pipelines.workspace import RunFolder
from volumetric.errors import InputError
from volumetric.geometry.orientation import check_orientation
from volumetric.geometry.space import um3
from volumetric.storage.atomic import read_json
from volumetric.storage.omezarr import open_ome_zarr, open_zarr
from volumetric.storage.tables import read_table
from volumetric.storage.volume import Volume


@dataclass(frozen=True)
class RunInputs:
    """An open run: the record, the registration's quality, the region table, and volumes and cells by path."""

    record: Mapping[str, Any]
    quality: Mapping[str, Any]
    regions: pd.DataFrame
    cells: Path
    signal: Volume
    signal_channel: int
    reference: Volume
    reference_channel: str
    labels: Volume
    orientation: str

    def column(self, *names: str) -> npt.NDArray[np.float64]:
        """Columns of the cells as (n,) or (n, k) float64, null as NaN."""
        table = read_table(self.cells, list(names))
        values = table.to_numpy(dtype=np.float64, na_value=np.nan)
        return values[:, 0] if len(names) == 1 else values

    def matches(self, name: str, text: str) -> npt.NDArray[np.bool_]:
        """Where a text column of the cells is `text`: (n,) bool, null is False."""
        found: npt.NDArray[np.bool_] = (read_table(self.cells, [name])[name] == text).to_numpy(dtype=np.bool_)
        return found


def open_run(run: RunFolder) -> RunInputs:
    """Open a finished run; raises `InputError` naming what is missing."""
    quality = run.registration / "quality.json"
    for path in (run.record, quality, run.cells):
        if not path.is_file():
            raise InputError(
                f"{run.path} is not a finished run: there is no {path.relative_to(run.path)}. "
                "Repeat its `volumetric count`, which goes on where it stopped"
            )
    record = read_json(run.record)
    facts = record["volume"]
    # Paths inside the run folder are kept relative to it; joining leaves absolute ones as they are.
    size, axes = um3(facts["voxel_um"]), facts.get("axes")
    other, other_size = facts.get("register_path", facts["path"]), um3(facts.get("register_voxel_um", size))
    signal = completed(open_zarr(run.path / facts["path"], size, axes), run.overviews)
    reference = completed(open_zarr(run.path / other, other_size, axes), run.overviews)
    return RunInputs(
        record=record,
        quality=read_json(quality),
        regions=read_regions(run.regions),
        cells=run.cells,
        signal=signal,
        signal_channel=signal.channel_index(facts["signal"]),
        reference=reference,
        reference_channel=facts["register_on"],
        labels=open_ome_zarr(run.registration / "labels.ome.zarr"),
        orientation=check_orientation(facts["orientation"]),
    )
