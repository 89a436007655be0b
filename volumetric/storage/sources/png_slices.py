"""Grey PNGs: one, or a folder of them, one file a slice; each is decoded whole."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3
from volumetric.storage.png import SIGNATURE, read_png
from volumetric.storage.provenance import files_identity
from volumetric.storage.sources.channels import aligned
from volumetric.storage.sources.source import words
from volumetric.storage.sources.tiff_slices import common_grid
from volumetric.storage.stated import Described

GREY = (0, 4)
"""Kinds of pixels: grey, without and with transparency."""

END = b"IEND\xaeB`\x82"
"""The last bytes of a whole file."""


@dataclass(frozen=True)
class PngSlices(Described):
    """Grey PNGs of one shape, in the order of the numbers in their names."""

    files: tuple[tuple[Path, ...], ...]
    channels: tuple[str, ...]
    shape: Index3
    dtype: str
    grain: Index3
    identity: str

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """The pixels of a box."""
        for plane, path in zip(out, self.files[channel][box.start[0] : box.stop[0]], strict=True):
            image = read_png(path)
            if image.shape != self.shape[1:] or str(image.dtype) != self.dtype:
                raise InputError(
                    f"{path} was replaced: it was {words(self.shape[1:], self.dtype)} when the work began and is "
                    f"{words(image.shape, str(image.dtype))} now"
                )
            plane[...] = image[box.slices[1:]]


def open_pngs(folders: Mapping[str, Sequence[Path]]) -> PngSlices:
    """The files of each channel as one image; raises `InputError` that names the files that do not fit."""
    channels = aligned(folders)
    shape, dtype = common_grid({path: _grid(path) for n in channels.values() for path in n.files})
    files = tuple(numbering.files for numbering in channels.values())
    return PngSlices(
        files=files,
        channels=tuple(folders),
        shape=(len(files[0]), shape[0], shape[1]),
        dtype=dtype,
        grain=(1, shape[0], shape[1]),
        identity=files_identity(path for paths in files for path in paths),
        contents=channels.text,
        doubts=channels.doubts,
    )


def _grid(path: Path) -> tuple[tuple[int, ...], str]:
    """Rows, columns and data type by the header of a file that is there to its end."""
    with path.open("rb") as file:
        first = file.read(26)
        file.seek(-min(path.stat().st_size, len(END)), 2)
        last = file.read()
    if not first.startswith(SIGNATURE) or len(first) < 26:
        raise InputError(f"{path} is no PNG, or its beginning is damaged. Copy or export it again")
    if last != END:
        raise InputError(f"{path} is truncated: it does not end as a PNG must. Copy or export it again")
    width, height, bits, colour = struct.unpack(">IIBB", first[16:26])
    if colour not in GREY:
        read_png(path)  # refuses what is not grey, though stored as colours
    return (height, width), "uint16" if bits == 16 else "uint8"
