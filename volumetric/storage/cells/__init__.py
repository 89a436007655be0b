"""Tables of cells to be given regions: our own, and those of other tools, one file a format."""

from volumetric.storage.cells.detected import DetectedCells
from volumetric.storage.cells.open import open_cells
from volumetric.storage.cells.source import CellsSource

__all__ = ["CellsSource", "DetectedCells", "open_cells"]
