"""Samplers of layouts by name, as commands are given them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from volumetric.errors import InputError
from volumetric.synthesis.discs import Discs
from volumetric.synthesis.layout import Sampler


@dataclass(frozen=True)
class Named:
    """A sampler, what it is called, and the file that it was read from, if any."""

    name: str
    sampler: Sampler
    path: Path | None = None


def named_layout(name: str) -> Named:
    """The sampler of a name; raises `InputError` for another name."""
    if name == "discs":
        return Named(name, Discs())
    raise InputError(f"there is no layout {name!r}: expected discs")
