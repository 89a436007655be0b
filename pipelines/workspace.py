"""Where every artefact of a run lives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """The folder of one `count` run. What has no leading dot is public."""

    path: Path

    @property
    def volume(self) -> Path:
        """The converted image; absent where an OME-Zarr was read in place."""
        return self.path / "volume.ome.zarr"

    @property
    def registration(self) -> Path:
        return self.path / "registration"

    @property
    def cells(self) -> Path:
        return self.path / "cells.parquet"

    @property
    def regions(self) -> Path:
        return self.path / "regions.csv"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def record(self) -> Path:
        return self.path / "run.json"

    @property
    def detections(self) -> Path:
        """Cells before regions are assigned."""
        return self.work("detect") / "cells.parquet"

    @property
    def overviews(self) -> Path:
        """Coarse levels of volumes that are used in place and have none."""
        return self.path / ".work"

    def work(self, stage: str) -> Path:
        """Ledger and intermediate files of a stage."""
        return self.path / ".work" / stage


def work_beside(output: Path) -> Path:
    """Ledger and intermediate files of a command with a single output."""
    return output.absolute().parent / f".{output.name}.work"


def is_hidden(output: Path, work: Path) -> bool:
    """Whether an output lies among the ledgers and intermediate files of the run that works in `work`."""
    roots = [p for p in (work, *work.parents) if p.name.startswith(".") and p.name.endswith("work")]
    return bool(roots) and output.absolute().is_relative_to(roots[0].absolute())
