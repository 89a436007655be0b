"""Images as users have them: folders of slice TIFFs, multi-page TIFFs, OME-Zarr; behind one small interface.

Everything that can be wrong with the files is said by name when a source is opened, before any work starts.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import tifffile
import zarr
from natsort import natsorted

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3
from volumetric.storage.omezarr import Volume, is_ome_zarr, open_ome_zarr
from volumetric.storage.provenance import digest, files_identity

TIFF_ENDINGS = (".tif", ".tiff")
DTYPES = ("uint8", "uint16", "int16", "float32")


class Source(Protocol):
    """Voxels to be converted: several channels on one grid."""

    @property
    def shape(self) -> Index3: ...
    @property
    def dtype(self) -> str: ...
    @property
    def channels(self) -> tuple[str, ...]: ...
    @property
    def identity(self) -> str:
        """Changes when any input file is replaced."""
        ...

    def read(self, box: Box, channel: int = 0) -> npt.NDArray[Any]:
        """The voxels (z, y, x) of a box."""
        ...


@dataclass(frozen=True)
class TiffSlices:
    """Folders of 2-D TIFFs, one folder a channel, one file a slice, in natural order."""

    files: tuple[tuple[Path, ...], ...]
    channels: tuple[str, ...]
    shape: Index3
    dtype: str
    identity: str

    def read(self, box: Box, channel: int = 0) -> npt.NDArray[Any]:
        """The voxels of a box; a band of rows decodes only the strips or tiles it touches."""
        out = np.empty(box.shape, dtype=self.dtype)
        _, rows, columns = box.slices
        whole = box.shape[1:] == self.shape[1:]
        for i, path in enumerate(self.files[channel][box.start[0] : box.stop[0]]):
            if whole:
                tifffile.imread(path, out=out[i], maxworkers=1)
            else:
                with tifffile.imread(path, aszarr=True, maxworkers=1) as store:
                    page = zarr.open_array(store, mode="r")
                    out[i] = np.asarray(page[rows, columns])
        return out


@dataclass(frozen=True)
class TiffStack:
    """One multi-page TIFF with axes z, y, x."""

    path: Path
    shape: Index3
    dtype: str
    identity: str
    channels: tuple[str, ...]

    def read(self, box: Box, channel: int = 0) -> npt.NDArray[Any]:
        """The voxels of a box."""
        with tifffile.imread(self.path, aszarr=True, maxworkers=1) as store:
            return np.asarray(zarr.open_array(store, mode="r")[box.slices])


@dataclass(frozen=True)
class ChannelSet:
    """Channels of several sources on one grid, for example two folders given by path."""

    parts: tuple[tuple[Source, int], ...]
    channels: tuple[str, ...]

    def __post_init__(self) -> None:
        grids = {(source.shape, source.dtype) for source, _ in self.parts}
        if len(grids) > 1:
            raise InputError(
                "the channels must share one shape and data type, got "
                + "; ".join(f"{shape} {dtype}" for shape, dtype in sorted(grids))
            )

    @property
    def shape(self) -> Index3:
        return self.parts[0][0].shape

    @property
    def dtype(self) -> str:
        return self.parts[0][0].dtype

    @property
    def identity(self) -> str:
        return digest([(source.identity, index) for source, index in self.parts])

    def read(self, box: Box, channel: int = 0) -> npt.NDArray[Any]:
        """The voxels of a box."""
        source, index = self.parts[channel]
        return source.read(box, index)


@dataclass(frozen=True)
class ZarrSource:
    """The full resolution of an OME-Zarr, to be converted again."""

    volume: Volume

    @property
    def shape(self) -> Index3:
        return self.volume.shape

    @property
    def dtype(self) -> str:
        return self.volume.dtype

    @property
    def channels(self) -> tuple[str, ...]:
        return self.volume.channels

    @property
    def identity(self) -> str:
        return self.volume.fingerprint()

    def read(self, box: Box, channel: int = 0) -> npt.NDArray[Any]:
        """The voxels of a box."""
        return self.volume.read(box, 0, channel)


def open_source(path: Path) -> Source:
    """Open what a user gave, chosen by content; raises `InputError` with the reason where that is impossible."""
    if not path.exists():
        raise InputError(f"there is nothing at {path}: give a folder of slice images, a TIFF stack or an OME-Zarr")
    if path.is_file():
        if path.suffix.lower() in TIFF_ENDINGS:
            return _open_stack(path)
        raise InputError(f"{path} is not a TIFF file: give a folder of slice images, a TIFF stack or an OME-Zarr")
    if is_ome_zarr(path):
        return ZarrSource(open_ome_zarr(path))
    own = _tiffs_in(path)
    if own:
        return _open_slices({path.name: own})
    below = {child.name: _tiffs_in(child) for child in natsorted(path.iterdir()) if child.is_dir()}
    below = {name: files for name, files in below.items() if files}
    if below:
        return _open_slices(below)
    raise InputError(
        f"no images found in {path}: expected files ending in {' or '.join(TIFF_ENDINGS)}, "
        "or one folder of them for each channel"
    )


def select_channels(source: Source, wanted: tuple[str, ...]) -> Source:
    """The wanted channels of a source, in that order; each is a channel's name or the path of another source."""
    parts: list[tuple[Source, int]] = []
    names: list[str] = []
    for name in wanted:
        if name in source.channels:
            parts.append((source, source.channels.index(name)))
            names.append(name)
        elif Path(name).exists():
            other = open_source(Path(name))
            if len(other.channels) != 1:
                raise InputError(f"{name} holds the channels {', '.join(other.channels)}: give the path of one of them")
            parts.append((other, 0))
            names.append(other.channels[0])
        else:
            raise InputError(
                f"there is no channel {name!r}: the source has {', '.join(source.channels)}, "
                "and no file or folder has that path either"
            )
    return ChannelSet(tuple(parts), tuple(names))


