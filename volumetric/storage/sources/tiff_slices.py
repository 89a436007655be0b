"""Folders of slice TIFFs, one file a slice, one folder a channel."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy.typing as npt
from natsort import natsorted

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3
from volumetric.storage.provenance import files_identity
from volumetric.storage.sources.source import check_dtype, words
from volumetric.storage.sources.tiff_file import opened
from volumetric.storage.sources.tiff_metadata import Metadata, read_metadata
from volumetric.storage.sources.tiff_page import TIFF_ENDINGS, check_page, grain_of, read_region, refuse_replaced
from volumetric.storage.stated import Described


@dataclass(frozen=True)
class TiffSlices(Described):
    """2-D TIFFs of one shape, in natural order of their names."""

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


def open_slices(folders: Mapping[str, list[Path]]) -> TiffSlices:
    """The files of each channel as one image; raises `InputError` that names the files that do not fit."""
    grids: dict[Path, tuple[tuple[int, ...], str]] = {}
    for files in folders.values():
        _refuse_gaps(files)
        grids.update({path: _grid(path) for path in files})
    (shape, dtype), _ = Counter(grids.values()).most_common(1)[0]
    odd = [path for path, grid in grids.items() if grid != (shape, dtype)]
    if odd:
        raise InputError(
            f"the slices do not all share one shape and data type: most are {words(shape, dtype)}, but "
            + "; ".join(f"{path.name} is {words(*grids[path])}" for path in odd[:5])
            + f"{' and more' if len(odd) > 5 else ''}. Remove or convert these files"
        )
    counts = {name: len(files) for name, files in folders.items()}
    if len(set(counts.values())) > 1:
        raise InputError(
            "the channels do not have the same number of slices: "
            + ", ".join(f"{n} has {c}" for n, c in counts.items())
        )
    files_by_channel = tuple(tuple(files) for files in folders.values())
    metadata, (rows, columns) = _facts(files_by_channel[0][0])
    return TiffSlices(
        files=files_by_channel,
        channels=tuple(folders),
        shape=(len(files_by_channel[0]), shape[0], shape[1]),
        dtype=dtype,
        voxel=metadata.voxel,
        grain=(1, rows, columns),
        identity=files_identity(path for files in files_by_channel for path in files),
    )


def _grid(path: Path) -> tuple[tuple[int, ...], str]:
    """Shape and dtype of the one image of a file, with all of its data there."""
    with opened(path, is_ome=False) as tif:
        if len(tif.pages) != 1:
            raise InputError(f"{path} holds {len(tif.pages)} images: in a folder of slices each file must hold one")
        page = tif.pages.first
        check_page(path, page, path.stat().st_size)
        check_dtype(str(path), str(page.dtype))
        return page.shape, str(page.dtype)


def _facts(path: Path) -> tuple[Metadata, tuple[int, int]]:
    with opened(path, multifile=False) as tif:
        return read_metadata(tif), grain_of(tif.pages.first)


def _refuse_gaps(files: list[Path]) -> None:
    """The last number in the names must rise in equal steps; names without numbers are taken as they are."""
    numbers = [re.findall(r"\d+", path.stem) for path in files]
    if len(files) < 2 or not all(numbers):
        return
    values = [int(found[-1]) for found in numbers]
    steps = Counter(b - a for a, b in pairwise(values))
    step = steps.most_common(1)[0][0]
    for (before, a), (after, b) in pairwise(zip(files, values, strict=True)):
        if b - a == step:
            continue
        if b <= a:
            raise InputError(f"the slice numbers do not rise from {before.name} to {after.name}: rename the files")
        raise InputError(
            f"slices are missing between {before.name} and {after.name}: the numbers go from {a} to {b} where steps "
            f"of {step} are usual. Add the missing files, or renumber them if nothing is missing"
        )
