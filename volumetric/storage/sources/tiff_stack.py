"""Multi-page TIFFs: plain stacks, OME-TIFF (also over several files) and ImageJ hyperstacks."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt
import tifffile

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3
from volumetric.storage.provenance import digest, files_identity
from volumetric.storage.sources.names import MOST_CHANNELS
from volumetric.storage.sources.source import channel_name, check_dtype, words
from volumetric.storage.sources.tiff_file import naming, opened
from volumetric.storage.sources.tiff_metadata import read_metadata
from volumetric.storage.sources.tiff_ome import opened_described
from volumetric.storage.sources.tiff_page import (
    Page,
    brightness_doubts,
    check_page,
    grain_of,
    is_plain,
    read_plain,
    read_region,
    refuse_replaced,
)
from volumetric.storage.sources.tiff_series import choose_series
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
    """Grey slices of one TIFF, or of several that describe each other. `planes` has those of each channel."""

    files: tuple[Path, ...]
    planes: tuple[tuple[Plane, ...], ...]
    channels: tuple[str, ...]
    shape: Index3
    dtype: str
    grain: Index3
    identity: str

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """The voxels of a box; only the strips or tiles it touches are decoded."""
        window = box.slices[1:]
        for plane, image in zip(self.planes[channel][box.start[0] : box.stop[0]], out, strict=True):
            path = self.files[plane.file]
            with opened(path, is_ome=False) as tif:
                tif.filehandle.seek(plane.key)
                key = tifffile.TiffPage(tif, index=0)
                refuse_replaced(path, key, self.shape, self.dtype)
                if is_plain(key):
                    read_plain(tif, plane.start, key, window, image)
                else:
                    read_region(tif, tifffile.TiffFrame(tif, 0, offset=plane.start, keyframe=key), window, image)


def open_stack(path: Path, wanted: int | None = None) -> TiffStack:
    """A multi-page TIFF as one image; raises `InputError` with the reason where that is impossible.

    Args:
        path: of the file, one of the files of an OME-TIFF, or its companion.
        wanted: number of the image in the file, where it holds several.
    """
    with opened_described(path) as tif:
        if not tif.pages:
            raise InputError(f"{path} holds no image. Replace the file")
        _check_companions(path, tif)
        chosen = choose_series(path, tif, wanted)
        key: Page = chosen.series[0].keyframe
        check_dtype(str(path), str(key.dtype))
        files: dict[Path, int] = {}
        pieces = [_channels(path, series, key, files) for series in chosen.series]
        planes = tuple(tuple(itertools.chain(*parts)) for parts in zip(*(p.planes for p in pieces), strict=True))
        metadata = read_metadata(tif, chosen.number)
        named = {name for name in metadata.channels if name.strip()}
        names = metadata.channels if len(metadata.channels) == len(named) == len(planes) else ()
        numbered = tuple(f"channel{i}" for i in range(len(planes)))
        identity = files_identity(files)
        if len(tif.series) > 1:
            identity = digest([identity, chosen.number, len(planes[0])])
        return TiffStack(
            files=tuple(files),
            planes=planes,
            channels=names or (numbered if len(planes) > 1 else (channel_name(path),)),
            shape=(len(planes[0]), int(key.shape[0]), int(key.shape[1])),
            dtype=str(key.dtype),
            voxel=metadata.voxel,
            grain=(1, *grain_of(key)),
            identity=identity,
            contents=chosen.text,
            doubts=(*chosen.doubts, *pieces[0].doubts, *brightness_doubts(path, key)),
        )


def _check_companions(path: Path, tif: tifffile.TiffFile) -> None:
    """Look at the further files of an OME-TIFF one by one, so that damage in one is not laid to the file given."""
    names = re.findall(r'FileName="([^"]+)"', (tif.is_ome and tif.ome_metadata) or "")
    for file in (path.parent / name for name in dict.fromkeys(names)):
        if file != path and file.is_file():
            with opened(file, is_ome=False) as companion:
                for page in companion.pages:
                    check_page(file, page, file.stat().st_size)


class Piece(NamedTuple):
    """The planes of each channel of one series, and what is doubtful about their order."""

    planes: tuple[tuple[Plane, ...], ...]
    doubts: tuple[str, ...]


def _channels(path: Path, series: tifffile.TiffPageSeries, key: Page, files: dict[Path, int]) -> Piece:
    """The planes of a series; its files are numbered in `files`."""
    axes = _axes(path, series)
    places = _places(path, series, key, axes.slices * axes.channels, files)
    if axes.channels_first:
        planes = tuple(places[c * axes.slices : (c + 1) * axes.slices] for c in range(axes.channels))
    else:
        planes = tuple(places[c :: axes.channels] for c in range(axes.channels))
    return Piece(planes, axes.doubts)


class Axes(NamedTuple):
    """How many slices and channels there are, and whether all slices of a channel follow one another."""

    slices: int
    channels: int
    channels_first: bool
    doubts: tuple[str, ...] = ()


def _axes(path: Path, series: tifffile.TiffPageSeries) -> Axes:
    lengths = {axis: int(n) for axis, n in zip(series.axes, series.shape, strict=True) if n > 1 or axis in "YX"}
    outer = [axis for axis in lengths if axis not in "CYX"]
    whole = min(lengths.values(), default=0) > 0 and math.prod(lengths.values()) == math.prod(series.shape)
    if not whole or "".join(lengths)[-2:] != "YX" or len(outer) > 1 or any(axis not in SLICE_AXES for axis in outer):
        raise InputError(f"{path} {_unfit(series)}")
    channels = lengths.get("C", 1)
    if not outer and channels > MOST_CHANNELS:
        return Axes(channels, 1, True, (f"{path.name} calls its {channels} images channels: they are taken as slices",))
    if not outer:
        return Axes(1, channels, True)
    order = series.axes.find("C") in range(series.axes.index(outer[0]))
    slices = lengths[outer[0]]
    doubts: tuple[str, ...] = ()
    if channels > max(slices, MOST_CHANNELS):
        doubts = (
            f"{path.name} has {channels} channels of {slices} slices by its metadata: are these the wrong way round?",
        )
    return Axes(slices, channels, order, doubts)


def _unfit(series: tifffile.TiffPageSeries) -> str:
    """What is wrong with the axes of a series, and what to do."""
    lengths = dict(zip(series.axes, map(int, series.shape), strict=True))
    told = f"has axes {series.axes} of lengths {tuple(map(int, series.shape))}"
    if "S" in lengths:
        return f"is in colour ({told}): split its colours to grey images (in Fiji: Image > Color > Split Channels)"
    if lengths.get("T", 1) > 1 and lengths.get("Z", 1) > 1:
        return (
            f"{told}: it holds {lengths['T']} time points, expected one. Save one of them (in Fiji: Image > Duplicate)"
        )
    return f"{told}: expected grey slices (Z, Y, X), with or without channels (C), and one time point"


def _places(
    path: Path, series: tifffile.TiffPageSeries, first: Page, count: int, files: dict[Path, int]
) -> tuple[Plane, ...]:
    """The places of all planes, every one of which must be there."""
    key: Page = series.keyframe
    if series.dataoffset is not None and not series.is_multifile:
        _refuse_unlike(path, key, first)
        number = files.setdefault(path, len(files))
        size, end = path.stat().st_size, int(series.dataoffset) + series.nbytes
        if series.dataoffset == 0:
            raise InputError(f"{path} is damaged: it does not say where its image data lies. Replace the file")
        if end > size:
            raise InputError(
                f"{path} is truncated: its image data should reach byte {end} but the file ends at byte {size}. "
                "Copy or export it again"
            )
        length = series.nbytes // count
        return tuple(Plane(number, key.offset, series.dataoffset + i * length) for i in range(count))
    pages: list[Page] = list(series.pages)
    if len(pages) != count:
        raise InputError(f"{path} is damaged or of an unusual kind: {len(pages)} of {count} images are there")
    sizes: dict[Path, int] = {}
    planes = []
    for page in pages:
        file = path if page is None else Path(page.parent.filehandle.path)
        number = files.setdefault(file, len(files))
        with naming(file):
            check_page(file, page, sizes.setdefault(file, file.stat().st_size))
            _refuse_unlike(file, page.keyframe, first)
            start = page.dataoffsets[0] if is_plain(page.keyframe) else page.offset
        planes.append(Plane(number, page.keyframe.offset, int(start)))
    return tuple(planes)


def _refuse_unlike(path: Path, page: Page, first: Page) -> None:
    """Raise `InputError` where an image has another shape or data type than the first."""
    grid, usual = ((key.shape, str(key.dtype)) for key in (page, first))
    if grid != usual:
        raise InputError(f"{path} holds an image of {words(*grid)} where the first is {words(*usual)}")
