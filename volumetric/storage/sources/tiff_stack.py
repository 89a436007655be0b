"""Multi-page TIFFs: plain stacks, OME-TIFF (also over several files) and ImageJ hyperstacks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import tifffile

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3
from volumetric.geometry.space import Um3
from volumetric.storage.provenance import files_identity
from volumetric.storage.sources.source import check_dtype
from volumetric.storage.sources.tiff_metadata import read_metadata
from volumetric.storage.sources.tiff_page import Page, check_page, grain_of, opened, read_plain, read_region

SLICE_AXES = "ZTIQR"
"""Letters that may stand for the slices; ImageJ and others often call them time (T) or nothing (I, Q)."""


@dataclass(frozen=True)
class TiffStack:
    """The first series of a TIFF, its planes ordered by `order`: "c" where channels change slowest, else "z"."""

    path: Path
    channels: tuple[str, ...]
    shape: Index3
    dtype: str
    order: str
    spacing_um: Um3 | None
    grain: Index3
    identity: str

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """The voxels of a box; only the strips or tiles it touches are decoded."""
        window = box.slices[1:]
        with opened(self.path) as tif:
            series = tif.series[0]
            for z, plane in zip(range(box.start[0], box.stop[0]), out, strict=True):
                number = self._plane(z, channel)
                if series.dataoffset is not None:
                    offset = series.dataoffset + number * math.prod(self.shape[1:]) * out.itemsize
                    read_plain(tif, offset, series.keyframe, window, plane)
                else:
                    page: Page = series.pages[number]
                    if page.parent.filehandle.closed:  # one of the further files of an OME-TIFF
                        page.parent.filehandle.open()
                    read_region(page.parent, page, window, plane)

    def _plane(self, z: int, channel: int) -> int:
        return channel * self.shape[0] + z if self.order == "c" else z * len(self.channels) + channel


def open_stack(path: Path) -> TiffStack:
    """A multi-page TIFF as one image; raises `InputError` with the reason where that is impossible."""
    with opened(path) as tif:
        if not tif.pages:
            raise InputError(f"{path} holds no image. Replace the file")
        series = tif.series[0]
        order, slices, channels = _axes(path, series)
        _refuse_missing(path, tif, series, slices * channels)
        key = series.keyframe
        check_dtype(str(path), str(key.dtype))
        metadata = read_metadata(tif)
        files = {Path(page.parent.filehandle.path) for page in series.pages if page is not None}
        names = metadata.channels if len(metadata.channels) == channels else ()
        numbered = tuple(f"channel{i}" for i in range(channels))
        return TiffStack(
            path=path,
            channels=names or (numbered if channels > 1 else (path.name.split(".")[0],)),
            shape=(slices, int(key.shape[0]), int(key.shape[1])),
            dtype=str(key.dtype),
            order=order,
            spacing_um=metadata.whole_spacing_um,
            grain=(1, *((1, int(key.shape[1])) if series.dataoffset is not None else grain_of(series.pages[0]))),
            identity=files_identity(sorted(files)),
        )


def _axes(path: Path, series: tifffile.TiffPageSeries) -> tuple[str, int, int]:
    """The order of the planes, and how many slices and channels there are."""
    lengths = {axis: int(n) for axis, n in zip(series.axes, series.shape, strict=True) if n > 1 or axis in "YX"}
    outer = [axis for axis in lengths if axis not in "CYX"]
    if "".join(lengths)[-2:] != "YX" or len(outer) != 1 or outer[0] not in SLICE_AXES:
        raise InputError(
            f"{path} has axes {series.axes} of lengths {tuple(series.shape)}: expected grey slices (Z, Y, X), with or "
            "without channels (C), and one time point"
        )
    order = "c" if series.axes.find("C") in range(series.axes.index(outer[0])) else "z"
    return order, lengths[outer[0]], lengths.get("C", 1)


def _refuse_missing(path: Path, tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, planes: int) -> None:
    if series.dataoffset is not None:
        size, end = path.stat().st_size, int(series.dataoffset) + series.nbytes
        if end > size:
            raise InputError(
                f"{path} is truncated: its image data should reach byte {end} but the file ends at byte {size}. "
                "Copy or export it again"
            )
        return
    if len(series.pages) != planes:
        raise InputError(f"{path} is damaged or of an unusual kind: {len(series.pages)} of {planes} images are there")
    for page in series.pages:
        file = path if page is None else Path(page.parent.filehandle.path)
        check_page(file, page, file.stat().st_size)
