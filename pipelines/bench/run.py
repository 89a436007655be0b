"""The bench command: make data, measure, print, write `bench.json`."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import psutil
import torch
from pydantic import Field
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from pipelines.bench import assign, detect, ingest, link, network, read, register
from pipelines.bench.material import VOXEL_UM, Material, write_tissue
from pipelines.bench.measure import Measured, Measuring, Method
from pipelines.bench.stage import Stage
from pipelines.config import Resources, Settings
from volumetric.blocks.capacity import cores
from volumetric.blocks.plan import megabytes
from volumetric.geometry.space import Um3
from volumetric.learn.device import choose_device
from volumetric.storage.atomic import write_json
from volumetric.storage.provenance import versions

Name = Literal["ingest", "read", "decode", "forward", "peaks", "link", "detect", "register", "assign"]

STAGES: dict[str, Callable[[Material], Stage]] = {
    "ingest": ingest.Ingest,
    "read": read.read,
    "decode": read.decode,
    "forward": network.forward,
    "peaks": network.peaks,
    "link": link.link,
    "detect": detect.detection,
    "register": register.register,
    "assign": assign.assign,
}


class Config(Settings):
    """What is measured: one stage with all that can do it, or, without a name, all stages of this program."""

    stage: Name | None = None
    slices: int = Field(default=32, ge=1)
    edge: int = Field(default=2048, ge=256)
    voxel_um: Um3 = VOXEL_UM
    repeats: int = Field(default=1, ge=1)
    peers: bool | None = None

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages."""
        return (self.stage,) if self.stage else get_args(Name)

    @property
    def with_peers(self) -> bool:
        """Whether other programs are measured too."""
        return self.stage is not None if self.peers is None else self.peers


def run_bench(config: Config, source: Path | None, out: Path, resources: Resources, console: Console) -> dict[str, Any]:
    """Measure; `source` holds slices, made for the purpose where there is none. Returns what `out` holds."""
    with tempfile.TemporaryDirectory(prefix="volumetric-bench-", dir=out.absolute().parent) as name:
        folder = Path(name)
        if source is None:
            source = folder / "slices"
            with console.status(f"making {config.slices} slices of {config.edge} x {config.edge} pixels"):
                write_tissue(source, config.slices, config.edge)
        material = Material(source, folder, resources, config.voxel_um)
        with console.status("making what the stages look at"):
            stages = {name: STAGES[name](material) for name in config.stages}
        found = _measure_all(stages, config, console)
        shape = material.shape
    device = choose_device(resources.device)
    record = {
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "version": versions(),
        "data": {
            "shape": list(shape),
            "workers": resources.workers,
            "device": device.type,
            "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
            "load_before": round(psutil.getloadavg()[0], 1),
        },
        "results": [row for name, stage in stages.items() for row in _results(name, stage, found)],
    }
    write_json(out, record)
    _print(record, console)
    console.print(f"wrote {out}", highlight=False)
    return record


def _chosen(stage: Stage, config: Config) -> dict[str, Method]:
    return {name: way for name, way in stage.methods().items() if config.with_peers or name not in stage.peers}


def _measure_all(stages: Mapping[str, Stage], config: Config, console: Console) -> dict[Method, list[Measured]]:
    """Every method several times, one after another in turn, so that a slow moment meets them all.

    What several stages have in common is measured once.
    """
    labels: dict[Method, tuple[str, bool]] = {}
    for name, stage in stages.items():
        for what, method in _chosen(stage, config).items():
            labels.setdefault(method, (f"{name}: {what}", stage.warms_up))
    found: dict[Method, list[Measured]] = {method: [] for method in labels}
    bar = Progress(console=console, disable=not console.is_terminal)
    with bar as progress, Measuring(fresh=config.stage is not None) as measuring:
        task = progress.add_task("measuring", total=config.repeats * len(labels))
        for _ in range(config.repeats):
            for method, (label, warms_up) in labels.items():
                progress.update(task, description=label)
                if not console.is_terminal:
                    console.print(f"measuring {label}", highlight=False)
                found[method].append(measuring.measure(method, warms_up=warms_up))
                method.case.clear()
                progress.advance(task)
    return found


def _results(name: str, stage: Stage, found: Mapping[Method, list[Measured]]) -> list[dict[str, Any]]:
    measured = {what: found[method] for what, method in stage.methods().items() if method in found}
    first = next(iter(measured))
    limit = stage.rate(first, measured[first])
    return [
        {
            "stage": name,
            "what": what,
            "rate": _figure(stage.rate(what, runs)),
            "unit": stage.unit,
            "limit": _figure(limit),
            "ratio": _figure(stage.rate(what, runs) / limit),
            "work": _figure(stage.work(what)),
            "work_unit": stage.work_unit,
            "seconds": _figure(min(run.wall_s for run in runs)),
            "cpu_seconds": _figure(min(run.cpu_s for run in runs)),
            "peak_memory_bytes": max(run.peak_bytes for run in runs),
        }
        for what, runs in measured.items()
    ]


def _figure(value: float) -> float:
    """Four digits."""
    return float(f"{value:.4g}")


def _print(record: dict[str, Any], console: Console) -> None:
    slices, height, width = record["data"]["shape"]
    console.print(
        f"{slices} slices of {height} x {width}, {record['data']['workers']} workers, {record['machine']['cpu']}",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("stage", "what", "rate", "unit", "ratio to limit", "seconds", "peak memory over base"):
        table.add_column(name, justify="left" if name in {"stage", "what", "unit"} else "right")
    for row in record["results"]:
        table.add_row(
            row["stage"],
            row["what"],
            f"{row['rate']:.4g}",
            row["unit"],
            f"{row['ratio']:.2f}",
            f"{row['seconds']:.2f}",
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
    return {"cpu": model, "cores": cores(), "memory_bytes": psutil.virtual_memory().total}
