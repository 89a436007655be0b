"""The rates of a machine as `volumetric bench` has written them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.bench import assign, ingest, link, network, read, register
from pipelines.bench.run import machine
from volumetric.errors import InputError
from volumetric.storage.atomic import read_json
from volumetric.version import __version__

LEAST_S = 0.05
"""Seconds of a measurement below which it is doubted."""


@dataclass(frozen=True)
class Line:
    """Seconds that grow evenly with an amount of work."""

    start_s: float
    per_unit_s: float

    def __call__(self, work: float) -> float:
        return self.start_s + self.per_unit_s * work


@dataclass(frozen=True)
class Rates:
    """What a machine does in a second with `workers` at work.

    Args:
        workers: tasks at once while it was measured.
        device: where the network ran, `cpu` or `cuda` (one GPU).
        ingest, decode, forward, peaks: Mvoxel.
        files: MB of stored files.
        stored: MB of stored files that a Mvoxel takes.
        link: thousand peaks.
        assign: thousand cells.
        ants: seconds by Mvoxel of the template that ANTs sees.
        refined: seconds of all else that registers, by Mvoxel of the atlas.
    """

    workers: int
    device: str
    ingest: float
    files: float
    stored: float
    decode: float
    forward: float
    peaks: float
    link: float
    assign: float
    ants: Line
    refined: float


@dataclass(frozen=True)
class Bench:
    """A `bench.json`: its rates, where they are from, and why they may not hold here."""

    rates: Rates
    origin: str
    warnings: tuple[str, ...]


def read_rates(path: Path) -> Bench:
    """The rates of a file; raises `InputError` where there is none, or it lacks a stage."""
    if not path.is_file():
        raise InputError(
            f"there are no rates at {path}: run `volumetric bench --out {path}` on the machine that will do the work, "
            "or name its figures with --rates"
        )
    try:
        record = read_json(path)
        rows = {(row["stage"], row["what"]): row for row in record["results"]}
        rates = _rates(record["data"], rows)
        at, version = record["machine"], record["version"]["volumetric"]
        gpu = f", {record['data']['gpu']}" if record["data"]["gpu"] else ""
        origin = f"{at['cpu']}, {at['cores']} cores{gpu}, on {record['date']}, with {rates.workers} at work"
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        lacking = f", there is no {error.args[0]!r}" if isinstance(error, KeyError) else ""
        raise InputError(
            f"{path} does not hold the rates of all stages{lacking}: run `volumetric bench` without the name of a stage"
        ) from error
    # Of the limits the plan uses those of the disk and of ANTs, which takes seconds.
    used = {key: row for key, row in rows.items() if not key[1].startswith("limit: ") or key[1] == read.FILES}
    short = [stage for (stage, _), row in used.items() if row["seconds"] < LEAST_S]
    here, warnings = machine(), []
    if (at["cpu"], at["cores"]) != (here["cpu"], here["cores"]):
        warnings.append(
            f"the rates of {path} are those of another machine ({at['cpu']}, {at['cores']} cores) than this one "
            f"({here['cpu']}, {here['cores']} cores): what follows holds there"
        )
    if version != __version__:
        warnings.append(f"the rates of {path} are those of volumetric {version}, this is {__version__}: measure again")
    if short:
        warnings.append(
            f"{', '.join(dict.fromkeys(short))} took less than {LEAST_S:g} s in {path}: too little to tell a rate. "
            "Measure more (`volumetric bench --slices`, `--edge`)"
        )
    return Bench(rates, origin, tuple(warnings))


def _rates(data: Mapping[str, Any], rows: Mapping[tuple[str, str], Mapping[str, Any]]) -> Rates:
    def work(stage: str, what: str) -> float:
        return float(rows[stage, what]["work"])

    def seconds(stage: str, what: str) -> float:
        return float(rows[stage, what]["seconds"])

    def per_second(stage: str, what: str) -> float:
        return work(stage, what) / seconds(stage, what)

    fine, coarse = ((work("register", what), seconds("register", what)) for what in (register.ANTS, register.SMALL))
    slope = max(0.0, (fine[1] - coarse[1]) / (fine[0] - coarse[0]))
    beside = max(0.0, seconds("register", register.OURS) - fine[1])
    return Rates(
        workers=int(data["workers"]),
        device=str(data["device"]),
        ingest=per_second("ingest", ingest.OURS),
        files=per_second("read", read.FILES),
        stored=work("read", read.FILES) / work("decode", read.WARM),
        decode=per_second("decode", read.WARM),
        forward=per_second("forward", network.FORWARD),
        peaks=per_second("peaks", network.BLOCKS),
        link=per_second("link", link.OURS),
        assign=per_second("assign", assign.OURS),
        ants=Line(max(0.0, fine[1] - slope * fine[0]), slope),
        refined=beside / fine[0],
    )
