"""Channels of one brain beside one another: as many slices in each, at the same places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from volumetric.errors import InputError
from volumetric.storage.sources.numbering import Numbering, number_slices

LISTED = 5


class Channels(dict[str, Numbering]):
    """The slices of each channel."""

    @property
    def text(self) -> str:
        """What there is, for people."""
        if len(self) == 1:
            return next(iter(self.values())).text
        return "; ".join(f"{name}: {numbering.text}" for name, numbering in self.items())

    @property
    def doubts(self) -> tuple[str, ...]:
        """What is to be looked at, each once."""
        found = [doubt for numbering in self.values() for doubt in numbering.doubts]
        return tuple(dict.fromkeys([*found, *_shifted(self)]))


def aligned(folders: Mapping[str, Sequence[Path]]) -> Channels:
    """The files of each channel in order; raises `InputError` that names the folder whose slices are missing."""
    channels = Channels({name: number_slices(files) for name, files in folders.items()})
    counts = {name: len(numbering.files) for name, numbering in channels.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise InputError(f"the channels do not have the same number of slices: {told}. {_missing(channels)}")
    return channels


def _missing(channels: Channels) -> str:
    """Which folder lacks which slices, as far as the numbers in the names tell."""
    longest = max(channels.values(), key=lambda numbering: len(numbering.files))
    lines = []
    for numbering in channels.values():
        folder = numbering.files[0].parent
        known = set(numbering.keys)
        lacking = [file.name for file, key in zip(longest.files, longest.keys, strict=False) if key not in known]
        if len(numbering.files) < len(longest.files):
            told = ", ".join(lacking[:LISTED]) + (" and more" if len(lacking) > LISTED else "")
            fits = known and len(lacking) == len(longest.files) - len(numbering.files)
            lines.append(
                f"{folder} lacks what {longest.files[0].parent} has as {told}" if fits else f"{folder} has too few"
            )
    return "; ".join(lines) + ". Add the missing slices, or give one folder alone"


def _shifted(channels: Channels) -> list[str]:
    """Says so where channels are numbered differently: a slice of one may lie beside another slice of the other."""
    ranges = {name: (n.keys[0], n.keys[-1]) for name, n in channels.items() if n.keys}
    if len(set(ranges.values())) < 2:
        return []
    told = ", ".join(f"{name} {_written(low)} to {_written(high)}" for name, (low, high) in ranges.items())
    return [
        f"the slices of the channels are numbered differently ({told}): they are taken as the same places, in order"
    ]


def _written(key: tuple[int, ...]) -> str:
    return "/".join(map(str, key))
