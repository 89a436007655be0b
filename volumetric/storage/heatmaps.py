"""Heatmaps of tiles on disk: a Zarr group with an array (y, x) for each tile, by its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec, BloscShuffle

from volumetric.errors import InputError
from volumetric.storage.atomic import replacing


@dataclass(frozen=True)
class HeatmapStore:
    """The group in a folder; each array is written whole or not at all."""

    path: Path

    def create(self) -> None:
        """Lay out an empty group; what was there is replaced."""
        with replacing(self.path) as temporary:
            zarr.open_group(str(temporary), mode="w", zarr_format=3)

    def write(self, tile: str, heatmap: npt.NDArray[np.float32]) -> None:
        """Write the heatmap of a tile, one chunk."""
        with replacing(self.path / tile) as temporary:
            zarr.create_array(
                str(temporary),
                data=heatmap,
                chunks=heatmap.shape,
                compressors=BloscCodec(cname="zstd", clevel=1, shuffle=BloscShuffle.shuffle),
            )

    def read(self, tile: str) -> npt.NDArray[np.float32]:
        """The heatmap of a tile; raises `InputError` where there is none."""
        if not (self.path / tile / "zarr.json").is_file():
            raise InputError(f"there is no heatmap of tile {tile} in {self.path}")
        array = zarr.open_array(str(self.path / tile), mode="r")
        return np.asarray(array[...], dtype=np.float32)
