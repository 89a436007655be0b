"""Samplers of layouts by name, as commands are given them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from volumetric.errors import InputError
from volumetric.synthesis.discs import Discs
from volumetric.synthesis.fitted_layout import read_layout
from volumetric.synthesis.layout import Sampler
from volumetric.synthesis.method_layout import MethodLayout


@dataclass(frozen=True)
class Named:
    """A sampler, what it is called, and the file that it was read from, if any."""

    name: str
    sampler: Sampler
    path: Path | None = None


def named_layout(name: str) -> Named:
    """The sampler of a name: `method`, `discs` at random, or a file of `fit-layout`.

    Raises `InputError` where it is none of these, or the file cannot be used.
    """
    known: dict[str, Sampler] = {"method": MethodLayout(), "discs": Discs()}
    if name in known:
        return Named(name, known[name])
    path = Path(name)
    if not path.is_file():
        raise InputError(f"there is no layout {name!r}: expected {', '.join(known)}, or a file of `fit-layout`")
    return Named(path.name, read_layout(path), path)
