"""The bench command: make data, measure, print, write `bench.json`."""

from __future__ import annotations

import os
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import psutil
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from pipelines.bench import ingest
from pipelines.bench.measure import Measured, measure
from pipelines.config import Resources, Settings
from volumetric.blocks.plan import megabytes
from volumetric.errors import InputError
from volumetric.storage.atomic import write_json
from volumetric.storage.provenance import versions
from volumetric.storage.sources import open_source


class Config(Settings):
    """What is measured."""

    stage: Literal["ingest"] = "ingest"
    slices: int = 128
    edge: int = 2048
    repeats: int = 3
    peers: bool = True


def run_bench(config: Config, source: Path | None, out: Path, resources: Resources, console: Console) -> dict[str, Any]:
    """Measure a stage; `source` is a folder of slices, made for the purpose where there is none."""
    if config.slices < 1 or config.edge < 256 or config.repeats < 1:
        raise InputError("expected at least one slice, 256 pixels and one repeat")
    with tempfile.TemporaryDirectory(prefix="volumetric-bench-", dir=out.absolute().parent) as folder:
        if source is None:
            source = Path(folder) / "slices"
            with console.status(f"making {config.slices} slices of {config.edge} x {config.edge} pixels"):
                ingest.write_tissue(source, config.slices, config.edge)
        images = open_source(source)
        gigabytes = images.shape[0] * images.shape[1] * images.shape[2] * 2 / 1e9
        found = _measure_all(ingest.Case(source, Path(folder), resources.workers), config, console)
    record = {
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "version": versions(),
        "data": {"shape": list(images.shape), "gigabytes": round(gigabytes, 3), "workers": resources.workers},
        "results": _results(found, gigabytes),
    }
    write_json(out, record)
    _print(record, console)
    console.print(f"wrote {out}", highlight=False)
    return record


def _measure_all(case: ingest.Case, config: Config, console: Console) -> dict[str, list[Measured]]:
    """Every method several times, one after another in turn, so that a slow moment meets them all."""
    chosen = {n: m for n, m in ingest.methods().items() if config.peers or n not in {ingest.DASK, ingest.OME_ZARR_PY}}
    found: dict[str, list[Measured]] = {name: [] for name in chosen}
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("measuring", total=config.repeats * len(chosen))
        for _ in range(config.repeats):
            for name, method in chosen.items():
                found[name].append(measure(method(case)))
                case.clear()
                progress.advance(task)
    return found


def _results(found: dict[str, list[Measured]], gigabytes: float) -> list[dict[str, Any]]:
    """The least CPU of all repeats: what disturbs a run only adds to it."""
    limit = min(m.cpu_s for m in found[ingest.LIMIT]) / gigabytes
    return [
        {
            "stage": "ingest",
            "what": name,
            "rate": round(min(m.cpu_s for m in runs) / gigabytes, 3),
            "unit": "CPU s/GB",
            "limit": round(limit, 3),
            "ratio": round(min(m.cpu_s for m in runs) / gigabytes / limit, 3),
            "megabytes_per_second": round(max(gigabytes * 1e3 / m.wall_s for m in runs)),
            "peak_memory_bytes": max(m.peak_bytes for m in runs),
        }
        for name, runs in found.items()
    ]


def _print(record: dict[str, Any], console: Console) -> None:
    data = record["data"]
    console.print(
        f"{data['gigabytes']} GB in slices of {data['shape'][1]} x {data['shape'][2]}, {data['workers']} workers, "
        f"{record['machine']['cpu']}",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("what", "CPU s/GB", "ratio to limit", "best MB/s", "peak memory over base"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for row in record["results"]:
        table.add_row(
            row["what"],
            f"{row['rate']:.2f}",
            f"{row['ratio']:.2f}",
            str(row["megabytes_per_second"]),
            megabytes(row["peak_memory_bytes"]),
        )
    console.print(table)


def machine() -> dict[str, Any]:
    """Processor, cores and memory of this machine."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {"cpu": model, "cores": os.cpu_count(), "memory_bytes": psutil.virtual_memory().total}
