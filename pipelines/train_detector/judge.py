"""How good a network is while it learns: average precision on tiles that it does not learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pipelines.scored import found_by
from volumetric.detection.cells import contrast_of_tiles
from volumetric.detection.evaluate import Scored, Tolerance
from volumetric.detection.model import Detector
from volumetric.detection.tileset import Tile
from volumetric.imaging.intensity import ContrastField


@dataclass(frozen=True)
class Judge:
    """Tiles with known cells, kept ready to be searched again and again."""

    tiles: Sequence[Tile]
    tolerance: Tolerance

    @property
    def can_judge(self) -> bool:
        """Whether there is a cell to be found: without one, all networks are alike."""
        return any(len(tile.cells_um) for tile in self.tiles)

    @cached_property
    def _fields(self) -> list[ContrastField]:
        return contrast_of_tiles(self.tiles)

    def average_precision(self, detector: Detector) -> float:
        """Of all tiles taken together."""
        found = [found_by(detector, tile, field) for tile, field in zip(self.tiles, self._fields, strict=True)]
        return Scored(self.tiles, found, self.tolerance).curve.average_precision
