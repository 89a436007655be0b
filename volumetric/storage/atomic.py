"""Files that are whole or absent, whatever kills the process."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PARTIAL = ".partial"
"""Ending of what is not finished; such files are never read as results."""

_writer = ""


def name_writer(name: str) -> None:
    """Put a name into the temporaries of this process, which may not be the only one at work on the same file.

    A worker that was given up may still live, and write what another was told to do in its stead: each then moves a
    whole file of its own into place. What a kill leaves behind stays beside it, unread.
    """
    global _writer  # noqa: PLW0603 - a process has one name, said once
    _writer = f".{name}"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; it takes the place of `path` when the block ends without an error.

    The temporary may become a file or a folder; what an error leaves behind is removed. Its name is always the same in
    processes without a name (`name_writer`), so what a kill leaves behind is replaced by the next attempt.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}{_writer}{PARTIAL}")
    remove(temporary)
    try:
        yield temporary
        if temporary.is_dir() and path.is_dir():
            remove(path)
        os.replace(temporary, path)
    finally:
        remove(temporary)


def remove(path: Path) -> None:
    """Delete a file or a folder; nothing happens where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - JSON has no narrower type
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON has no narrower type
    """The value of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
