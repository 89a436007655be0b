"""The command that measures this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli.app import app, console
from pipelines.cli.options import Debug, Device, Voxel, Workers
from pipelines.cli.run import resources_of
from pipelines.config import make


@app.command(rich_help_panel="This machine")
def bench(
    stage: Annotated[Literal["ingest", "detect"], typer.Argument(help="What to measure.")] = "ingest",
    source: Annotated[Path | None, typer.Option(help="A folder of slices. Default: made for the purpose.")] = None,
    voxel_um: Voxel = None,
    out: Annotated[Path, typer.Option("--out", help="Where the figures are written.")] = Path("bench.json"),
    slices: Annotated[int | None, typer.Option(help="Slices to make.")] = None,
    edge: Annotated[int | None, typer.Option(help="Their edge in pixels.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Runs of each method; the best counts.")] = None,
    peers: Annotated[bool, typer.Option("--peers/--no-peers", help="Measure other programs too.")] = True,
    workers: Workers = None,
    device: Device = None,
    debug: Debug = False,
) -> None:
    """Measure a stage on this machine, as a ratio to the limit.

    Example: volumetric bench ingest --out bench.json

    `ingest` converts slices, beside reading and compressing them alone, dask and ome-zarr-py. `detect` looks for cells,
    beside the forward pass of the network alone and, where it is installed, cellfinder.
    """
    from pipelines.bench import Config, run_bench

    options = make(Config, stage=stage, slices=slices, edge=edge, voxel_um=voxel_um, repeats=repeats, peers=peers)
    run_bench(options, source, out, resources_of({}, workers=workers, device=device), console)
