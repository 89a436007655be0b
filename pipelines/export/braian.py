"""The table of BraiAn, one brain: `braian.AnimalBrain.from_csv` reads it.

    NAME_sum.csv   the first cell is the metric (`sum`, which BraiAn takes as raw counts); then `size (mm³)` and the
                   channel's counts, for `Left: ACRONYM` and `Right: ACRONYM` of every region

Counts and sizes include descendants, as those of BraiAn's own tables do. A region that was not imaged and has no cell
is missing (empty), not zero.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from pipelines.export.contents import Contents
from pipelines.export.finished import FinishedRun
from volumetric.errors import InputError

METRIC = "sum"
SIZE, UNIT = "size (mm³)", "cells"
RESERVED = ("size", "area")
"""Columns that BraiAn takes for the size of the regions."""


def contents(run: FinishedRun, name: str) -> Contents:
    """What will be written for an animal of this name.

    Raises `InputError` where two regions share an acronym, by which BraiAn knows them, or the name cannot be a file's.
    """
    if not name or name != Path(name).name:
        raise InputError(f"the animal's name becomes a file's, so it cannot be {name!r}: give another with --name")
    acronyms = run.regions.loc[run.regions["hemisphere"] == "both", "acronym"]
    shared = sorted(set(acronyms[acronyms.duplicated()]))
    if shared:
        raise InputError(
            f"BraiAn knows regions by their acronyms, and several regions of the atlas {run.atlas!r} share "
            f"{', '.join(shared[:5])}: this run cannot be exported to it"
        )
    file = f"{name}_{METRIC}.csv"
    return Contents(
        files=(file,),
        size_bytes=100 * len(run.regions),
        memory_bytes=2**26,
        outside="left out",
        readme=(
            f"Open with braian.AnimalBrain.from_csv({file!r}, {name!r}) of BraiAn 1.0; from 1.1 on with "
            f"from_csv({file!r}, name={name!r}, ontology=..., legacy=True).",
            f"Counts and sizes of a region of {run.atlas} include its parts; regions that were not imaged are empty.",
        ),
        write=partial(_write, run, file),
    )


def brain_table(run: FinishedRun) -> pd.DataFrame:
    """The table, its index named after the metric."""
    marker = f"{run.channel} cells" if run.channel in RESERVED else run.channel
    halves = []
    for side, rows in zip(("Left", "Right"), run.sides(["acronym", "count", "volume_mm3"]), strict=True):
        imaged = rows["volume_mm3"] > 0
        halves.append(
            pd.DataFrame(
                {
                    METRIC: f"{side}: " + rows["acronym"],
                    SIZE: rows["volume_mm3"].where(imaged),
                    f"{marker} ({UNIT})": rows["count"].astype("Int64").where(imaged | (rows["count"] > 0)),
                }
            )
        )
    return pd.concat(halves).set_index(METRIC)


def _write(run: FinishedRun, file: str, folder: Path) -> None:
    brain_table(run).to_csv(folder / file, encoding="utf-8")
