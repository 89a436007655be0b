"""The commands that measure this machine, and tell what a brain will take on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli.app import app, console
from pipelines.cli.options import Cluster, ConfigFile, Debug, Device, Memory, Voxel, Workers
from pipelines.cli.run import resources_of, warn
from pipelines.config import load_file, make


@app.command(rich_help_panel="This machine")
def bench(
    stage: Annotated[
        Literal["ingest", "read", "decode", "forward", "peaks", "link", "detect", "register", "assign"] | None,
        typer.Argument(help="What to measure. Default: all of them."),
    ] = None,
    source: Annotated[Path | None, typer.Option(help="A folder of slices. Default: made for the purpose.")] = None,
    voxel_um: Voxel = None,
    out: Annotated[Path, typer.Option("--out", help="Where the figures are written.")] = Path("bench.json"),
    slices: Annotated[int | None, typer.Option(help="Slices to make.")] = None,
    edge: Annotated[int | None, typer.Option(help="Their edge in pixels.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Runs of each method; the best counts.")] = None,
    peers: Annotated[
        bool | None,
        typer.Option("--peers/--no-peers", help="Measure other programs too. Default: where a stage is named."),
    ] = None,
    workers: Workers = None,
    device: Device = None,
    debug: Debug = False,
) -> None:
    """Measure this machine: how fast each stage is, as a ratio to the limit.

    Example: volumetric bench

    All stages take some minutes; `volumetric plan` makes hours of the figures. One stage alone may be named: `ingest`
    converts slices, beside reading and compressing them alone, dask and ome-zarr-py. `detect` looks for cells, beside
    the forward pass of the network alone and, where it is installed, cellfinder.
    """
    from pipelines.bench import Config, run_bench

    options = make(Config, stage=stage, slices=slices, edge=edge, voxel_um=voxel_um, repeats=repeats, peers=peers)
    run_bench(options, source, out, resources_of({}, workers=workers, device=device), console)


@app.command(rich_help_panel="This machine")
def plan(
    shape: Annotated[
        tuple[int, int, int], typer.Option(metavar="Z Y X", help="Slices, rows and columns of a channel.")
    ],
    voxel_um: Annotated[
        tuple[float, float, float], typer.Option("--voxel-um", metavar="Z Y X", help="Voxel size in um.")
    ],
    channels: Annotated[int | None, typer.Option(help="Channels that are converted. Default: 1.")] = None,
    tissue: Annotated[float | None, typer.Option(help="Share of the volume that is tissue. Default: 1.")] = None,
    cells: Annotated[int | None, typer.Option(help="Cells that will be found. Default: a million.")] = None,
    atlas_um: Annotated[float | None, typer.Option(help="Voxel size of the atlas. Default: 50.")] = None,
    gpus: Annotated[int | None, typer.Option(help="GPUs. Default: one where the rates are of one, else none.")] = None,
    rates: Annotated[Path, typer.Option(help="Figures of `volumetric bench`.")] = Path("bench.json"),
    out: Annotated[Path | None, typer.Option("--out", metavar="PLAN.json", help="Write the figures here too.")] = None,
    workers: Workers = None,
    memory: Memory = None,
    cluster: Cluster = None,
    config: ConfigFile = None,
    debug: Debug = False,
) -> None:
    """What a brain of some size will take: hours, terabytes, memory and GPUs of each stage, and what holds it up.

    Example: volumetric plan --shape 2600 11000 16000 --voxel-um 5 0.7 0.7 --workers 32 --memory 128GB

    The hours rest on rates that `volumetric bench` has measured: run it first on the machine that will do the work.
    """
    from pipelines.forecast import Config, run_forecast

    given = {"shape": shape, "voxel_um": voxel_um, "channels": channels, "tissue": tissue, "cells": cells}
    options = make(Config, **given, atlas_um=atlas_um, gpus=gpus)
    resources = resources_of(load_file(config), workers=workers, memory=memory, cluster=cluster)
    _, warnings = run_forecast(options, rates, out, resources, console)
    warn(warnings)
