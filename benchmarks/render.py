"""All measurements on one page: benchmarks/RESULTS.md, made from benchmarks/README.md and benchmarks/results/*.json.

python benchmarks/render.py

The table of README.md says which questions there are, in which order, and which file answers each. A question whose
file is not there is not measured. Files differ in shape: `SHOWN` says which of their figures make a table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TITLE = """# Results

Made by `python benchmarks/render.py` from `results/`; [what each measurement is, and what it means](README.md).
Figures of detectors with brackets are means with the least and the largest of the seeds.
"""
NONE = "not measured"
HEAD = ("date", "machine", "version", "versions", "note", "question")
"""Keys that say how a file came about; they stand above its tables."""


@dataclass(frozen=True)
class Shown:
    """A table of a result file.

    Args:
        path: keys down to the records: a list of them, or a dictionary by name; a lone record is a row by itself.
        title: above the table, where a file has several.
        columns: of the records, inner ones as `tests welch power`, with `: heading` where they get one; by default all.
        where: the only records to show.
        names: of a dictionary, the only entries that are records.
    """

    path: str = ""
    title: str = ""
    columns: tuple[str, ...] = ()
    where: Mapping[str, object] = field(default_factory=dict)
    names: tuple[str, ...] = ()


_DETECTOR = ("f1", "ap", "f1_best_possible", "f1_of_the_rest", "f1_of_the_rest_calibrated", "ece", "ece_calibrated")
_BRAIN_LEFT_OUT = (
    Shown("summary brains", "brains left out", ("name", *_DETECTOR)),
    Shown("summary macro", "mean of the brains", _DETECTOR),
    Shown("baselines", "blob detectors"),
)
_LAYOUTS = ("fitted", "with uncertainty", "method")
_TESTS = ("negative_binomial", "welch", "mann_whitney")

SHOWN: Mapping[str, tuple[Shown, ...]] = {
    "consensus_real": (Shown("results", "900 planted spots, within 5 px", where={"tolerance_px": 5.0}),),
    "detector_early_stopping": _BRAIN_LEFT_OUT,
    "detector_leave_one_brain_out": _BRAIN_LEFT_OUT,
    "detector_self_training": _BRAIN_LEFT_OUT,
    "end_to_end": (
        Shown("results score", "found against true"),
        Shown("results stages", "stages"),
    ),
    "layouts": (
        Shown(
            "rows held_out",
            columns=(
                *("every", "brain", "cells", "pairs"),
                *(f"models {model} p: {model}, p" for model in _LAYOUTS),
                *(f"models {model} inside: {model}, inside" for model in _LAYOUTS),
            ),
        ),
    ),
    "memory_against_size": (
        Shown("peaks", "peak memory by size of the volume, in given blocks and in those it chooses"),
        Shown("growth", "growth from the smallest to the largest volume, in given blocks"),
    ),
    "registration": (
        Shown("real_200um", "a real brain, 200 um"),
        Shown("warps_200um", "known warps, 200 um"),
        Shown("real_50um", "a real brain, 50 um"),
        Shown("warps_50um", "known warps, 50 um"),
    ),
    "scaling": (
        Shown("results strong", "the same work for more workers; efficiency is the speed a worker beside one thread"),
        Shown("results weak", "as much more work as workers; efficiency is the time of one worker beside it"),
        Shown("results blocks", "detection in blocks of one size"),
    ),
    "scheduling": (
        Shown("results second", "tasks of a second", names=("threads", "local")),
        Shown("results many", "28,700 short tasks", names=("threads", "local")),
        Shown("results killed", "a worker killed every ten seconds"),
    ),
    "statistics_of_uneven_brains": (
        Shown(
            "settings",
            columns=(
                *("name", "setting n_regions: regions", "setting per_group: brains a group"),
                *(f"tests {test} any_discovery: {test}, studies with any" for test in _TESTS),
                *(f"tests {test} any_discovery_bound: {test}, at most" for test in _TESTS),
            ),
        ),
    ),
    "statistics_under_the_null": (
        Shown(
            "settings",
            columns=(
                *("name", "setting n_regions: regions", "setting per_group: brains a group"),
                *(f"tests {test} any_discovery_bound: {test}, false alarms at most" for test in _TESTS),
                *(f"tests {test} power: {test}, power" for test in _TESTS),
            ),
        ),
    ),
}
"""What is shown of which file; of others all records below `results`, or the file as one record."""


@dataclass(frozen=True)
class Question:
    """A row of the table in README.md."""

    command: str
    text: str
    result: str | None


def main() -> None:
    (HERE / "RESULTS.md").write_text(render(HERE), encoding="utf-8")


def render(folder: Path) -> str:
    """The page; raises `ValueError` for a result that no question of README.md names."""
    questions = read_questions(folder / "README.md")
    results = {path.stem for path in (folder / "results").glob("*.json")}
    unknown = sorted(results - {question.result for question in questions})
    if unknown:
        raise ValueError(f"README.md has no question for the results {', '.join(unknown)}")
    parts = [TITLE]
    for question in questions:
        parts.append(f"## {question.text[0].upper()}{question.text[1:]}\n")
        parts.append(f"{question.command}\n")
        if question.result in results:
            content = json.loads((folder / "results" / f"{question.result}.json").read_text(encoding="utf-8"))
            parts += answer(question.result or "", content)
        else:
            parts.append(f"**{NONE}**\n")
    return "\n".join(parts)


def read_questions(readme: Path) -> list[Question]:
    """The rows of its first table: how to run, the question, the result."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", readme.read_text(encoding="utf-8"), re.MULTILINE)
    found = []
    for command, text, result in rows[1:]:
        named = re.findall(r"results/(\w+)\.json", result)
        if not named and not result.startswith(NONE):
            break  # the next table
        found.append(Question(command, text, named[0] if named else None))
    return found


