"""Cohort: `count` for many brains, one line of a sheet each, one after another.

Input: a sheet (`sheet`). Output folder:

    runs/BRAIN/      the run folder of each brain, as `count` leaves it
    brains.csv       one row a brain: state, cells, quality of the registration, warnings, seconds, where
    design.csv       brain, group, path and the sheet's further columns, for `compare`; where the sheet has groups
    overview.png     the atlas on every brain, and where their cells are

All brains are checked before any is begun. One that fails does not stop the others; the same command goes on with what
is unfinished. Capacity: one brain at a time is in memory; the workers of a cluster are had anew for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines import count
from pipelines.cohort.brains import Brain, Cohort, look_at_all
from pipelines.cohort.overview import write_overview
from pipelines.cohort.sheet import read_sheet
from pipelines.cohort.tables import print_doubts, print_groups, print_plan, print_summary, write_tables
from pipelines.config import Resources
from pipelines.stage import run
from volumetric.errors import StoppedError, TaskError, VolumetricError


def run_cohort(
    sheet: Path,
    out: Path,
    given: Mapping[str, Any],
    resources: Resources,
    console: Console,
    *,
    atlas_dir: Path | None = None,
    dry_run: bool = False,
) -> None:
    """Count the brains of a sheet, each from where it stopped.

    Args:
        sheet: one line a brain.
        out: the folder of the study.
        given: settings of `count` that rows leave empty.
        resources: what may be used.
        console: where to say what is done.
        atlas_dir: where named atlases are.
        dry_run: show what is left to do and stop.

    Raises `InputError` before any work where brains cannot be counted as they are given, and `TaskError` at the end
    where some are not finished.
    """
    cohort = Cohort(out, given, resources, atlas_dir)
    brains = look_at_all(cohort, read_sheet(sheet))
    if dry_run:
        print_plan(brains, console)
    print_groups(brains, out, console)
    if dry_run:
        return
    print_doubts(brains, console)
    errors: list[Exception] = []
    for number, brain in enumerate(brains):
        if brain.state in {"begun", "new"}:
            write_tables(brains, out)
            console.print(f"[bold]{brain.name}[/], {number + 1} of {len(brains)}", highlight=False)
            try:
                _count(cohort, brain, console)
                brains[number] = replace(brain, state="done")
            except StoppedError:
                raise
            except Exception as error:  # the others go on; this one is told at the end
                errors.append(error)
                brains[number] = replace(brain, state="failed", reason=_reason(error))
                console.print(f"[bold red]{brain.name} failed:[/]", highlight=False)
                console.print(_reason(error), highlight=False, markup=False, soft_wrap=True)
    write_tables(brains, out)
    write_overview(brains, out)
    print_summary(brains, out, console)
    _refuse_unfinished(brains, errors)


def _count(cohort: Cohort, brain: Brain, console: Console) -> None:
    job = cohort.prepare(brain.row)
    run(job.stages, cohort.resources, console)
    count.finish(job, cohort.resources, console)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, VolumetricError) else f"the program failed: {type(error).__name__}: {error}"


def _refuse_unfinished(brains: Sequence[Brain], errors: Sequence[Exception]) -> None:
    """Raise `TaskError` with what stopped each brain that is not done; `errors` are told with it."""
    left = [brain for brain in brains if brain.state != "done"]
    if left:
        raise TaskError(
            "\n  ".join(
                [
                    f"{len(left)} of {len(brains)} brains are not finished:",
                    *(f"{brain.name} ({brain.state}): {brain.reason}" for brain in left),
                ]
            )
            + "\nThe others are done; mend the cause and repeat the command to go on with these"
        ) from (ExceptionGroup("brains that failed", errors) if errors else None)
