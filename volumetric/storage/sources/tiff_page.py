"""One TIFF image: checked when it is opened, and read in part without decoding more than is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from volumetric.errors import InputError

TIFF_ENDINGS = (".tif", ".tiff")

Window = tuple[slice, slice]
"""Rows and columns."""

Page = Any
"""A `tifffile.TiffPage` or `TiffFrame`."""


@contextmanager
def opened(path: Path, *, is_ome: bool | None = None, multifile: bool = True) -> Iterator[tifffile.TiffFile]:
    """A TIFF file; whatever is wrong with it, then or while it is used, is an `InputError` that names it.

    What the system says (`OSError`: no permission, a lost network drive) stays an `OSError`: it may pass.
    """
    try:
        with tifffile.TiffFile(path, is_ome=is_ome, _multifile=multifile) as tif:
            yield tif
    except InputError:
        raise
    except OSError as error:
        raise OSError(f"{path} cannot be read: {error.strerror or error}") from error
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # tifffile and its codecs raise many kinds for damaged content
        raise InputError(f"{path} cannot be read as a TIFF: {reason(error)}. Replace the file") from error


def reason(error: Exception) -> str:
    """What an exception says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def check_page(path: Path, page: Page, size: int) -> None:
    """Raise `InputError` where image data of a page is missing or lies beyond the end of the file of `size` bytes."""
    if page is None:
        raise InputError(f"{path} is damaged: an image of it is missing. Replace the file")
    key = page.keyframe
    if len(key.shape) != 2 or min(key.shape) < 1:
        raise InputError(f"{path} has axes of lengths {key.shape}: an image must be grey, with rows and columns")
    offsets, counts = np.asarray(page.dataoffsets, np.int64), np.asarray(page.databytecounts, np.int64)
    length, width = segment_shape(page)
    expected = -(-key.shape[0] // length) * -(-key.shape[1] // width)
    if len(offsets) != expected or len(counts) != expected or not offsets.all() or not counts.all():
        raise InputError(
            f"{path} is damaged: {np.count_nonzero(offsets * counts if len(offsets) == len(counts) else 0)} of "
            f"{expected} strips or tiles are there. Replace the file"
        )
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


def segment_shape(page: Page) -> tuple[int, int]:
    """Rows and columns of a strip or tile; of one row where any rows can be read by themselves."""
    key = page.keyframe
    if key.is_tiled:
        return int(key.tilelength), int(key.tilewidth)
    return min(int(key.rowsperstrip), int(key.shape[0])), int(key.shape[1])


def grain_of(page: Page) -> tuple[int, int]:
    """Rows and columns that are decoded together."""
    return (1, int(page.keyframe.shape[1])) if _is_plain(page) else segment_shape(page)


def read_region(tif: tifffile.TiffFile, page: Page, window: Window, out: npt.NDArray[Any]) -> None:
    """Fill `out` with some rows and columns of a page, decoding only the strips or tiles that hold them."""
    rows, columns = window
    key = page.keyframe
    if _is_plain(page):
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


def _is_plain(page: Page) -> bool:
    """Whether the pixels lie uncompressed, row after row, in one piece."""
    return bool(page.is_contiguous) and not page.keyframe.is_tiled


def _paste(segment: npt.NDArray[Any], corner: tuple[int, int], window: Window, out: npt.NDArray[Any]) -> None:
    """Copy the part of a segment that `out` shows."""
    (top, left), (rows, columns) = corner, window
    y0, y1 = max(top, rows.start), min(top + segment.shape[0], rows.stop)
    x0, x1 = max(left, columns.start), min(left + segment.shape[1], columns.stop)
    out[y0 - rows.start : y1 - rows.start, x0 - columns.start : x1 - columns.start] = segment[
        y0 - top : y1 - top, x0 - left : x1 - left
    ]
