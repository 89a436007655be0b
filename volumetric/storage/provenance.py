"""What a result was made from: identities of inputs, versions of software."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from volumetric.version import __version__

RECORDED = ("antspyx", "brainglobe-atlasapi", "dask", "numpy", "pandas", "scipy", "tifffile", "torch", "zarr")


def digest(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """SHA-256 of a JSON value, independent of the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def files_identity(paths: Iterable[Path]) -> str:
    """A digest of names, sizes and times of files: changes when any of them is replaced."""
    facts = []
    for path in paths:
        stat = path.stat()
        facts.append((path.name, stat.st_size, stat.st_mtime_ns))
    return digest(facts)


def folder_identity(folder: Path) -> str:
    """A digest of names, sizes and times of all files below a folder."""
    facts = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        stat = path.stat()
        facts.append((str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns))
    return digest(facts)


def versions() -> dict[str, str]:
    """Versions of this package, Python, the platform and the libraries whose numbers matter."""
    found = {"volumetric": __version__, "python": platform.python_version()}
    found.update({name: metadata.version(name) for name in RECORDED})
    found["platform"] = platform.platform()
    return found


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """One line per leaf that differs between two nested mappings, for example `config.block: 16 -> 32`."""
    lines: list[str] = []
    for key in sorted({*old, *new}):
        before, after = (json.loads(json.dumps(side.get(key), default=str)) for side in (old, new))  # lists, not tuples
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            lines.append(f"{prefix}{key}: {before!r} -> {after!r}")
    return lines
