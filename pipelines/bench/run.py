"""The bench command: make data, measure, print, write `bench.json`."""

from __future__ import annotations

import math
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import psutil
from pydantic import Field
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from pipelines.bench.detect import Detect
from pipelines.bench.ingest import VOXEL_UM, Ingest, write_tissue
from pipelines.bench.measure import Measured, Method, measure
from pipelines.config import Resources, Settings
from volumetric.blocks.plan import megabytes
from volumetric.geometry.box import Index3
from volumetric.geometry.space import Um3
from volumetric.storage.atomic import write_json
from volumetric.storage.provenance import versions


class Config(Settings):
    """What is measured."""

    stage: Literal["ingest", "detect"] = "ingest"
    slices: int = Field(default=128, ge=1)
    edge: int = Field(default=2048, ge=256)
    voxel_um: Um3 = VOXEL_UM
    repeats: int = Field(default=3, ge=1)
    peers: bool = True


class Stage(Protocol):
    """What a benchmark of a stage knows."""

    unit: str
    peers: frozenset[str]
    shape: Index3

    def methods(self) -> Mapping[str, Method]: ...

    def rate(self, runs: Sequence[Measured]) -> float: ...


def run_bench(config: Config, source: Path | None, out: Path, resources: Resources, console: Console) -> dict[str, Any]:
    """Measure a stage; `source` holds slices, made for the purpose where there is none."""
    with tempfile.TemporaryDirectory(prefix="volumetric-bench-", dir=out.absolute().parent) as name:
        folder = Path(name)
        if source is None:
            source = folder / "slices"
            with console.status(f"making {config.slices} slices of {config.edge} x {config.edge} pixels"):
                write_tissue(source, config.slices, config.edge)
        stage: Stage
        if config.stage == "ingest":
            stage = Ingest(source, folder, resources.workers)
        else:
            stage = Detect(source, folder, resources, config.voxel_um)
        found = _measure_all(stage, config, console)
    record = {
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "version": versions(),
        "data": {"shape": list(stage.shape), "workers": resources.workers},
        "results": _results(config.stage, stage, found),
    }
    write_json(out, record)
    _print(record, stage.unit, console)
    console.print(f"wrote {out}", highlight=False)
    return record


def _measure_all(stage: Stage, config: Config, console: Console) -> dict[str, list[Measured]]:
    """Every method several times, one after another in turn, so that a slow moment meets them all."""
    chosen = {n: m for n, m in stage.methods().items() if config.peers or n not in stage.peers}
    found: dict[str, list[Measured]] = {name: [] for name in chosen}
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("measuring", total=config.repeats * len(chosen))
        for _ in range(config.repeats):
            for name, method in chosen.items():
                found[name].append(measure(method))
                method.case.clear()
                progress.advance(task)
    return found


def _results(name: str, stage: Stage, found: dict[str, list[Measured]]) -> list[dict[str, Any]]:
    limit = stage.rate(next(iter(found.values())))
    voxels = math.prod(stage.shape)
    return [
        {
            "stage": name,
            "what": what,
            "rate": round(stage.rate(runs), 3),
            "unit": stage.unit,
            "limit": round(limit, 3),
            "ratio": round(stage.rate(runs) / limit, 3),
            "megavoxels_per_second": round(max(voxels / 1e6 / m.wall_s for m in runs), 2),
            "peak_memory_bytes": max(m.peak_bytes for m in runs),
        }
        for what, runs in found.items()
    ]


def _print(record: dict[str, Any], unit: str, console: Console) -> None:
    slices, height, width = record["data"]["shape"]
    console.print(
        f"{slices} slices of {height} x {width}, {record['data']['workers']} workers, {record['machine']['cpu']}",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("what", unit, "ratio to limit", "best Mvoxel/s", "peak memory over base"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for row in record["results"]:
        table.add_row(
            row["what"],
            f"{row['rate']:.2f}",
            f"{row['ratio']:.2f}",
            f"{row['megavoxels_per_second']:.1f}",
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
