"""The brains of a cohort before any work: all of them checked, each with how far it is and what is left to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pipelines import count
from pipelines.cohort.sheet import Row
from pipelines.config import Resources, overlay
from pipelines.stage import Stage, check
from pipelines.workspace import RunFolder
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.loader import load_atlas
from volumetric.blocks.plan import check_disk
from volumetric.errors import InputError, OutputError
from volumetric.storage.atomic import read_json

State = Literal["done", "refused", "begun", "new", "failed"]


@dataclass(frozen=True)
class Brain:
    """A brain, its run folder, and how far it is.

    Args:
        state: `refused` where its folder holds a run with other settings or images.
        reason: why it is refused or failed.
        tasks: of all its stages.
        tasks_done: of these.
        bytes_left: that it may still write.
        peak_bytes: of memory, projected.
        doubts: of its images, before any work.
    """

    row: Row
    run: RunFolder
    state: State
    reason: str = ""
    tasks: int = 0
    tasks_done: int = 0
    bytes_left: int = 0
    peak_bytes: int = 0
    doubts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.row.brain


@dataclass(frozen=True)
class Cohort:
    """What all brains have in common: where they go, and what their rows leave to the flags and the settings file."""

    out: Path
    given: Mapping[str, Any]
    resources: Resources
    atlas_dir: Path | None = None

    def run_folder(self, row: Row) -> RunFolder:
        """Where a brain is counted."""
        return RunFolder(self.out / "runs" / row.brain)

    def config(self, row: Row) -> count.Config:
        """The settings of a brain: its row wins over the flags, these over the settings file."""
        return count.configured(**overlay(dict(self.given), **row.settings()))

    def prepare(self, row: Row) -> count.Job:
        """The run of a brain, planned; raises `InputError` where it cannot be done."""
        config = self.config(row)
        atlas = _open_atlas(config.atlas, self.atlas_dir)
        return count.prepare(row.source, self.run_folder(row).path, config, self.resources, atlas=atlas)

    def look_at(self, row: Row) -> Brain:
        """Check a brain and see how far it is; raises `InputError` where it cannot be counted as it is given."""
        run, config = self.run_folder(row), self.config(row)
        try:
            job = self.prepare(row)
            check(job.stages, self.resources)
        except OutputError as error:
            return Brain(row, run, "refused", str(error))
        except InputError:
            if _finished_with(run, config):  # its images may be gone by now
                return Brain(row, run, "done")
            raise
        return replace(self._seen(row, run, job.stages), doubts=job.inputs.warnings)

    def _seen(self, row: Row, run: RunFolder, stages: Sequence[Stage]) -> Brain:
        capacity = self.resources.capacity
        plans = [stage.plan for stage in stages]
        left = sum(stage.ledger.bytes_left() for stage in stages)
        tasks = sum(len(p.keys) for plan in plans for p in plan.passes)
        finished = sum(len(stage.ledger.done(p.name) & set(p.keys)) for stage in stages for p in stage.plan.passes)
        peak = max(plan.peak_bytes(p, capacity) for plan in plans for p in plan.passes)
        whole = all(output.exists() for plan in plans for output in plan.outputs)
        is_done = tasks == finished and whole and run.record.is_file() and run.report.is_file()
        return Brain(
            row,
            run,
            "done" if is_done else "begun" if finished else "new",
            tasks=tasks,
            tasks_done=finished,
            bytes_left=left,
            peak_bytes=peak,
        )


def look_at_all(cohort: Cohort, rows: Sequence[Row]) -> list[Brain]:
    """Every brain as it is, in the order of the sheet.

    Raises `InputError` with all that is wrong, line by line, where a brain cannot be counted as it is given, and
    `PlanError` where the disk is too small for all of them.
    """
    brains: list[Brain] = []
    faults: dict[str, list[Row]] = {}
    images: dict[tuple[str, object], Row] = {}
    for row in rows:
        try:
            same = images.setdefault((str(row.source.resolve()), cohort.config(row).signal), row)
            if same is not row:
                raise InputError(
                    f"its images are those of {same.brain} in line {same.line}: each line is another animal"
                )
            brains.append(cohort.look_at(row))
        except InputError as error:
            for fault in [str(error), *row.missing(besides=str(error))]:
                faults.setdefault(fault, []).append(row)
    if faults:
        lines = [f"{_lines(rows)}: {fault}" for fault, rows in faults.items()]
        raise InputError("\n  ".join(["nothing was done, since brains of the sheet cannot be counted:", *lines]))
    check_disk(sum(brain.bytes_left for brain in brains), cohort.out / "runs")
    return brains


def _lines(rows: Sequence[Row]) -> str:
    numbers, names = (", ".join(map(str, values)) for values in zip(*((r.line, r.brain) for r in rows), strict=True))
    return f"line{'s' * (len(rows) > 1)} {numbers} ({names})"


def _finished_with(run: RunFolder, config: count.Config) -> bool:
    """Whether a run was finished with these settings."""
    if not (run.record.is_file() and run.report.is_file()):
        return False
    recorded = {name: value for name, value in read_json(run.record)["config"].items() if name != "run"}
    return bool(recorded == config.model_dump(mode="json"))


@lru_cache(maxsize=1)
def _open_atlas(name_or_dir: str, atlas_dir: Path | None) -> Atlas:
    """The atlas, opened once for brains that have the same."""
    return load_atlas(name_or_dir, atlas_dir)
