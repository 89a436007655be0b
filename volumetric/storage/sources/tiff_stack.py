"""Multi-page TIFFs: plain stacks, OME-TIFF (also over several files) and ImageJ hyperstacks."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt
import tifffile

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3
from volumetric.storage.provenance import files_identity
from volumetric.storage.sources.source import channel_name, check_dtype, words
from volumetric.storage.sources.tiff_file import naming, opened
from volumetric.storage.sources.tiff_metadata import read_metadata
from volumetric.storage.sources.tiff_page import (
    Page,
    check_page,
    grain_of,
    is_plain,
    read_plain,
    read_region,
    refuse_replaced,
)
from volumetric.storage.stated import Described

SLICE_AXES = "ZTIQR"
"""Letters that may stand for the slices; ImageJ and others often call them time (T) or nothing (I, Q)."""


class Plane(NamedTuple):
    """Where one image lies: the number of its file, and there the byte of the directory that tells its layout, and the
    byte of its pixels; of its own directory where its pixels are not in one piece.
    """

    file: int
    key: int
    start: int


@dataclass(frozen=True)
class TiffStack(Described):
    """The first series of a TIFF, its planes ordered by `order`: "c" where channels change slowest, else "z"."""

    files: tuple[Path, ...]
    planes: tuple[Plane, ...]
    channels: tuple[str, ...]
    shape: Index3
    dtype: str
    order: str
    grain: Index3
    identity: str

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """The voxels of a box; only the strips or tiles it touches are decoded."""
        window = box.slices[1:]
        for z, image in zip(range(box.start[0], box.stop[0]), out, strict=True):
            plane = self._plane(z, channel)
            path = self.files[plane.file]
            with opened(path, is_ome=False) as tif:
                tif.filehandle.seek(plane.key)
                key = tifffile.TiffPage(tif, index=0)
                refuse_replaced(path, key, self.shape, self.dtype)
                if is_plain(key):
                    read_plain(tif, plane.start, key, window, image)
                else:
                    read_region(tif, tifffile.TiffFrame(tif, 0, offset=plane.start, keyframe=key), window, image)

    def _plane(self, z: int, channel: int) -> Plane:
        return self.planes[channel * self.shape[0] + z if self.order == "c" else z * len(self.channels) + channel]


def open_stack(path: Path) -> TiffStack:
    """A multi-page TIFF as one image; raises `InputError` with the reason where that is impossible."""
    with opened(path) as tif:
        if not tif.pages:
            raise InputError(f"{path} holds no image. Replace the file")
        _check_companions(path, tif)
        series = tif.series[0]
        order, slices, channels = _axes(path, series)
        key: Page = series.keyframe
        check_dtype(str(path), str(key.dtype))
        files, planes = _places(path, series, slices * channels)
        metadata = read_metadata(tif)
        named = {name for name in metadata.channels if name.strip()}
        names = metadata.channels if len(metadata.channels) == len(named) == channels else ()
        numbered = tuple(f"channel{i}" for i in range(channels))
        return TiffStack(
            files=files,
            planes=planes,
            channels=names or (numbered if channels > 1 else (channel_name(path),)),
            shape=(slices, int(key.shape[0]), int(key.shape[1])),
            dtype=str(key.dtype),
            order=order,
            voxel=metadata.voxel,
            grain=(1, *grain_of(key)),
            identity=files_identity(files),
        )


def _check_companions(path: Path, tif: tifffile.TiffFile) -> None:
    """Look at the further files of an OME-TIFF one by one, so that damage in one is not laid to the file given."""
    names = re.findall(r'FileName="([^"]+)"', (tif.is_ome and tif.ome_metadata) or "")
    for file in (path.parent / name for name in dict.fromkeys(names)):
        if file != path and file.is_file():
            with opened(file, is_ome=False) as companion:
                for page in companion.pages:
                    check_page(file, page, file.stat().st_size)


def _axes(path: Path, series: tifffile.TiffPageSeries) -> tuple[str, int, int]:
    """The order of the planes, and how many slices and channels there are."""
    lengths = {axis: int(n) for axis, n in zip(series.axes, series.shape, strict=True) if n > 1 or axis in "YX"}
    outer = [axis for axis in lengths if axis not in "CYX"]
    whole = min(lengths.values(), default=0) > 0 and math.prod(lengths.values()) == math.prod(series.shape)
    if not whole or "".join(lengths)[-2:] != "YX" or len(outer) != 1 or outer[0] not in SLICE_AXES:
        raise InputError(
            f"{path} has axes {series.axes} of lengths {tuple(series.shape)}: expected grey slices (Z, Y, X), with or "
            "without channels (C), and one time point"
        )
    order = "c" if series.axes.find("C") in range(series.axes.index(outer[0])) else "z"
    return order, lengths[outer[0]], lengths.get("C", 1)


def _places(path: Path, series: tifffile.TiffPageSeries, count: int) -> tuple[tuple[Path, ...], tuple[Plane, ...]]:
    """The files and the places in them of all planes, every one of which must be there."""
    key: Page = series.keyframe
    if series.dataoffset is not None and not series.is_multifile:
        size, end = path.stat().st_size, int(series.dataoffset) + series.nbytes
        if series.dataoffset == 0:
            raise InputError(f"{path} is damaged: it does not say where its image data lies. Replace the file")
        if end > size:
            raise InputError(
                f"{path} is truncated: its image data should reach byte {end} but the file ends at byte {size}. "
                "Copy or export it again"
            )
        length = series.nbytes // count
        return (path,), tuple(Plane(0, key.offset, series.dataoffset + i * length) for i in range(count))
    pages: list[Page] = list(series.pages)
    if len(pages) != count:
        raise InputError(f"{path} is damaged or of an unusual kind: {len(pages)} of {count} images are there")
    numbers: dict[Path, int] = {}
    sizes: dict[Path, int] = {}
    planes = []
    for page in pages:
        file = path if page is None else Path(page.parent.filehandle.path)
        number = numbers.setdefault(file, len(numbers))
        with naming(file):
            check_page(file, page, sizes.setdefault(file, file.stat().st_size))
            _refuse_unlike(file, page.keyframe, key)
            start = page.dataoffsets[0] if is_plain(page.keyframe) else page.offset
        planes.append(Plane(number, page.keyframe.offset, int(start)))
    return tuple(numbers), tuple(planes)


def _refuse_unlike(path: Path, page: Page, first: Page) -> None:
    """Raise `InputError` where an image has another shape or data type than the first."""
    grid, usual = ((key.shape, str(key.dtype)) for key in (page, first))
    if grid != usual:
        raise InputError(f"{path} holds an image of {words(*grid)} where the first is {words(*usual)}")
