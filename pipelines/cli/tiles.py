"""Commands of ground truth by many people: tiles to annotate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.app import app, console
from pipelines.cli.options import AtlasDir, ConfigFile, Debug, DryRun, Memory, Out, SourceArg, Voxel, Workers
from pipelines.cli.run import go, resources_of, volume_of
from pipelines.config import load_file, make, overlay

PANEL = "Ground truth by many people"


@app.command(rich_help_panel=PANEL)
def tiles(
    volume: SourceArg,
    labels: Annotated[
        Path, typer.Option("--labels", metavar="DIR", help="Registration of the brain: of `register`, or a run folder.")
    ],
    regions: Annotated[
        str, typer.Option(help="Regions to cut tiles in, with all below them, for example Isocortex,HPF.")
    ],
    out: Out,
    voxel_um: Voxel = None,
    channel: Annotated[str | None, typer.Option(help="Channel that shows the cells. Default: the first.")] = None,
    size: Annotated[int | None, typer.Option(help="Edge of a tile, px. Default: 500.")] = None,
    every_um: Annotated[float | None, typer.Option(help="Distance of the slices cut from. Default: 500.")] = None,
    slices: Annotated[
        str | None, typer.Option(help="Numbers of the slices instead, from 0 on, for example 100,250,400.")
    ] = None,
    least_share: Annotated[
        float | None, typer.Option(help="Share of a tile's pixels that lie in its region. Default: 0.5.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the brain; its tiles' names begin with it. Default: that of VOLUME.")
    ] = None,
    black: Annotated[
        float | None, typer.Option(help="Quantile of the brain's pixels shown as black. Default: 0.001.")
    ] = None,
    white: Annotated[float | None, typer.Option(help="Quantile shown as white. Default: 0.99.")] = None,
    redundancy: Annotated[int | None, typer.Option(help="Data sets that each tile is in. Default: 5.")] = None,
    sets: Annotated[
        int | None, typer.Option(help="Data sets, one a worker. Default: so many that none has over 20 main tiles.")
    ] = None,
    quality_control: Annotated[
        int | None, typer.Option(help="Tiles of each region that everybody sees. Default: 1.")
    ] = None,
    per_region: Annotated[
        int | None, typer.Option(help="Main tiles of each region, at most. Default: all that are fit.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn by chance.")] = None,
    atlas: Annotated[
        str | None, typer.Option(metavar="NAME_OR_DIR", help="An atlas' name or folder. Default: the registration's.")
    ] = None,
    atlas_dir: AtlasDir = None,
    workers: Workers = None,
    memory: Memory = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Cut tiles for people to annotate: inside regions, in one brightness, judged, dealt out to data sets.

    Example: volumetric tiles brain.ome.zarr --labels registration/ --regions Isocortex,OLF,HPF,CTXsp,STR --out tiles/
    """
    from pipelines import tiles as command
    from pipelines.stage import Stage

    settings = load_file(config)
    resources = resources_of(settings, workers=workers, memory=memory)
    work = out / ".work"
    opened = volume_of(volume, work, settings, resources, voxel_um, None)
    table = overlay(
        settings.get("tiles", {}),
        regions=regions,
        channel=channel,
        size=size,
        every_um=every_um,
        slices=command.slice_numbers(slices) if slices else None,
        least_share=least_share,
        name=name,
        black=black,
        white=white,
        redundancy=redundancy,
        sets=sets,
        quality_control=quality_control,
        per_region=per_region,
        seed=seed,
    )
    options = make(command.Config, **{"name": command.brain_name(volume), **table})
    plan = command.plan(opened.volume, labels, out, work / "tiles", options, atlas=atlas, atlas_dir=atlas_dir)
    stage = Stage(plan, work / "tiles")
    if go([*opened.stages, stage], resources, dry_run):
        command.print_summary(out, stage.ledger, console)
