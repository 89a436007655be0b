"""What a cohort says of its brains: the plan, the table at the end, `brains.csv` and the design for `compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from pipelines.cohort.brains import Brain
from volumetric.atlas.registered import QUALITY
from volumetric.blocks.plan import megabytes
from volumetric.errors import InputError
from volumetric.statistics.design import parse_design
from volumetric.storage.atomic import read_json, remove
from volumetric.storage.tables import write_csv

JUDGED = ("ncc_in_mask", "mask_dice", "folding_fraction", "inverse_consistency_um")
COUNTS = ("total", "in_atlas", "outside")
COLOURS = {"done": "green", "failed": "bold red", "refused": "bold red"}


def summary(brain: Brain, out: Path) -> dict[str, Any]:
    """The row of `brains.csv`; figures are None until the brain is done."""
    record = read_json(brain.run.record) if brain.state == "done" else {}
    quality = read_json(brain.run.registration / QUALITY) if brain.state == "done" else {}
    stages: Mapping[str, Any] = record.get("stages", {})
    return {
        "brain": brain.name,
        "state": brain.state,
        **{"cells" if name == "total" else name: record.get("cells", {}).get(name) for name in COUNTS},
        **{name: quality.get(name) for name in JUDGED},
        "verdict": record.get("verdict", ""),
        "seconds": round(sum(stage["seconds"] for stage in stages.values()), 1) if stages else None,
        "warnings": " | ".join(record.get("warnings", ())),
        "reason": " ".join(brain.reason.split()),
        "run": str(brain.run.path.relative_to(out)),
        "report": str(brain.run.report.relative_to(out)) if brain.state == "done" else "",
    }


def design(brains: Sequence[Brain], out: Path) -> pd.DataFrame | None:
    """The brains as `compare` reads them: all of the sheet; columns without any text are left out.

    None where the sheet says no groups.
    """
    others = [dict(brain.row.others) for brain in brains]
    told = [name for name in others[0] if any(row[name] for row in others)]
    if "group" not in told:
        return None
    rows = [
        {
            "brain": brain.name,
            "group": row["group"],
            "path": brain.run.path.relative_to(out).as_posix(),
            **{name: row[name] for name in told if name != "group"},
        }
        for brain, row in zip(brains, others, strict=True)
    ]
    return pd.DataFrame(rows)


def write_tables(brains: Sequence[Brain], out: Path) -> None:
    """Write `brains.csv`, and `design.csv` where there are groups."""
    table = pd.DataFrame([summary(brain, out) for brain in brains])
    write_csv(out / "brains.csv", table.astype({"cells": "Int64", "in_atlas": "Int64", "outside": "Int64"}))
    groups = design(brains, out)
    if groups is None:
        remove(out / "design.csv")
    else:
        write_csv(out / "design.csv", groups)


def print_doubts(brains: Sequence[Brain], console: Console) -> None:
    """What is doubtful of the images of brains that are to be counted, one line each."""
    for brain in brains:
        for doubt in brain.doubts if brain.state != "done" else ():
            console.print(f"[bold red]doubtful:[/] {brain.name}: {doubt}", highlight=False, soft_wrap=True)


def print_plan(brains: Sequence[Brain], console: Console) -> None:
    """What is left to do, brain by brain."""
    table = _table("brain", "state", "tasks", "done", "may write", "peak memory", "run folder")
    for brain in brains:
        known = brain.tasks > 0
        table.add_row(
            brain.name,
            _state(brain),
            f"{brain.tasks:,}" if known else "",
            f"{brain.tasks_done:,}" if known else "",
            megabytes(brain.bytes_left) if known else "",
            megabytes(brain.peak_bytes) if known else "",
            str(brain.run.path),
        )
    console.print(table)
    print_doubts(brains, console)
    left = sum(brain.state in {"new", "begun"} for brain in brains)
    written = megabytes(sum(brain.bytes_left for brain in brains))
    console.print(f"{left} of {len(brains)} brains are to be counted, which may write {written}", highlight=False)
    _print_refused(brains, console)


def print_summary(brains: Sequence[Brain], out: Path, console: Console) -> None:
    """One table of all brains, and where to look."""
    table = _table("brain", "state", "verdict", "cells", "in atlas", "warnings", "seconds", "report")
    for brain in brains:
        row = summary(brain, out)
        told = row["warnings"].count(" | ") + 1 if row["warnings"] else 0
        figures = [row["cells"], row["in_atlas"], told, row["seconds"]] if brain.state == "done" else []
        texts = [f"{value:,.0f}" for value in figures] or [""] * 4
        table.add_row(
            brain.name, _state(brain), row["verdict"], *texts, str(brain.run.report) if brain.state == "done" else ""
        )
    console.print(table)
    console.print(f"table: {out / 'brains.csv'}", highlight=False, soft_wrap=True)
    if any(brain.state == "done" for brain in brains):
        console.print(f"look at {out / 'overview.png'}", highlight=False, soft_wrap=True)
    if print_groups(brains, out, console):
        command = f"volumetric compare {out / 'design.csv'} --out {out / 'compared'}"
        console.print(f"compare them: {command}", highlight=False, soft_wrap=True)


def print_groups(brains: Sequence[Brain], out: Path, console: Console) -> bool:
    """Say how `compare` understands the groups and covariates of the sheet, or why it cannot; whether it can."""
    groups = design(brains, out)
    if groups is None:
        return False
    try:
        lines, fit = parse_design(groups, out).described(), True
    except InputError as error:
        lines, fit = [f"{out / 'design.csv'} cannot be compared yet: {error}"], False
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return fit


def _print_refused(brains: Sequence[Brain], console: Console) -> None:
    for brain in brains:
        if brain.state == "refused":
            console.print(f"[bold red]{brain.name} is refused:[/]", highlight=False)
            console.print(brain.reason, highlight=False, markup=False, soft_wrap=True)


def _state(brain: Brain) -> str:
    colour = COLOURS.get(brain.state)
    return f"[{colour}]{brain.state}[/]" if colour else brain.state


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        right = name not in {"brain", "state", "verdict", "report", "run folder"}
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    return table
