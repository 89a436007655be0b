"""What the benchmarks of consensus share: crowds drawn and made up, and how figures are kept."""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.console import Console
from rich.table import Table

from pipelines.bench.run import machine
from volumetric.crowd.clicks import Crowd, checked
from volumetric.crowd.simulate import Worker
from volumetric.storage.atomic import write_json
from volumetric.storage.provenance import versions

Floats = npt.NDArray[np.float64]
Rows = list[dict[str, Any]]

REPEAT_PX = 3.0


def cpu_s(who: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def drawn(clicks: pd.DataFrame, shown: pd.DataFrame, workers: int, draw: int) -> Crowd:
    rng = np.random.default_rng(draw)
    some = [
        pd.DataFrame({"tile": tile, "worker": rng.permutation(sorted(own["worker"]))[:workers]})
        for tile, own in shown.groupby("tile")
    ]
    kept = pd.concat(some, ignore_index=True)
    shapes = dict.fromkeys(shown["tile"].unique(), (300, 300))
    return checked(clicks.merge(kept, on=["tile", "worker"]), kept, shapes)[0]


def crowd_of(rng: np.random.Generator, number: int) -> list[Worker]:
    return [
        Worker(
            sensitivity=float(rng.beta(6, 2.5)),
            false_per_mpx=float(rng.gamma(2, 8)),
            scatter_px=float(rng.uniform(1, 2.2)),
        )
        for _ in range(number)
    ]


def options(text: str | None) -> argparse.ArgumentParser:
    """The flags of all."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser


def keep(measure: Callable[[], Rows], path: Path, peers: tuple[str, ...] = ()) -> None:
    """Measure, print one table, and write it with machine, versions and date."""
    began, before, load = time.monotonic(), cpu_s() + cpu_s(resource.RUSAGE_CHILDREN), os.getloadavg()[0]
    rows = measure()
    record = {
        "date": str(date.today()),
        "machine": machine(),
        "versions": {**versions(), **{name: metadata.version(name) for name in peers}},
        "load_before": round(load, 1),
        "load_after": round(os.getloadavg()[0], 1),
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(cpu_s() + cpu_s(resource.RUSAGE_CHILDREN) - before, 1),
        "results": rows,
    }
    show(path.stem, rows)
    write_json(path, record)


def show(part: str, rows: Rows) -> None:
    table = Table(title=part)
    for name in rows[0]:
        table.add_column(name.replace("_", " "))
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console(width=200).print(table)
