"""Where an OME-TIFF is described: in itself, in a companion file, or under a name that the file had before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tifffile

from volumetric.errors import InputError
from volumetric.storage.sources.tiff_file import opened

COMPANION = ".companion.ome"
LISTED = 5

NAMED = re.compile(r'FileName="([^"]+)"')
BINARY_ONLY = re.compile(r'<(?:\w+:)?BinaryOnly[^>]*MetadataFile="([^"]+)"')
UUIDS = re.compile(r"<(?:\w+:)?UUID\b[^>]*?(?:/>|>.*?</(?:\w+:)?UUID>)", re.DOTALL)


@contextmanager
def opened_described(path: Path) -> Iterator[tifffile.TiffFile]:
    """A TIFF with its OME description, wherever that is; raises `InputError` where it cannot be found."""
    file, description = _described(path)
    with opened(file, omexml=description) as tif:
        yield tif


def is_companion(path: Path) -> bool:
    """Whether a file is the description of an OME-TIFF in other files, and no TIFF."""
    with path.open("rb") as file:
        start = file.read(4096).lstrip(b"\xef\xbb\xbf \r\n")
    return start.startswith(b"<") and re.search(rb"<(\w+:)?OME\b", start) is not None


def files_described(path: Path) -> tuple[Path, ...]:
    """The files that the description of an OME-TIFF names, beside it; none where it has no description."""
    return tuple(path.parent / name for name in dict.fromkeys(NAMED.findall(_description(path))))


def _described(path: Path) -> tuple[Path, str | None]:
    """The file to open, and its description where it is not its own."""
    if is_companion(path):
        return _of_companion(path)
    description = _description(path)
    elsewhere = BINARY_ONLY.search(description)
    if elsewhere:
        companion = path.parent / elsewhere[1]
        if not companion.is_file():
            raise InputError(
                f"{path} is one file of an OME-TIFF that is described in {companion.name}, which is not beside it. "
                "Put it there, or give a folder of slices"
            )
        return _of_companion(companion) if is_companion(companion) else (companion, None)
    names = list(dict.fromkeys(NAMED.findall(description)))
    if path.name in names or not names or any((path.parent / name).is_file() for name in names):
        return path, None
    if len(names) == 1:
        return path, UUIDS.sub("", description)  # it was renamed
    own = re.search(r'<(?:\w+:)?OME\b[^>]*\bUUID="([^"]+)"', description)
    if own and description.count(own[1]) > len(names):
        return path, None
    listed = ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
    raise InputError(
        f"{path} is one of {len(names)} files of an OME-TIFF, {listed} by its metadata, and none of that name is "
        "beside it. Put them into one folder under these names"
    )


def _of_companion(path: Path) -> tuple[Path, str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    names = list(dict.fromkeys(NAMED.findall(text)))
    files = [path.parent / name for name in names]
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        listed = ", ".join(missing[:LISTED]) + (", ..." if len(missing) > LISTED else "")
        raise InputError(
            f"{path} describes an OME-TIFF of {len(files)} files, of which {len(missing)} are not beside it"
            f"{': ' if listed else ''}{listed}. Put them there under these names"
        )
    return files[0], text


def _description(path: Path) -> str:
    with opened(path, is_ome=False) as tif:
        text = tif.pages.first.aspage().description if len(tif.pages) else ""
    return text if "<OME" in text[:4096] or ":OME" in text[:4096] else ""
