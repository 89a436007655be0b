"""Commands that make ground truth with many people: tiles for them, and what follows from their clicks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli.app import app, console
from pipelines.cli.options import (
    AtlasDir,
    Axes,
    ChannelPattern,
    Cluster,
    ConfigFile,
    Debug,
    DryRun,
    Memory,
    Out,
    SourceArg,
    Voxel,
    Workers,
)
from pipelines.cli.run import go, resources_of, volume_of
from pipelines.config import load_file, make, overlay

PANEL = "Ground truth from a crowd"


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
    axes: Axes = None,
    channel_pattern: ChannelPattern = None,
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
    cluster: Cluster = None,
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
    resources = resources_of(settings, workers=workers, memory=memory, cluster=cluster)
    work = out / ".work"
    opened = volume_of(volume, work, settings, resources, voxel_um, None, axes, channel_pattern)
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


@app.command(rich_help_panel=PANEL)
def consensus(
    clicks: Annotated[
        Path, typer.Argument(metavar="CLICKS.csv", help="tile, worker, order, x, y; or a point extract of Caesar.")
    ],
    tiles: Annotated[Path, typer.Option("--tiles", metavar="DIR", help="Folder with the image of each tile.")],
    out: Out,
    shown: Annotated[
        Path | None, typer.Option("--shown", metavar="SHOWN.csv", help="Who was shown which tile: tile, worker.")
    ] = None,
    sets: Annotated[
        Path | None,
        typer.Option("--sets", metavar="SETS.csv", help="Which tiles are for quality control: tile, quality_control."),
    ] = None,
    mode: Annotated[
        Literal["best", "method"] | None, typer.Option(help="Our way (default), or the published one.")
    ] = None,
    candidates: Annotated[
        Literal["density", "hdbscan", "hdbscan-fixed"] | None,
        typer.Option(help="How clicks become candidates. Default: density; hdbscan-fixed in mode method."),
    ] = None,
    prior: Annotated[
        Literal["map", "ml"] | None, typer.Option(help="Of skill: Beta(2, 2) (map), or none (ml, in mode method).")
    ] = None,
    heatmap: Annotated[
        Literal["posterior", "clicks"] | None,
        typer.Option(help="Of posteriors (default), or of weighted clicks (in mode method)."),
    ] = None,
    difficulty: Annotated[
        bool | None,
        typer.Option(
            "--difficulty/--no-difficulty", help="Tell apart cells harder to see. Default: from 10 viewers a tile on."
        ),
    ] = None,
    qc_only: Annotated[
        bool | None, typer.Option("--qc-only/--all-tiles", help="Tell skill from quality-control tiles alone, or all.")
    ] = None,
    most_rejected: Annotated[
        float | None, typer.Option(help="Share of the clicks that may make no sense. Default: 0.1.")
    ] = None,
    restarts: Annotated[int | None, typer.Option(help="Random starts of EM beside the usual. Default: 3.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn by chance.")] = None,
    workers: Workers = None,
    memory: Memory = None,
    cluster: Cluster = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Clicks of many people to cells with probabilities, each worker's skill, and ground truth heatmaps.

    Example: volumetric consensus clicks.csv --shown shown.csv --tiles tiles/ --out consensus/
    """
    from pipelines import consensus as command
    from pipelines.stage import Stage

    settings = load_file(config)
    resources = resources_of(settings, workers=workers, memory=memory, cluster=cluster)
    options = make(
        command.Config,
        **overlay(
            settings.get("consensus", {}),
            mode=mode,
            candidates=candidates,
            prior=prior,
            heatmap=heatmap,
            difficulty=difficulty,
            qc_only=qc_only,
            most_rejected=most_rejected,
            restarts=restarts,
            seed=seed,
        ),
    )
    control_alone = bool(options.whole(sets is not None, 0).qc_only)
    inputs = command.read_inputs(clicks, shown, tiles, sets, qc_only=control_alone, most_rejected=options.most_rejected)
    given = {"clicks": clicks, "shown": shown, "tiles": tiles, "sets": sets}
    work = out / ".work" / "consensus"
    plan = command.plan(inputs, given, out, work, options)
    stage = Stage(plan, work)
    if go([stage], resources, dry_run):
        command.print_summary(command.finish(inputs, out, plan, stage.ledger, given), out, console)


@app.command(rich_help_panel=PANEL)
def agreement(
    consensus: Annotated[Path, typer.Argument(metavar="CONSENSUS", help="The --out folder of `volumetric consensus`.")],
    experts: Annotated[
        Path,
        typer.Option("--experts", metavar="E.csv", help="Their marks: tile, x, y; expert where there are several."),
    ],
    out: Out,
    tolerance: Annotated[
        list[float] | None,
        typer.Option("--tolerance-px", help="Largest distance of a pair; repeat for several. Default: 10, 5, 3."),
    ] = None,
    workers: Workers = None,
    memory: Memory = None,
    cluster: Cluster = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Compare a consensus with what experts marked, with and without them in the crowd, and show where they part.

    Example: volumetric agreement consensus/ --experts experts.csv --out agreement/
    """
    from pipelines import agreement as command

    settings = load_file(config)
    resources = resources_of(settings, workers=workers, memory=memory, cluster=cluster)
    options = make(command.Config, **overlay(settings.get("agreement", {}), tolerances_px=tolerance or None))
    stages = command.prepare(consensus, experts, out, options)
    if go(stages, resources, dry_run):
        command.print_summary(out, stages, console)


@app.command("crowd-size", rich_help_panel=PANEL)
def crowd_size(
    out: Out,
    cells: Annotated[int | None, typer.Option(help="Cells of a tile. Default: 60.")] = None,
    size: Annotated[int | None, typer.Option(help="Edge of a tile, px. Default: 500.")] = None,
    people: Annotated[
        str | None, typer.Option("--people", help="Numbers of workers to try. Default: 3,5,10,15,20,30.")
    ] = None,
    draws: Annotated[int | None, typer.Option(help="Crowds of each number. Default: 5.")] = None,
    tolerance: Annotated[float | None, typer.Option("--tolerance-px", help="Largest distance of a pair.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn by chance.")] = None,
    workers: Workers = None,
    memory: Memory = None,
    cluster: Cluster = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """How many people must see a tile? Made-up crowds, such as a real paid one was, on cells that are known.

    Example: volumetric crowd-size --cells 60 --size 500 --out crowd-size/
    """
    from pipelines import crowd_size as command
    from pipelines.stage import Stage

    settings = load_file(config)
    resources = resources_of(settings, workers=workers, memory=memory, cluster=cluster)
    numbers = people.split(",") if people else None
    options = make(
        command.Config,
        **overlay(
            settings.get("crowd_size", {}),
            cells=cells,
            size=size,
            workers=numbers,
            draws=draws,
            tolerance_px=tolerance,
            seed=seed,
        ),
    )
    work = out / ".work" / "crowd-size"
    stage = Stage(command.plan(out, work, options), work)
    if go([stage], resources, dry_run):
        command.print_summary(out, stage.ledger, console)