def _words(shape: tuple[int, ...], dtype: str) -> str:
    return f"{' x '.join(map(str, shape))} {dtype}"


def _tiffs_in(folder: Path) -> list[Path]:
    return natsorted(p for p in folder.iterdir() if p.suffix.lower() in TIFF_ENDINGS and not p.name.startswith("."))


def _open_slices(folders: Mapping[str, list[Path]]) -> TiffSlices:
    grids: dict[Path, tuple[tuple[int, ...], str]] = {}
    for files in folders.values():
        _refuse_gaps(files)
        grids.update({path: _page_grid(path) for path in files})
    (shape, dtype), _ = Counter(grids.values()).most_common(1)[0]
    odd = [path for path, grid in grids.items() if grid != (shape, dtype)]
    if odd:
        listed = "; ".join(
            f"{path.name} is {' x '.join(map(str, grids[path][0]))} {grids[path][1]}" for path in odd[:5]
        )
        raise InputError(
            f"the slices do not all share one shape and data type: most are {' x '.join(map(str, shape))} {dtype}, "
            f"but {listed}{' and more' if len(odd) > 5 else ''}. Remove or convert these files"
        )
    counts = {name: len(files) for name, files in folders.items()}
    if len(set(counts.values())) > 1:
        raise InputError(
            "the channels do not have the same number of slices: "
            + ", ".join(f"{n} has {c}" for n, c in counts.items())
        )
    files_by_channel = tuple(tuple(files) for files in folders.values())
    return TiffSlices(
        files=files_by_channel,
        channels=tuple(folders),
        shape=(len(files_by_channel[0]), shape[0], shape[1]),
        dtype=dtype,
        identity=files_identity(path for files in files_by_channel for path in files),
    )


def _open_stack(path: Path) -> TiffStack:
    with _opened(path) as tif:
        _refuse_truncated(path, tif)
        series = tif.series[0]
        shape, dtype = tuple(int(n) for n in series.shape), str(series.dtype)
    if len(shape) != 3:
        raise InputError(f"{path} has axes of lengths {shape}: expected a stack with z, y, x")
    _check_dtype(path, dtype)
    return TiffStack(path, (shape[0], shape[1], shape[2]), dtype, files_identity([path]), (path.stem,))


def _page_grid(path: Path) -> tuple[tuple[int, ...], str]:
    with _opened(path) as tif:
        _refuse_truncated(path, tif)
        shape, dtype = tuple(int(n) for n in tif.series[0].shape), str(tif.series[0].dtype)
    if len(shape) != 2:
        raise InputError(f"{path} has axes of lengths {shape}: a slice must be one grey image of rows and columns")
    _check_dtype(path, dtype)
    return shape, dtype


def _opened(path: Path) -> tifffile.TiffFile:
    try:
        return tifffile.TiffFile(path)
    except (tifffile.TiffFileError, struct.error, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a TIFF: {error}. Replace the file") from error


def _refuse_truncated(path: Path, tif: tifffile.TiffFile) -> None:
    size = path.stat().st_size
    if not tif.pages:
        raise InputError(f"{path} holds no image. Replace the file")
    for page in tif.series[0].pages:
        if page is None:
            raise InputError(f"{path} is damaged: an image of it is missing. Replace the file")
        end = max((o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)), default=0)
        if end > size:
            raise InputError(
                f"{path} is truncated: its image data should reach byte {end} but the file ends at byte {size}. "
                "Copy or export it again"
            )


def _check_dtype(path: Path, dtype: str) -> None:
    if dtype not in DTYPES:
        raise InputError(f"{path} holds {dtype} values: expected {', '.join(DTYPES)}. Convert the images first")


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
