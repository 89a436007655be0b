"""Folders of slice TIFFs, written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import tifffile

from volumetric.geometry.grid import Block
from volumetric.storage.atomic import replacing


@dataclass(frozen=True)
class SliceFolder:
    """One channel as 2-D TIFFs, one file a slice, numbered from 0."""

    folder: Path

    def write(self, block: Block, image: npt.NDArray[Any]) -> None:
        """Write the slices of a block that is as wide and high as the volume."""
        for number, page in enumerate(image, start=block.write.start[0]):
            with replacing(self.folder / f"{self.folder.name}_z{number:05}.tif") as temporary:
                tifffile.imwrite(temporary, page)
