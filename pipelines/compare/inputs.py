"""What a comparison reads: the design file, the run folders of its brains and the atlas, checked before any work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.csv_file import read_csv
from pipelines.report.regions import read_regions
from pipelines.workspace import RunFolder
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.loader import load_atlas
from volumetric.atlas.ontology import Ontology
from volumetric.errors import InputError
from volumetric.statistics.design import COLUMNS, FIRST_LINE, Design, parse_design
from volumetric.statistics.level import Parents
from volumetric.storage.atomic import read_json
from volumetric.storage.provenance import digest

NEEDED = ("regions.csv", "cells.parquet", "run.json")


@dataclass(frozen=True)
class Brains:
    """The design, and the run folder, record and region table of each of its brains, in order."""

    design: Design
    runs: tuple[RunFolder, ...]
    records: tuple[Mapping[str, Any], ...]
    tables: tuple[pd.DataFrame, ...]

    @property
    def warnings(self) -> list[str]:
        """What the runs themselves warned of, once each, with the brains."""
        brains: dict[str, list[str]] = {}
        for brain, record in zip(self.design.brains, self.records, strict=True):
            for warning in record.get("warnings", ()):
                brains.setdefault(str(warning), []).append(brain)
        return [f"the run of {', '.join(names)}: {warning}" for warning, names in brains.items()]


def read_brains(path: Path, reference: str | None) -> Brains:
    """Read the design and what it points to; raises `InputError` that names the line at fault."""
    design = parse_design(read_csv(path, "design file", COLUMNS), path.parent, reference)
    runs = tuple(RunFolder(folder) for folder in design.paths)
    for line, (brain, run) in enumerate(zip(design.brains, runs, strict=True), start=FIRST_LINE):
        _check_finished(path, line, brain, run)
    records = tuple(_read_record(run) for run in runs)
    _check_one_atlas(design, records)
    _check_different(design, records)
    return Brains(design, runs, records, tuple(read_regions(run.regions) for run in runs))


def _check_finished(path: Path, line: int, brain: str, run: RunFolder) -> None:
    if not run.path.is_dir():
        raise InputError(
            f"line {line} of {path}: brain {brain!r} is unknown, there is no folder {run.path}. Give in the column "
            "`path` the --out folder of `volumetric count`, relative to the design file or absolute"
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


def _check_one_atlas(design: Design, records: Sequence[Mapping[str, Any]]) -> None:
    names = [str(record["atlas"]["name"]) for record in records]
    other = next((i for i, name in enumerate(names) if name != names[0]), None)
    if other is not None:
        raise InputError(
            f"the brains {design.brains[0]!r} and {design.brains[other]!r} were counted with different atlases, "
            f"{names[0]!r} and {names[other]!r}: count all brains of a study with one atlas"
        )


def _check_different(design: Design, records: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a brain that was given twice, as copies of one run or as runs of the same images."""
    seen: dict[str, str] = {}
    for brain, record in zip(design.brains, records, strict=True):
        images = digest(record["inputs"].get("ingest") or record["inputs"]["detect"]) if record.get("inputs") else brain
        if images in seen:
            raise InputError(
                f"the brains {seen[images]!r} and {brain!r} were counted from the same images: each line of a "
                "design is another animal. Take one of them out"
            )
        seen[images] = brain


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
