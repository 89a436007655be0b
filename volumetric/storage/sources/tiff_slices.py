"""Folders of slice TIFFs, one file a slice, one folder a channel."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import tifffile
from natsort import natsorted

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3
from volumetric.storage.provenance import files_identity
from volumetric.storage.sources.channels import aligned
from volumetric.storage.sources.source import check_dtype, words
from volumetric.storage.sources.tiff_file import opened
from volumetric.storage.sources.tiff_metadata import Metadata, read_metadata
from volumetric.storage.sources.tiff_page import (
    TIFF_ENDINGS,
    brightness_doubts,
    check_page,
    grain_of,
    read_region,
    refuse_replaced,
)
from volumetric.storage.sources.tiff_series import SMALLER
from volumetric.storage.stated import Described


@dataclass(frozen=True)
class TiffSlices(Described):
    """2-D TIFFs of one shape, in the order of the numbers in their names."""

    files: tuple[tuple[Path, ...], ...]
    channels: tuple[str, ...]
    shape: Index3
    dtype: str
    grain: Index3
    identity: str

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """The voxels of a box; only the strips or tiles it touches are decoded."""
        window = box.slices[1:]
        for plane, path in zip(out, self.files[channel][box.start[0] : box.stop[0]], strict=True):
            with opened(path, is_ome=False) as tif:
                page = tif.pages.first
                refuse_replaced(path, page, self.shape, self.dtype)
                read_region(tif, page, window, plane)


def tiffs_in(folder: Path) -> list[Path]:
    """The TIFFs of a folder in natural order, hidden ones left out."""
    return natsorted(p for p in folder.iterdir() if p.suffix.lower() in TIFF_ENDINGS and not p.name.startswith("."))


def open_slices(folders: Mapping[str, Sequence[Path]]) -> TiffSlices:
    """The files of each channel as one image; raises `InputError` that names the files that do not fit."""
    channels = aligned(folders)
    grids = {path: _grid(path) for numbering in channels.values() for path in numbering.files}
    shape, dtype = common_grid(grids)
    files_by_channel = tuple(numbering.files for numbering in channels.values())
    metadata, (rows, columns), brightness = _facts(files_by_channel[0][0])
    return TiffSlices(
        files=files_by_channel,
        channels=tuple(folders),
        shape=(len(files_by_channel[0]), shape[0], shape[1]),
        dtype=dtype,
        voxel=metadata.voxel,
        grain=(1, rows, columns),
        identity=files_identity(path for files in files_by_channel for path in files),
        contents=channels.text,
        doubts=(*channels.doubts, *brightness),
    )


def common_grid(grids: Mapping[Path, tuple[tuple[int, ...], str]]) -> tuple[tuple[int, ...], str]:
    """The shape and data type of all slices; raises `InputError` that names those of another one."""
    (shape, dtype), _ = Counter(grids.values()).most_common(1)[0]
    odd = [path for path, grid in grids.items() if grid != (shape, dtype)]
    if odd:
        raise InputError(
            f"the slices do not all share one shape and data type: most are {words(shape, dtype)}, but "
            + "; ".join(f"{path.name} is {words(*grids[path])}" for path in odd[:5])
            + f"{' and more' if len(odd) > 5 else ''}. Remove or convert these files"
        )
    return shape, dtype


def images_in(path: Path) -> int:
    """How many images a TIFF holds, small copies of the first left out."""
    with opened(path, is_ome=False, multifile=False) as tif:
        return _images(tif)


def _images(tif: tifffile.TiffFile) -> int:
    if len(tif.pages) == 1 and (tif.is_imagej or tif.is_shaped):  # further images may follow without a directory
        series = tif.series[0]
        return int(series.size // max(1, math.prod(series.keyframe.shape)))
    first = tif.pages.first
    small = sum(max(a / b for a, b in zip(p.shape[:2], first.shape[:2], strict=True)) <= SMALLER for p in tif.pages[1:])
    return len(tif.pages) - small


def _grid(path: Path) -> tuple[tuple[int, ...], str]:
    """Shape and dtype of the one image of a file, with all of its data there."""
    with opened(path, is_ome=False) as tif:
        if not tif.pages or _images(tif) != 1:
            raise InputError(
                f"{path} holds {_images(tif) if tif.pages else 0} images: in a folder of slices each file must hold "
                "one. If each file is a whole stack, give the path of one of them"
            )
        page = tif.pages.first
        check_page(path, page, path.stat().st_size)
        check_dtype(str(path), str(page.dtype))
        return page.shape, str(page.dtype)


def _facts(path: Path) -> tuple[Metadata, tuple[int, int], tuple[str, ...]]:
    with opened(path, multifile=False) as tif:
        return read_metadata(tif), grain_of(tif.pages.first), brightness_doubts(path, tif.pages.first)
