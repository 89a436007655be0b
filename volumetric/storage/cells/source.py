"""What every table of cells offers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import pyarrow as pa

from volumetric.storage.volume_record import VolumeRecord


class CellsSource(Protocol):
    """Cells without regions, in the columns of `volumetric.points.table`."""

    @property
    def identity(self) -> str:
        """Changes when the cells do."""
        ...

    @property
    def volume(self) -> VolumeRecord | None:
        """The volume they were found in, where the table says it."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the table of cells with regions must go on saying."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """How the file was read: what a person should check."""
        ...

    def pieces(self, rows: int) -> Iterator[pa.Table]:
        """The cells in order, at most so many at a time; at least one piece."""
        ...
