"""One TIFF image: checked when it is opened, and read in part without decoding more than is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from volumetric.errors import InputError
from volumetric.geometry.box import Index3
from volumetric.storage.sources.source import words

TIFF_ENDINGS = (".tif", ".tiff", ".btf", ".tf2", ".tf8")

RAMP_ERROR = 600
"""Of 65535, that a colour of an even ramp may be off by: some are stored in 8 bits."""

Window = tuple[slice, slice]
"""Rows and columns."""

Page = Any
"""A `tifffile.TiffPage` or `TiffFrame`."""


def check_page(path: Path, page: Page, size: int) -> None:
    """Raise `InputError` where image data of a page is missing or lies beyond the end of the file of `size` bytes."""
    if page is None:
        raise InputError(f"{path} is damaged: an image of it is missing. Replace the file")
    key = page.keyframe
    if len(key.shape) != 2 or min(key.shape) < 1:
        raise InputError(
            f"{path} has axes of lengths {key.shape}: an image must be grey, with rows and columns. Split the colours "
            "of a colour image (in Fiji: Image > Color > Split Channels)"
        )
    offsets, counts = np.asarray(page.dataoffsets, np.float64), np.asarray(page.databytecounts, np.float64)
    length, width = segment_shape(page)
    expected = -(-key.shape[0] // length) * -(-key.shape[1] // width)
    if len(offsets) != expected or len(counts) != expected or not offsets.all() or not counts.all():
        raise InputError(
            f"{path} is damaged: {np.count_nonzero(offsets * counts if len(offsets) == len(counts) else 0)} of "
            f"{expected} strips or tiles are there. Replace the file"
        )
    if is_plain(page) and not np.array_equal(np.diff(offsets), counts[:-1]):
        raise InputError(f"{path} is damaged: its strips do not lie as its first image says. Export it again")
    end = int((offsets + counts).max())
    if end > size:
        raise InputError(
            f"{path} is truncated: its image data should reach byte {end} but the file ends at byte {size}. "
            "Copy or export it again"
        )
    if key.compression == 1 and key.bitspersample % 8 == 0:
        needed = key.shape[0] * key.shape[1] * key.bitspersample // 8
        if int(counts.sum()) < needed:
            raise InputError(
                f"{path} is damaged: it holds {int(counts.sum())} bytes of pixels where {needed} are needed. "
                "Replace the file"
            )


def brightness_doubts(path: Path, page: Page) -> tuple[str, ...]:
    """What is to be said of how the values of a page are meant; raises `InputError` where they are no brightness."""
    key = page.keyframe
    if key.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        return (
            f"{path.name} says that its smallest value is white: bright cells should have large values, look at them",
        )
    if key.photometric != tifffile.PHOTOMETRIC.PALETTE:
        return ()
    colours = np.asarray(key.colormap, np.float64)
    ramps = np.linspace(0, colours.max(axis=1), colours.shape[1]).T
    if colours.max() == 0 or np.abs(colours - ramps).max() > RAMP_ERROR:
        raise InputError(
            f"{path} is in false colours (a palette): its values are numbers of colours, not brightness. Save it as "
            "grey (in Fiji: Image > Lookup Tables > Grays, or Image > Type > 16-bit if it is in real colours)"
        )
    return (f"{path.name} has a palette of one colour that rises evenly: its values are taken as brightness",)


def refuse_replaced(path: Path, page: Page, shape: Index3, dtype: str) -> None:
    """Raise `InputError` where a page is no longer what it was when the work began."""
    if (page.shape, str(page.dtype)) != (shape[1:], dtype):
        raise InputError(
            f"{path} was replaced: it was {words(shape[1:], dtype)} when the work began and is "
            f"{words(page.shape, str(page.dtype))} now"
        )


def segment_shape(page: Page) -> tuple[int, int]:
    """Rows and columns of a strip or tile; of one row where any rows can be read by themselves."""
    key = page.keyframe
    if key.is_tiled:
        return int(key.tilelength), int(key.tilewidth)
    return min(int(key.rowsperstrip), int(key.shape[0])), int(key.shape[1])


def grain_of(page: Page) -> tuple[int, int]:
    """Rows and columns that are decoded together."""
    return (1, int(page.keyframe.shape[1])) if is_plain(page) else segment_shape(page)


def read_region(tif: tifffile.TiffFile, page: Page, window: Window, out: npt.NDArray[Any]) -> None:
    """Fill `out` with some rows and columns of a page, decoding only the strips or tiles that hold them."""
    rows, columns = window
    key = page.keyframe
    if is_plain(page):
        read_plain(tif, page.dataoffsets[0], key, window, out)
        return
    length, width = segment_shape(page)
    across = -(-key.shape[1] // width)
    for i in range(rows.start // length, -(-rows.stop // length)):
        for j in range(columns.start // width, -(-columns.stop // width)):
            index = i * across + j
            tif.filehandle.seek(page.dataoffsets[index])
            encoded = tif.filehandle.read(page.databytecounts[index])
            segment, _, _ = key.decode(encoded, index, jpegtables=page.jpegtables)
            _paste(segment[0, :, :, 0], (i * length, j * width), window, out)


def read_plain(tif: tifffile.TiffFile, offset: int, key: Page, window: Window, out: npt.NDArray[Any]) -> None:
    """Fill `out` from uncompressed pixels that lie row after row from `offset` on."""
    rows, columns = window
    width = int(key.shape[1])
    kind = np.dtype(key.dtype).newbyteorder(tif.byteorder)
    start = int(offset) + rows.start * width * kind.itemsize
    if columns == slice(0, width) and out.flags.c_contiguous:
        tif.filehandle.read_array(kind, offset=start, out=out)
        return
    band = tif.filehandle.read_array(kind, (rows.stop - rows.start) * width, start).reshape(-1, width)
    np.copyto(out, band[:, columns])


def is_plain(page: Page) -> bool:
    """Whether the pixels lie as they are, row after row, in one piece."""
    return bool(page.is_final) and not page.keyframe.is_tiled


def _paste(segment: npt.NDArray[Any], corner: tuple[int, int], window: Window, out: npt.NDArray[Any]) -> None:
    """Copy the part of a segment that `out` shows."""
    (top, left), (rows, columns) = corner, window
    y0, y1 = max(top, rows.start), min(top + segment.shape[0], rows.stop)
    x0, x1 = max(left, columns.start), min(left + segment.shape[1], columns.stop)
    out[y0 - rows.start : y1 - rows.start, x0 - columns.start : x1 - columns.start] = segment[
        y0 - top : y1 - top, x0 - left : x1 - left
    ]
