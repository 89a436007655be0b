"""Numbers as people read them, and the small tables of the page: quality, stages, settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from volumetric.findings import Grade
from volumetric.registration.quality import Figures, grades

NONE = "–"

NAMES = {
    "ncc_in_mask": (
        "Similarity to the template (correlation inside the brain)",
        "brain and atlas show the same structures",
        "hardly any: another stain, or borders that are wrong",
        "none",
    ),
    "mask_dice": (
        "Overlap of the tissue with the atlas (Dice)",
        "the outlines agree",
        "parts of the outline differ: missing or torn tissue?",
        "the outlines disagree",
    ),
    "folding_fraction": (
        "Folded voxels",
        "no tissue is turned inside out",
        "a few places are folded",
        "the warp is folded: do not trust it",
    ),
    "inverse_consistency_um": (
        "There-and-back error",
        "well below an atlas voxel",
        "more than half an atlas voxel",
        "more than two atlas voxels",
    ),
}
"""Of each figure: what it is, and what it means where it is good, doubtful and unusable."""


@dataclass(frozen=True)
class Figure:
    """A measured number of the registration, in plain words; `grade` is a `Grade` or "unknown"."""

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


def figures(quality: Mapping[str, Any], resolution_um: Sequence[float] | None) -> list[Figure]:
    """What the registration's numbers mean, by the limits that the verdict is made with.

    Args:
        quality: of the registration.
        resolution_um: of the atlas, which the inverse consistency is compared with.
    """
    measured = {name: math.nan if quality.get(name) is None else float(quality[name]) for name in NAMES}
    found = grades(Figures(**measured), min(resolution_um) if resolution_um else 50.0)
    values = {
        "ncc_in_mask": decimal(measured["ncc_in_mask"]),
        "mask_dice": decimal(measured["mask_dice"]),
        "folding_fraction": f"{decimal(100 * measured['folding_fraction'])} %",
        "inverse_consistency_um": f"{decimal(measured['inverse_consistency_um'])} µm",
    }
    rows = []
    for key, (name, *words) in NAMES.items():
        grade = found[key]
        if grade is None:
            rows.append(Figure(name, NONE, "unknown", "not measured"))
        else:
            rows.append(Figure(name, values[key], grade.value, words[grade.rank]))
    return [*rows, _orientation(quality.get("orientation_checked"), quality.get("left_right_checked"))]


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


def _orientation(checked: object, sides: object) -> Figure:
    name = "Orientation"
    if checked is None:
        return Figure(name, NONE, "unknown", "not measured")
    if checked:
        unseen = "" if sides is None or sides else "; this atlas cannot tell left from right"
        return Figure(
            name, "confirmed", Grade.GOOD.value, f"no other orientation fits better than the one given{unseen}"
        )
    return Figure(name, "not confirmed", Grade.DOUBTFUL.value, "if it is wrong, every region is: see the reasons above")
