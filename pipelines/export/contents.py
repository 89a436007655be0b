"""What an export will write, known before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Contents:
    """The files of one target.

    Args:
        files: their names in the folder.
        size_bytes: about what they take.
        memory_bytes: about what writing them takes.
        outside: what becomes of the cells outside the atlas.
        readme: how to open the files; what their numbers are.
        write: puts the files into a folder that is there and empty.
    """

    files: tuple[str, ...]
    size_bytes: int
    memory_bytes: int
    outside: str
    readme: tuple[str, str]
    write: Callable[[Path], None]
