"""An export from its flags to its folder: opened and checked first, then written whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pipelines.export import braian, brainglobe, napari
from pipelines.export.contents import Contents
from pipelines.export.finished import FinishedRun, open_finished
from pipelines.workspace import RunFolder
from volumetric.blocks.plan import check_disk, megabytes
from volumetric.errors import InputError, OutputError
from volumetric.storage.atomic import replacing

Target = Literal["brainglobe", "braian", "napari"]
TARGETS: tuple[Target, ...] = get_args(Target)

README = "README.txt"


@dataclass(frozen=True)
class Job:
    """An export that can be done: what is read, where it goes, what will be there."""

    run: FinishedRun
    target: Target
    out: Path
    name: str
    contents: Contents

    @property
    def outputs(self) -> tuple[Path, ...]:
        return tuple(self.out / file for file in (*self.contents.files, README))

    def plan(self) -> str:
        """One line for --dry-run: what is read and written, and the memory it takes."""
        return (
            f"{self.run.cells:,} cells of {self.run.folder.path} to {', '.join(str(path) for path in self.outputs)}: "
            f"about {megabytes(self.contents.size_bytes)} on disk, {megabytes(self.contents.memory_bytes)} of memory"
        )

    def write(self) -> str:
        """Write the folder; returns one line for people: how many cells, and how many were left out."""
        with replacing(self.out.absolute()) as partial:
            partial.mkdir()
            self.contents.write(partial)
            (partial / README).write_text(self._readme(), encoding="utf-8")
            _refuse_occupied(self.out)  # somebody may have put something there meanwhile
        return f"{self._cells()} -> {self.out}"

    def _cells(self) -> str:
        run = self.run
        return (
            f"{run.in_atlas:,} of {run.cells:,} cells lie in atlas regions; the {run.outside:,} outside are "
            f"{self.contents.outside}"
        )

    def _readme(self) -> str:
        """Three lines: how to open the files, what their numbers are, how many cells there are."""
        return "\n".join([*self.contents.readme, f"{self._cells()}.", ""])


def prepare(run: RunFolder, target: str, out: Path, name: str | None = None) -> Job:
    """Check everything and plan the export; nothing is written.

    Args:
        run: of a finished `count`.
        target: one of `TARGETS`.
        out: a folder that is not there yet or is empty.
        name: of the animal, for tools that keep one; by default that of the run folder.

    Raises `InputError` for an unknown target and a run that cannot be exported, `OutputError` where `out` holds
    something.
    """
    wanted = next((known for known in TARGETS if known == target), None)
    if wanted is None:
        raise InputError(f"runs cannot be exported to {target!r}: --to takes {', '.join(TARGETS)}")
    _refuse_occupied(out)
    finished = open_finished(run)
    animal = name or run.path.resolve().name
    job = Job(finished, wanted, out, animal, _contents(finished, wanted, animal))
    check_disk(job.contents.size_bytes, out)
    return job


def export_run(run: RunFolder, target: str, out: Path, name: str | None = None) -> str:
    """Export a finished run to another tool's files; arguments and errors as in `prepare`, returns as `Job.write`."""
    return prepare(run, target, out, name).write()


def _contents(run: FinishedRun, target: Target, name: str) -> Contents:
    if target == "brainglobe":
        return brainglobe.contents(run)
    if target == "braian":
        return braian.contents(run, name)
    return napari.contents(run)


def _refuse_occupied(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} exists already and is left untouched: give a new or an empty folder with --out")
