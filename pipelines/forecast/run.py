"""The plan command: rates and a brain's size in, hours, terabytes, memory and GPUs of every stage out.

Inputs: `bench.json` of the machine that will do the work; the shape and voxel size of a brain. Output: a table, and a
JSON file where one is asked for. Capacity: nothing is read but the rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import Field
from rich.console import Console
from rich.table import Table

from pipelines.config import Resources, Settings
from pipelines.forecast.brain import Brain
from pipelines.forecast.rates import Bench, read_rates
from pipelines.forecast.stages import CELL_UM, PEAKS_A_SLICE, StageForecast, forecast
from volumetric.blocks.plan import megabytes
from volumetric.storage.atomic import write_json


class Config(Settings):
    """The brain, and the GPUs; see `Brain`."""

    shape: tuple[int, int, int]
    voxel_um: tuple[float, float, float]
    channels: int = Field(default=1, ge=1)
    tissue: float = Field(default=1.0, ge=0, le=1)
    cells: int = Field(default=1_000_000, ge=0)
    atlas_um: float = Field(default=50.0, gt=0)
    gpus: int | None = Field(default=None, ge=0)

    @property
    def brain(self) -> Brain:
        """The brain alone."""
        return Brain(**self.model_dump(exclude={"gpus"}))


def run_forecast(
    config: Config, rates: Path, out: Path | None, resources: Resources, console: Console
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Say what a brain will take; returns what `out` holds, and warnings."""
    bench = read_rates(rates)
    gpus = config.gpus if config.gpus is not None else int(bench.rates.device == "cuda")
    stages = forecast(config.brain, bench.rates, resources, gpus)
    slowest = max(stages, key=lambda stage: stage.seconds)
    assumed = assumptions(config.brain, bench, gpus)
    _print(stages, slowest, assumed, console)
    record = {
        "brain": asdict(config.brain),
        "rates": bench.origin,
        "stages": {
            stage.stage: {**{k: v for k, v in asdict(stage).items() if k != "stage"}, "bottleneck": stage.bottleneck}
            for stage in stages
        },
        "seconds": sum(stage.seconds for stage in stages),
        "bytes_written": sum(stage.bytes_written for stage in stages),
        "memory_bytes": max(stage.memory_bytes for stage in stages),
        "bottleneck": {"stage": slowest.stage, "part": slowest.bottleneck},
        "assumed": assumed,
        "warnings": list(bench.warnings),
    }
    if out is not None:
        write_json(out, record)
        console.print(f"wrote {out}", highlight=False)
    return record, bench.warnings


def assumptions(brain: Brain, bench: Bench, gpus: int) -> list[str]:
    """What the figures rest on, one sentence each."""
    rates = bench.rates
    many = (
        "n GPUs, a process with two tasks each (--cluster cuda), do n times as much as one"
        if gpus
        else f"n workers do n/{rates.workers} of what {rates.workers} did, each with as many cores"
    )
    return [
        f"rates of {bench.origin}",
        f"{many}; no more is read than the {rates.files:,.0f} MB/s at which stored files came from its disk, and "
        "writing does not slow it",
        "registration, linking and tables are single steps, as fast with many workers as with few",
        f"{brain.tissue:.0%} of the volume is tissue (--tissue), with {brain.cells:,} cells (--cells), each in the "
        f"slices of {CELL_UM:g} um, where {PEAKS_A_SLICE:g} peaks are linked for one of its own",
        f"16 bits a voxel; the atlas has voxels of {brain.atlas_um:g} um and is as large as the volume (--atlas-um)",
        "what is written is at most so much: as if nothing could be compressed",
    ]


def _print(stages: Sequence[StageForecast], slowest: StageForecast, assumed: Sequence[str], console: Console) -> None:
    table = Table(title="Plan", title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in ("stage", "time", "written", "memory", "workers", "GPUs", "bottleneck"):
        table.add_column(column, justify="left" if column in {"stage", "bottleneck"} else "right")
    for stage in stages:
        table.add_row(
            stage.stage,
            hours(stage.seconds),
            _terabytes(stage.bytes_written),
            megabytes(stage.memory_bytes),
            str(stage.workers),
            str(stage.gpus or "-"),
            stage.bottleneck,
        )
    total = sum(stage.seconds for stage in stages)
    table.add_section()
    table.add_row(
        "all",
        hours(total),
        _terabytes(sum(stage.bytes_written for stage in stages)),
        megabytes(max(stage.memory_bytes for stage in stages)),
        "",
        str(max(stage.gpus for stage in stages) or "-"),
        f"{slowest.stage}: {slowest.bottleneck}",
    )
    console.print(table)
    console.print("Assumed:", highlight=False)
    for line in assumed:
        console.print(f"- {line}", highlight=False, markup=False, soft_wrap=True)


def hours(seconds: float) -> str:
    """Time for people: `42 s`, `12.5 min`, `31.0 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _terabytes(count: int) -> str:
    return f"{count / 1e12:.2f} TB" if count >= 1e11 else megabytes(count)
