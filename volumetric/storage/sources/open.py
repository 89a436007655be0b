"""What a user gave, opened: the format is told by the content, never by the name alone."""

from __future__ import annotations

import re
from pathlib import Path

import h5py

from volumetric.errors import InputError
from volumetric.storage.ngff import is_zarr
from volumetric.storage.png import SIGNATURE as PNG
from volumetric.storage.sources.bigdataviewer import (
    is_bigdataviewer,
    is_project,
    open_bigdataviewer,
    open_project,
)
from volumetric.storage.sources.channel_pattern import refuse_pattern
from volumetric.storage.sources.folder import open_folder
from volumetric.storage.sources.foreign import TIFF_OUTSIDE, described_foreign
from volumetric.storage.sources.hdf5 import open_hdf5
from volumetric.storage.sources.imaris import is_imaris, open_imaris
from volumetric.storage.sources.numpy_file import MAGIC as NUMPY
from volumetric.storage.sources.numpy_file import open_numpy
from volumetric.storage.sources.png_slices import open_pngs
from volumetric.storage.sources.source import ChannelSet, Source
from volumetric.storage.sources.stored_type import in_stored_type
from volumetric.storage.sources.tiff_ome import is_companion
from volumetric.storage.sources.tiff_page import TIFF_ENDINGS
from volumetric.storage.sources.tiff_stack import open_stack
from volumetric.storage.sources.zarr_array import open_zarr_source

TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
"""First bytes of TIFF and BigTIFF in both byte orders."""

KINDS = "a folder of slice TIFFs (or one folder a channel), a TIFF stack, HDF5, Imaris, .npy or Zarr"


def open_source(path: Path, axes: str | None = None, channel_pattern: str | None = None) -> Source:
    """Open what a user gave; raises `InputError` with the reason where it is no image that can be read.

    Args:
        path: of a file or folder; `FILE:/DATASET` chooses from an HDF5 file, `FILE:1` an image of a TIFF.
        axes: names of those of an array.
        channel_pattern: the part of files' names that tells channels in one folder apart, with `{c}` where they stand.
    """
    try:
        return in_stored_type(_open(path, axes, channel_pattern))
    except PermissionError as error:
        raise InputError(
            f"{error.filename or path} cannot be read: permission denied. Change its permissions"
        ) from error
    except OSError as error:
        raise InputError(f"{error.filename or path} cannot be read: {error.strerror or error}") from error


def _open(path: Path, axes: str | None, channel_pattern: str | None) -> Source:
    if path.is_dir() and not is_zarr(path):
        return _fixed(path, _open_folder(path, channel_pattern), axes)
    refuse_pattern(path, channel_pattern)
    if path.is_dir():
        return open_zarr_source(path, axes)
    if not path.exists():
        return _open_part(path, axes)
    with path.open("rb") as opened:
        first = opened.read(8)
    if first.startswith(NUMPY):
        return open_numpy(path, axes)
    if h5py.is_hdf5(path):
        return _open_hdf5(path, None, axes)
    return _fixed(path, _open_file(path, first), axes)


def _open_part(path: Path, axes: str | None) -> Source:
    """One image of a file that holds several."""
    file, colon, dataset = str(path).partition(":/")
    if colon and Path(file).is_file():
        return _open_hdf5(Path(file), dataset, axes)
    numbered = re.fullmatch(r"(.+):(\d+)", str(path))
    if numbered and Path(numbered[1]).is_file():
        return _fixed(path, _open_numbered(Path(numbered[1]), int(numbered[2])), axes)
    raise InputError(f"there is nothing at {path}: give {KINDS}")


def _open_numbered(path: Path, number: int) -> Source:
    with path.open("rb") as opened:
        if not opened.read(8).startswith(TIFF):
            raise InputError(f"{path}:{number} asks for an image of a TIFF, but {path} is none: give its path alone")
    return open_stack(path, number)


def _fixed(path: Path, source: Source, axes: str | None) -> Source:
    """A source whose kind says what its axes are; raises `InputError` where the user says it too."""
    if axes is not None:
        raise InputError(
            f"--axes says {axes}, but it is for arrays (HDF5, .npy, Zarr): {path} is of a kind that says itself what "
            "its axes are. Leave the flag out; --orientation says how the slices lie in the animal"
        )
    return source


def _open_hdf5(path: Path, dataset: str | None, axes: str | None) -> Source:
    if is_imaris(path) and not dataset:
        return _fixed(path, open_imaris(path), axes)
    if is_bigdataviewer(path):
        return _fixed(path, open_bigdataviewer(path, dataset), axes)
    return open_hdf5(path, dataset, axes)


def _open_file(path: Path, first: bytes) -> Source:
    if first == PNG:
        return open_pngs({path.stem: [path]})
    if is_project(first):
        return open_stack(path) if is_companion(path) else open_project(path)
    if first.startswith(TIFF) and path.suffix.lower() not in TIFF_OUTSIDE:
        return open_stack(path)
    if not first:
        raise InputError(f"{path} is empty: give {KINDS}")
    foreign = described_foreign(path)
    if foreign:
        raise InputError(foreign)
    if path.suffix.lower() in TIFF_ENDINGS:
        return open_stack(path)  # which says what is wrong with it
    raise InputError(f"{path} is of no known kind (it begins with {first!r}) or its beginning is damaged: give {KINDS}")


def _open_folder(path: Path, channel_pattern: str | None) -> Source:
    if (path / "attributes.json").is_file():
        raise InputError(
            f"{path} is N5, which is not read: convert it to OME-Zarr or HDF5, for example with Fiji's N5 plugin or "
            "BigStitcher's export"
        )
    return open_folder(path, channel_pattern)


def select_channels(source: Source, wanted: tuple[str, ...], axes: str | None = None) -> Source:
    """The wanted channels of a source, in that order; each is a channel's name or the path of another source.

    `axes` names those of other sources, as of the first. Raises `InputError` for what is neither.
    """
    parts: list[tuple[Source, int]] = []
    names: list[str] = []
    for name in wanted:
        if name in source.channels:
            parts.append((source, source.channels.index(name)))
            names.append(name)
        elif Path(name).exists() or Path(re.sub(r":(\d+|/.*)$", "", name)).is_file():
            other = open_source(Path(name), axes)
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
