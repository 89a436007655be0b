"""The table that `volumetric detect` wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from volumetric.errors import InputError
from volumetric.points.table import COUNTS
from volumetric.storage.tables import iterate_arrow, table_metadata
from volumetric.storage.volume_record import KEY, VolumeRecord


@dataclass(frozen=True)
class DetectedCells:
    """A table of our own; it need not be there before it is read."""

    path: Path

    @property
    def identity(self) -> str:
        """Of the run that found them."""
        found = table_metadata(self.path).get("identity")
        if found is None:
            raise InputError(f"{self.path} was not written by `volumetric detect`")
        return found

    @property
    def volume(self) -> VolumeRecord | None:
        """None in tables that do not say it."""
        kept = table_metadata(self.path).get(KEY)
        return None if kept is None else VolumeRecord.from_json(json.loads(kept))

    @property
    def metadata(self) -> Mapping[str, str]:
        """The volume, and the detector's model of counts."""
        return {key: text for key, text in table_metadata(self.path).items() if key in {COUNTS, KEY}}

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not known of them."""
        return () if KEY in table_metadata(self.path) else (f"{self.path} does not say which volume its cells are of",)

    def pieces(self, rows: int) -> Iterator[pa.Table]:
        """As they are stored."""
        return iterate_arrow(self.path, rows)
