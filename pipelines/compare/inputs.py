"""What a comparison reads: the design file, the run folders of its brains and the atlas, checked before any work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pyarrow import ArrowInvalid

from pipelines.compare.animals import check_different, check_one_atlas, identities_of
from pipelines.csv_file import FIRST_LINE, read_csv
from pipelines.report.regions import read_regions
from pipelines.workspace import RunFolder
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.loader import load_atlas
from volumetric.atlas.ontology import Ontology
from volumetric.atlas.registered import QUALITY
from volumetric.errors import InputError
from volumetric.statistics.design import COLUMNS, Design, parse_design
from volumetric.statistics.imaged import BOTH, LEFT, RIGHT, imaged_side
from volumetric.statistics.level import Parents
from volumetric.storage.atomic import read_json
from volumetric.storage.tables import table_metadata

NEEDED = ("regions.csv", "cells.parquet", "run.json")

_SIDES = {"left": LEFT, "right": RIGHT, "whole": BOTH}
"""What a registration calls the part that was imaged, where it does not say the side; else coverage tells it."""


@dataclass(frozen=True)
class Brains:
    """The design, and the run folder, record and region table of each of its brains, in order.

    `imaged` is the side that was imaged: left, right or both. `atlas` is that of all runs, with its identity where that
    is known. `doubts` are those of the brains beside each other.
    """

    design: Design
    runs: tuple[RunFolder, ...]
    records: tuple[Mapping[str, Any], ...]
    tables: tuple[pd.DataFrame, ...]
    imaged: tuple[str, ...]
    atlas: Mapping[str, Any]
    doubts: tuple[str, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """What the runs themselves warned of, once each, with the brains; then the doubts."""
        brains: dict[str, list[str]] = {}
        for brain, record in zip(self.design.brains, self.records, strict=True):
            for warning in record.get("warnings", ()):
                brains.setdefault(str(warning), []).append(brain)
        told = [f"the run of {', '.join(names)}: {warning}" for warning, names in brains.items()]
        return [*told, *self.doubts]


def read_brains(path: Path, reference: str | None) -> Brains:
    """Read the design and what it points to; raises `InputError` that names the line at fault."""
    table = read_csv(path, "design file", COLUMNS, text=COLUMNS, row="brain")
    design = parse_design(table, path.parent, reference)
    runs = tuple(RunFolder(folder) for folder in design.paths)
    for line, brain, run in zip(table.index + FIRST_LINE, design.brains, runs, strict=True):
        _check_finished(path, line, brain, run)
    records = tuple(_read_record(run) for run in runs)
    qualities = [_read_quality(run) for run in runs]
    atlases = [
        {**quality.get("atlas", {}), **record["atlas"]} for quality, record in zip(qualities, records, strict=True)
    ]
    check_one_atlas(design.brains, atlases)
    tables = tuple(read_regions(run.regions) for run in runs)
    images = [identities_of(record, _metadata(run)) for record, run in zip(records, runs, strict=True)]
    doubts = check_different(design.brains, design.groups, images, tables)
    imaged = tuple(_imaged(quality, table) for quality, table in zip(qualities, tables, strict=True))
    return Brains(design, runs, records, tables, imaged, _known(atlases), tuple(doubts))


def _imaged(quality: Mapping[str, Any], table: pd.DataFrame) -> str:
    """The side that the registration says, else that of its part, else that of the coverage."""
    side = quality.get("imaged_side")
    return str(side) if side in {LEFT, RIGHT, BOTH} else _SIDES.get(str(quality.get("imaged"))) or imaged_side(table)


def _known(atlases: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What any of the runs knows of the atlas that they have in common."""
    return {key: value for atlas in reversed(atlases) for key, value in atlas.items()}


def _check_finished(path: Path, line: int, brain: str, run: RunFolder) -> None:
    if not run.path.is_dir():
        backslashes = " (folders are separated by /, not by \\)" * ("\\" in run.path.name)
        raise InputError(
            f"line {line} of {path}: brain {brain!r} is unknown, there is no folder {run.path}{backslashes}. Give "
            "in the column `path` the --out folder of `volumetric count`, relative to the design file or absolute"
        )
    absent = [name for name in NEEDED if not (run.path / name).is_file()]
    if absent:
        raise InputError(
            f"line {line} of {path}: {run.path} is not a finished run of `volumetric count`: it lacks "
            f"{', '.join(absent)}. Finish brain {brain!r} with the same command, or take it out of the design"
        )


def _read_record(run: RunFolder) -> Mapping[str, Any]:
    try:
        record: Mapping[str, Any] = read_json(run.record)
        record["atlas"]["name"], record["config"]["atlas"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{run.record} is damaged or not the record of a `volumetric count` run: {error!r}. "
            "Repeat that run's command"
        ) from error
    return record


def _read_quality(run: RunFolder) -> Mapping[str, Any]:
    """What is known of its registration; nothing where the folder was moved without it."""
    if not (run.registration / QUALITY).is_file():
        return {}
    try:
        return dict(read_json(run.registration / QUALITY))
    except (ValueError, TypeError) as error:
        raise InputError(f"{run.registration / QUALITY} is damaged: {error!r}. Repeat that run's command") from error


def _metadata(run: RunFolder) -> Mapping[str, str]:
    try:
        return table_metadata(run.cells)
    except (ArrowInvalid, OSError) as error:
        raise InputError(f"{run.cells} is not a readable table of cells: {error}. Repeat that run's command") from error


def open_atlas(brains: Brains, name_or_dir: str | None, atlas_dir: Path | None) -> Atlas:
    """The atlas given, else that of the first run's record; raises `InputError` where it is not that of the runs."""
    recorded = brains.records[0]
    try:
        atlas = load_atlas(name_or_dir or str(recorded["config"]["atlas"]), atlas_dir)
    except InputError as error:
        if name_or_dir is not None:
            raise
        raise InputError(
            "the atlas of the runs was not found: give its folder with --atlas, or with --atlas-dir the one that named "
            f"atlases are in. {error}"
        ) from error
    if atlas.name != recorded["atlas"]["name"]:
        raise InputError(
            f"the brains were counted with the atlas {recorded['atlas']['name']!r}, but the atlas given is "
            f"{atlas.name!r}: give that of the runs with --atlas, or leave the flag out"
        )
    for brain, table in zip(brains.design.brains, brains.tables, strict=True):
        unknown = sorted(set(table["region_id"]) - set(atlas.ontology.ids))
        if unknown:
            raise InputError(
                f"the region table of brain {brain!r} has {len(unknown)} region ids that the hierarchy of atlas "
                f"{atlas.name!r} lacks, for example {unknown[:3]}: it was counted with another version of the atlas. "
                "Count that brain again, or give its atlas with --atlas"
            )
    return atlas


def parents(ontology: Ontology) -> Parents:
    """Region -> parent, depth first."""
    return {region.region_id: region.parent_id for region in ontology.in_order()}
