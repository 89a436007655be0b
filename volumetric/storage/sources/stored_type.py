"""Images of data types that volumes are not written in, read as one that they are: real numbers of single precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from volumetric.geometry.box import Box, Index3
from volumetric.geometry.space import Um3
from volumetric.storage.sources.source import STORED_AS, Source
from volumetric.storage.stated import StatedVoxel


@dataclass(frozen=True)
class StoredType:
    """A source whose values are read in another data type."""

    source: Source

    @property
    def dtype(self) -> str:
        return STORED_AS[self.source.dtype]

    @property
    def shape(self) -> Index3:
        return self.source.shape

    @property
    def channels(self) -> tuple[str, ...]:
        return self.source.channels

    @property
    def voxel(self) -> StatedVoxel:
        return self.source.voxel

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        return self.source.facts

    @property
    def spacing_um(self) -> Um3 | None:
        return self.source.spacing_um

    @property
    def grain(self) -> Index3:
        return self.source.grain

    @property
    def identity(self) -> str:
        return self.source.identity

    @property
    def contents(self) -> str:
        return self.source.contents

    @property
    def doubts(self) -> tuple[str, ...]:
        return (*self.source.doubts, f"values of {self.source.dtype} are converted to {self.dtype}")

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """The voxels of a box."""
        voxels = np.empty(out.shape, self.source.dtype)
        self.source.fill(voxels, box, channel)
        out[...] = voxels


def in_stored_type(source: Source) -> Source:
    """The source itself, or one whose values are converted."""
    return StoredType(source) if source.dtype in STORED_AS else source
