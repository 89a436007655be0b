"""Numbers as people read them, and the small tables of the page: quality, stages, settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NONE = "–"


@dataclass(frozen=True)
class Verdict:
    """A measured number of the registration, in plain words; `grade` is good, fair, poor or unknown."""

    name: str
    value: str
    grade: str
    words: str


def whole(value: float | None) -> str:
    """A count with thousands separated; a dash where it is not known."""
    return NONE if value is None or not math.isfinite(value) else f"{value:,.0f}"


def decimal(value: float | None, digits: int = 3) -> str:
    """A number with a few significant digits and no exponent where people would not write one."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    if abs(value) < 1e-4:
        return f"{value:.1e}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def percent(share: float | None) -> str:
    """A share as per cent."""
    return NONE if share is None or not math.isfinite(share) else f"{100 * share:.0f} %"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them: 4.2 s, 3 min 04 s, 2 h 10 min."""
    if seconds is None or not math.isfinite(seconds):
        return NONE
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(number: float | None) -> str:
    """Bytes in decimal units."""
    if number is None or not math.isfinite(number):
        return NONE
    value, units = float(number), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.3g} {units[0]}"


def verdicts(quality: Mapping[str, Any], resolution_um: Sequence[float] | None) -> list[Verdict]:
    """What the registration's numbers mean, by thresholds that suit whole brains on the Allen atlas.

    `resolution_um` is the atlas', which the inverse consistency is compared with.
    """
    voxel = max(resolution_um) if resolution_um else 50.0
    return [
        _graded(
            "Similarity to the template (correlation inside the brain)",
            quality.get("ncc_in_mask"),
            (0.7, 0.5),
            ("brain and atlas show the same structures", "look at the borders below", "the borders may be wrong"),
        ),
        _graded(
            "Overlap of the brain with the atlas (Dice)",
            quality.get("mask_dice"),
            (0.94, 0.88),
            ("the outlines agree", "parts of the outline differ: missing or torn tissue?", "the outlines disagree"),
        ),
        _graded(
            "Folded voxels",
            _negated(quality.get("folding_fraction")),
            (-1e-5, -1e-3),
            ("no tissue is turned inside out", "a few places are folded", "the warp is folded: do not trust it"),
            share=True,
        ),
        _graded(
            "There-and-back error",
            _negated(quality.get("inverse_consistency_um")),
            (-0.5 * voxel, -voxel),
            ("well below an atlas voxel", "up to an atlas voxel", "more than an atlas voxel"),
            unit=" µm",
        ),
        _orientation(quality.get("orientation_checked"), quality.get("left_right_checked")),
    ]


def stage_rows(stages: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Name, time, tasks, read, written, peak memory and rate of every stage, as text."""
    return [
        (
            name,
            duration(stage.get("seconds")),
            whole(stage.get("tasks")),
            size(stage.get("bytes_read")),
            size(stage.get("bytes_written")),
            size(stage.get("peak_memory_bytes")),
            NONE if stage.get("rate") is None else f"{decimal(stage['rate'])} MB/s",
        )
        for name, stage in stages.items()
    ]


def flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as lines of `a.b.c` and a value."""
    lines: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += flatten(value, f"{prefix}{key}.")
        elif isinstance(value, (list, tuple)):
            lines.append((f"{prefix}{key}", " ".join(str(item) for item in value)))
        else:
            lines.append((f"{prefix}{key}", NONE if value is None else str(value)))
    return lines


def _graded(
    name: str,
    value: float | None,
    limits: tuple[float, float],
    words: tuple[str, str, str],
    *,
    unit: str = "",
    share: bool = False,
) -> Verdict:
    """Good from the first limit on, fair from the second; larger is better."""
    if value is None or not math.isfinite(value):
        return Verdict(name, NONE, "unknown", "not measured")
    rank = 0 if value >= limits[0] else 1 if value >= limits[1] else 2
    text = f"{decimal(100 * abs(value))} %" if share else f"{decimal(abs(value) if limits[0] < 0 else value)}{unit}"
    return Verdict(name, text, ("good", "fair", "poor")[rank], words[rank])


def _negated(value: float | None) -> float | None:
    return None if value is None else -value


def _orientation(checked: object, sides: object) -> Verdict:
    name = "Orientation"
    if checked is None:
        return Verdict(name, NONE, "unknown", "not measured")
    if checked:
        unseen = "" if sides is None or sides else "; this atlas cannot tell left from right"
        return Verdict(name, "confirmed", "good", f"no other orientation fits better than the one given{unseen}")
    return Verdict(name, "not confirmed", "poor", "another orientation fits better: every region may be wrong")
