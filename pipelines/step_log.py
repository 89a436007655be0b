"""The figures of every step of a training, kept in a table with which a resumed training goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from volumetric.storage.tables import write_csv

KEEP_EVERY = 100


@dataclass
class StepLog:
    """Figures by step, one column each, in a CSV file."""

    path: Path
    columns: tuple[str, ...]
    rows: list[tuple[float, ...]] = field(default_factory=list)

    def add(self, step: int, *figures: float) -> None:
        """Enter the figures of a step; after an interruption, of the step with which it goes on."""
        if step != len(self.rows):
            self.rows = self._kept()[:step]
        self.rows.append(figures)
        if (step + 1) % KEEP_EVERY == 0:
            self.keep()

    def keep(self) -> None:
        """Write what was added; nothing where a training was finished before."""
        if self.rows:
            write_csv(self.path, pd.DataFrame(self.rows, columns=list(self.columns)))

    def table(self) -> pd.DataFrame:
        """All that was entered, by this process or before it."""
        return pd.DataFrame(self.rows or self._kept(), columns=list(self.columns))

    def _kept(self) -> list[tuple[float, ...]]:
        if not self.path.is_file():
            return []
        return [tuple(row) for row in pd.read_csv(self.path)[list(self.columns)].to_numpy().tolist()]
