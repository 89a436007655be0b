"""A table while it is made: one Parquet part a block, read back slab by slab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from volumetric.geometry.grid import Block, BlockGrid
from volumetric.storage.tables import read_table, write_table


@dataclass(frozen=True)
class TableParts:
    """A folder of parts, named by their blocks."""

    folder: Path

    def write(self, block: Block, table: pd.DataFrame) -> dict[str, int]:
        """Store the rows of one block; reports how many."""
        write_table(self.folder / f"{block.key}.parquet", table)
        return {"rows": len(table)}

    def slabs(self, grid: BlockGrid) -> Iterator[tuple[range, pd.DataFrame]]:
        """The rows of all blocks that share a range of slices, with that range, from the first slice to the last."""
        slab: list[Block] = []
        for block in grid:
            if slab and block.index[0] != slab[0].index[0]:
                yield self._read(slab)
                slab = []
            slab.append(block)
        yield self._read(slab)

    def _read(self, blocks: list[Block]) -> tuple[range, pd.DataFrame]:
        rows = pd.concat([read_table(self.folder / f"{block.key}.parquet") for block in blocks], ignore_index=True)
        return range(blocks[0].write.start[0], blocks[0].write.stop[0]), rows
