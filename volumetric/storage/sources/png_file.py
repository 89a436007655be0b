"""A grey PNG: an image of one slice, decoded whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3
from volumetric.storage.png import read_png
from volumetric.storage.provenance import files_identity
from volumetric.storage.stated import Described


@dataclass(frozen=True)
class PngFile(Described):
    """One slice, one channel."""

    path: Path
    channels: tuple[str, ...]
    shape: Index3
    dtype: str
    grain: Index3
    identity: str

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """The pixels of a box."""
        image = read_png(self.path)
        if (1, *image.shape) != self.shape:
            raise InputError(f"{self.path} was replaced: it was {self.shape[1:]} px and is {image.shape} now")
        out[...] = image[None][box.slices]


def open_png(path: Path) -> PngFile:
    """A PNG as an image; raises `InputError` with the reason where that is impossible."""
    image = read_png(path)
    shape = (1, image.shape[0], image.shape[1])
    return PngFile(path, (path.stem,), shape, str(image.dtype), shape, files_identity([path]))