def answer(name: str, content: Mapping[str, Any]) -> Iterator[str]:
    """When, where and with what it was measured, and the tables."""
    yield f"{_how(content)}\n"
    usual = Shown("results") if "results" in content else Shown()
    for shown in SHOWN.get(name, (usual,)):
        if shown.title:
            yield f"{shown.title[0].upper()}{shown.title[1:]}:\n"
        yield table(
            [flat for record in records(content, shown.path.split(), shown.names) if (flat := flattened(record))], shown
        )
    if "note" in content:
        yield f"{content['note'][0].upper()}{content['note'][1:]}.\n"


def records(value: Any, path: list[str], names: Iterable[str] = ()) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """The records at the end of a path; those of lists on the way bring the single values beside them."""
    if path and isinstance(value, list):
        for outer in value:
            beside = {key: item for key, item in outer.items() if not isinstance(item, list | dict)}
            yield from ({**beside, **inner} for inner in records(outer, path, names))
    elif path:
        yield from records(value[path[0]], path[1:], names)
    elif isinstance(value, list):
        yield from value
    elif names or (value and all(isinstance(item, dict) for item in value.values())):
        yield from ({"name": name, **value[name]} for name in names or value)
    else:
        yield {key: item for key, item in value.items() if key not in HEAD}


def flattened(record: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A record without dictionaries inside: `{"a": {"b": 1}}` is `{"a b": 1}`."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        flat |= flattened(value, f"{before}{key} ") if isinstance(value, dict) else {f"{before}{key}": value}
    return flat


def table(rows: list[dict[str, Any]], shown: Shown) -> str:
    """Markdown: columns in the order of the records."""
    kept = [row for row in rows if all(row.get(key) == value for key, value in shown.where.items())]
    columns = shown.columns or tuple(dict.fromkeys(key for row in kept for key in row if key not in shown.where))
    keys, headings = zip(*(heading(column) for column in columns), strict=True)
    lines: list[Iterable[str]] = [headings, ["---"] * len(keys)]
    lines += [
        [written(row.get(key), in_megabytes="bytes" in f"{shown.path}_{key}".split("_")) for key in keys]
        for row in kept
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def heading(column: str) -> tuple[str, str]:
    """The key of a column, and its name in words."""
    key, _, own = column.partition(": ")
    words = (own or key).replace("_", " ")
    return key, "" if key == "name" else re.sub(r"\b(bytes|mb)\b", "MB", words)


def written(value: object, *, in_megabytes: bool = False) -> str:
    """A figure as people read it: four digits that count; three of one kind are a mean and its range."""
    if value is None:
        return "–"
    if isinstance(value, list):
        texts = [written(item) for item in value]
        if len(value) == 3 and all(isinstance(item, float) for item in value):
            return texts[0] if len(set(texts)) == 1 else f"{texts[0]} ({texts[1]} to {texts[2]})"
        return " x ".join(texts)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        number = value / 1e6 if in_megabytes else value
        return f"{number:,.0f}" if number == int(number) or abs(number) >= 1000 else f"{number:.4g}"
    return str(value)


def _how(content: Mapping[str, Any]) -> str:
    """Date, machine and version; of a file in parts, those of the parts."""
    if "date" not in content:
        return "; ".join(dict.fromkeys(_how(part) for part in content.values()))
    machine = content["machine"]
    if isinstance(machine, dict):
        size = f"{machine['memory_bytes'] / 2**30:.0f} GiB" if "memory_bytes" in machine else ""
        machine = ", ".join(
            filter(
                None,
                (machine.get("gpu"), machine["cpu"], f"{machine['cores']} core{'s' * (machine['cores'] != 1)}", size),
            )
        )
    versions = content.get("versions") or content.get("version") or {}
    told = [f"{name} {versions[name]}" for name in ("volumetric", "python", "torch", "zarr") if name in versions]
    return ". ".join(filter(None, (content["date"], machine, ", ".join(told))))


if __name__ == "__main__":
    main()
