"""What a result was made from: identities of inputs, versions of software."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

from volumetric.version import __version__

LARGEST, BLOCK = 2**28, 2**15
"""Bytes that are read to know inputs again, at most, and of each block: seconds, where the images take hours."""

FILES, FILE_BLOCKS = 2**12, 2**10
"""Most files that are opened, and most blocks of one: each is a seek on a disk that turns."""

READERS = 16
"""Files read at once: a network disk answers many questions in the time of one."""

GOLDEN = 0.6180339887498949

RECORDED = ("antspyx", "brainglobe-atlasapi", "dask", "numpy", "pandas", "scipy", "tifffile", "torch", "zarr")


def digest(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """SHA-256 of a JSON value, independent of the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def files_identity(paths: Iterable[Path]) -> str:
    """A digest of what files hold, in order: the same wherever they lie and whatever they and their folders are called.

    Up to `LARGEST` bytes all is read; of more the sizes, and blocks all over the files (`_blocks`).
    """
    return digest(_contents(list(paths)))


def folder_identity(folder: Path) -> str:
    """A digest of the names below a folder, and of what these files hold as in `files_identity`."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and not _is_stray(p.name))
    return digest([[p.relative_to(folder).as_posix() for p in paths], _contents(paths)])


def _is_stray(name: str) -> bool:
    """What systems put beside the files of a folder that is looked at or copied."""
    return name in {".DS_Store", "Thumbs.db", "desktop.ini"} or name.startswith("._")


def _contents(paths: Sequence[Path]) -> list[tuple[int, str | None]]:
    """Size of each file and a digest of what was read of it; None where there are so many files that not all are."""
    sizes = [path.stat().st_size for path in paths]
    every = max(1, -(-len(paths) // FILES))
    blocks = None if sum(sizes) <= LARGEST else min(LARGEST // BLOCK // max(1, len(paths) // every), FILE_BLOCKS)

    def read(number: int) -> str | None:
        return (
            _digest_of(paths[number], sizes[number], blocks, number) if blocks is None or number % every == 0 else None
        )

    with ThreadPoolExecutor(READERS, thread_name_prefix="identity") as pool:
        return list(zip(sizes, pool.map(read, range(len(paths))), strict=True))


def _digest_of(path: Path, size: int, blocks: int | None, number: int) -> str:
    found = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        for start in (
            range(0, size, BLOCK) if blocks is None or size <= blocks * BLOCK else _blocks(size, blocks, number)
        ):
            file.seek(start)
            found.update(file.read(BLOCK))
    return found.hexdigest()


def _blocks(size: int, blocks: int, number: int) -> list[int]:
    """Where the blocks of a file begin: the first, the last, and one at some place of each equal part between them.

    The places differ from file to file, so that over neighbouring slices every part of an image is looked at.
    """
    part = (size - BLOCK) / (blocks - 1)
    between = (int((n + (number * GOLDEN + n * GOLDEN**2) % 1) * part) for n in range(blocks - 2))
    return [0, *between, size - BLOCK]


def versions() -> dict[str, str]:
    """Versions of this package, Python, the platform and the libraries whose numbers matter."""
    found = {"volumetric": __version__, "python": platform.python_version()}
    found.update({name: metadata.version(name) for name in RECORDED})
    found["platform"] = platform.platform()
    return found


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """One line per leaf that differs between two nested mappings, for example `config.block: 16 -> 32`.

    Digests tell people nothing: they are only said to differ.
    """
    lines: list[str] = []
    for key in sorted({*old, *new}):
        before, after = (json.loads(json.dumps(side.get(key), default=str)) for side in (old, new))  # lists, not tuples
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += differences(before, after, f"{prefix}{key}.")
        elif before != after and all(re.fullmatch("[0-9a-f]{64}", str(value)) for value in (before, after)):
            lines.append(f"{prefix}{key}: another one, or it was changed or copied since")
        elif before != after:
            lines.append(f"{prefix}{key}: {before!r} -> {after!r}")
    return lines
