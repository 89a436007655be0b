"""What a folder holds: the slices of one channel, a folder for each channel, unstitched tiles, or something else.

Only what can be read in one way is read: images beside folders of images, tiles, and folders within folders are refused
with what is there and what to do (ADR 0028).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from natsort import natsorted

from volumetric.errors import InputError
from volumetric.storage.ngff import is_zarr
from volumetric.storage.sources.channel_pattern import grouped
from volumetric.storage.sources.foreign import described_foreign, foreign_in
from volumetric.storage.sources.names import MOST_CHANNELS, STAGE_DIGITS, columns_of
from volumetric.storage.sources.png_slices import open_pngs
from volumetric.storage.sources.refusals import STITCH
from volumetric.storage.sources.source import ChannelSet, Source, channel_name
from volumetric.storage.sources.tiff_ome import COMPANION, files_described
from volumetric.storage.sources.tiff_page import TIFF_ENDINGS
from volumetric.storage.sources.tiff_slices import images_in, open_slices, tiffs_in
from volumetric.storage.sources.tiff_stack import open_stack

LISTED = 5
HERE = "."

DEEPEST = 4
"""Folders within folders that are looked through for images."""

NOT_OF_USERS = ("$RECYCLE.BIN", "System Volume Information", "lost+found", "@eaDir", "__MACOSX")
"""Folders that systems put beside images."""

READABLE = (".h5", ".hdf5", ".ims", ".npy", ".zarr")


def open_folder(path: Path, channel_pattern: str | None = None) -> Source:
    """The images of a folder; raises `InputError` that says what is there where they are not one brain's slices.

    Args:
        path: of the folder.
        channel_pattern: the part of the files' names that tells channels in one folder apart, with `{c}`.
    """
    found = {name: slices_in(folder) for name, folder in _folders(path, DEEPEST).items()}
    below = _without_pictures({name: files for name, files in found.items() if files})
    own = below.pop(HERE, [])
    if own and below:
        raise InputError(
            f"{path} holds images itself ({_names(own)}) and in folders ({_listed(sorted(below))}): move away what "
            "does not belong to the brain, or give one of the folders"
        )
    if own:
        return _open_own(path, own, channel_pattern)
    if channel_pattern:
        raise InputError(
            f"--channel-pattern is for a folder of images, of several channels, but {path} holds "
            f"{'a folder for each channel: leave it out' if below else 'no images itself'}"
        )
    if not below:
        raise InputError(_nothing_in(path))
    _refuse_tiles(path, list(below))
    if any("/" in name for name in below):
        raise InputError(
            f"the images in {path} lie folders deeper, as in {_listed(list(below))}: give the folder that holds the "
            "slices, or one that holds a folder of slices for each channel"
        )
    if len(below) > MOST_CHANNELS:
        raise InputError(
            f"{path} holds {len(below)} folders of images ({_listed(list(below))}), more than a brain has channels "
            f"(at most {MOST_CHANNELS}). If they are tiles, {STITCH}; if sections, put their slices into one folder; "
            "else give one"
        )
    return _open_channels(below)


def slices_in(folder: Path) -> list[Path]:
    """The TIFFs of a folder, or where it has none its PNGs, in natural order; hidden files are left out."""
    return tiffs_in(folder) or natsorted(
        p for p in folder.iterdir() if p.suffix.lower() == ".png" and not p.name.startswith(".")
    )


def _without_pictures(folders: Mapping[str, list[Path]]) -> dict[str, list[Path]]:
    """Folders with slices, without PNGs that are pictures of results: those in folders of TIFFs, or deeper."""
    tiffs = {name: files for name, files in folders.items() if files[0].suffix.lower() in TIFF_ENDINGS}
    if not tiffs:
        return dict(folders)
    return {name: f for name, f in folders.items() if name in tiffs or (HERE not in tiffs and "/" not in name)}


def _open_own(path: Path, files: list[Path], channel_pattern: str | None) -> Source:
    if channel_pattern:
        return _open_channels(grouped(files, channel_pattern))
    companions = [p for p in path.iterdir() if p.name.lower().endswith(COMPANION)]
    if len(companions) == 1:
        return open_stack(companions[0])
    described = _files_of_one_image(files)
    if described:
        strays = [file for file in files if file not in described]
        if strays:
            raise InputError(
                f"{_names(strays)} in {path} do not belong to the OME-TIFF whose other files are there "
                f"({_names(sorted(described))}): move them elsewhere, or give one file of the OME-TIFF"
            )
        return open_stack(files[0])
    return _open_channels({channel_name(path): files})


def _files_of_one_image(files: Sequence[Path]) -> frozenset[Path]:
    """The files of an OME-TIFF of several files that hold several images each, or channels; none for usual slices."""
    if files[0].suffix.lower() not in TIFF_ENDINGS:
        return frozenset()
    described = frozenset(files_described(files[0]))
    if len(described) < 2 or not described <= set(files):
        return frozenset()
    source = open_stack(files[0])
    one_each = len(source.channels) == 1 and source.shape[0] == len(described)
    return frozenset() if one_each else described


def _open_channels(channels: Mapping[str, Sequence[Path]]) -> Source:
    """The files of each channel: slices, or one stack a channel."""
    files = [path for paths in channels.values() for path in paths]
    pngs = [path for path in files if path.suffix.lower() == ".png"]
    if pngs and len(pngs) < len(files):
        others = [path for path in files if path not in pngs]
        raise InputError(
            f"some folders hold PNGs ({_names(pngs)}) and others TIFFs ({_names(others)}): convert one kind, or move "
            "away what is no channel"
        )
    if pngs:
        return open_pngs(channels)
    if all(len(paths) == 1 for paths in channels.values()) and all(images_in(path) > 1 for path in files):
        return _stacks({name: paths[0] for name, paths in channels.items()})
    return open_slices(channels)


def _stacks(channels: Mapping[str, Path]) -> Source:
    """One stack a channel."""
    opened = {name: open_stack(path) for name, path in channels.items()}
    for name, source in opened.items():
        if len(source.channels) > 1:
            raise InputError(f"{channels[name]} holds {len(source.channels)} channels by itself: give its path alone")
    if len(opened) == 1:
        return next(iter(opened.values()))
    return ChannelSet(tuple((source, 0) for source in opened.values()), tuple(opened))


def _folders(path: Path, depth: int) -> dict[str, Path]:
    """A folder and those in it that may hold images, by their paths from it; nothing below one that holds slices."""
    found = {HERE: path}
    if depth == 0 or (depth < DEEPEST and slices_in(path)):
        return found
    for child in natsorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")):
        if child.name not in NOT_OF_USERS and not _is_output_or_array(child):
            below = _folders(child, depth - 1)
            found |= {f"{child.name}/{name}".removesuffix(f"/{HERE}"): folder for name, folder in below.items()}
    return found


def _is_output_or_array(folder: Path) -> bool:
    """Whether a folder is the output of a command, which has its ledger within, or an array."""
    if folder.suffix.lower() in {".zarr", ".n5", *TIFF_ENDINGS}:
        return True
    return (folder / ".work").is_dir() or is_zarr(folder)


def _refuse_tiles(path: Path, folders: Sequence[str]) -> None:
    """Raise `InputError` where folders are named as the tiles of a microscope."""
    if len(folders) > 1 and any(_are_tiles(names) for names in zip(*_parts(folders), strict=False)):
        raise InputError(
            f"{path} holds {len(folders)} folders of unstitched tiles ({_listed(folders)}): {STITCH}. If they are no "
            "tiles, name the folders after their channels"
        )


def _parts(folders: Sequence[str]) -> list[list[str]]:
    return [name.split("/") for name in folders]


def _are_tiles(names: Sequence[str]) -> bool:
    """Whether different folder names are places of a stage: `000000_002000`, `[00 x 01]`, `Tile0`, `x01_y02`."""
    if len(set(names)) < 2:
        return False
    roles = {column.role for column in columns_of(names, r"\d+") or () if len(column.distinct) > 1}
    if roles & {"tile", "channel"}:
        return "tile" in roles
    return all(re.fullmatch(rf"\d{{{STAGE_DIGITS},}}|-?\d+[_ x-]+-?\d+", name) for name in names)


def _nothing_in(path: Path) -> str:
    """What is said of a folder without images: what else is there, and what to do with it."""
    foreign = foreign_in(path)
    readable = sorted(p for p in path.iterdir() if p.suffix.lower() in READABLE and not p.name.startswith("."))
    expected = (
        f"no images found in {path}: expected files ending in {' or '.join(TIFF_ENDINGS[:2])} (or .png), or one "
        "folder of them for each channel"
    )
    if readable:
        return f"{expected}. It holds {_names(readable)}: give the path of one of them"
    if foreign:
        told = described_foreign(foreign[0]) if foreign[0].is_file() else None
        more = f", and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        return f"{expected}. {told}{more}" if told else f"{expected}. It holds {_names(foreign)}"
    return expected


def _names(paths: Sequence[Path]) -> str:
    return _listed([path.name for path in paths])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
