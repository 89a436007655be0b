"""Whether results can be put where they are wanted, found out before hours of work."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from volumetric.errors import OutputError

WAY_OUT = "Choose another --out, or make it writable"


def check_writable(folder: Path) -> None:
    """Raise `OutputError` where files cannot be made in a folder, which is there or will be made.

    The file system is asked by making a file without a name there: rights alone do not tell of a disk that is mounted
    read-only, of a full one, or of a user who may do everything.
    """
    try:
        place = next(p for p in (folder, *folder.absolute().parents) if os.path.lexists(p))
        if place.is_symlink() and not place.exists():
            raise OutputError(f"{place} is a link to what is not there, so nothing can be written to it. {WAY_OUT}")
        if not place.is_dir():
            raise OutputError(f"{place} is a file, so nothing can be written below it: a folder is needed. {WAY_OUT}")
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise OutputError(f"nothing can be written to {place}: {error.strerror or error}. {WAY_OUT}") from error
