"""Commands that make ground truth from what people click."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli.app import app, console
from pipelines.cli.options import ConfigFile, Debug, DryRun, Executor, Memory, Out, Workers
from pipelines.cli.run import go, resources_of
from pipelines.config import load_file, make, overlay

PANEL = "Ground truth from a crowd"


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
    restarts: Annotated[int | None, typer.Option(help="Random starts of EM beside the usual. Default: 3.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn by chance.")] = None,
    workers: Workers = None,
    memory: Memory = None,
    executor: Executor = None,
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
    resources = resources_of(settings, workers=workers, memory=memory, executor=executor)
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
            restarts=restarts,
            seed=seed,
        ),
    )
    control_alone = bool(options.whole(sets is not None, 0).qc_only)
    inputs = command.read_inputs(clicks, shown, tiles, sets, qc_only=control_alone)
    given = {"clicks": clicks, "shown": shown, "tiles": tiles, "sets": sets}
    sources = [path for path in (clicks, shown, sets) if path]
    work = out / ".work" / "consensus"
    plan = command.plan(inputs, sources, out, work, options)
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
    executor: Executor = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Compare a consensus with what experts marked, with and without them in the crowd, and show where they part.

    Example: volumetric agreement consensus/ --experts experts.csv --out agreement/
    """
    from pipelines import agreement as command

    settings = load_file(config)
    resources = resources_of(settings, workers=workers, memory=memory, executor=executor)
    options = make(command.Config, **overlay(settings.get("agreement", {}), tolerances_px=tolerance or None))
    stages = command.prepare(consensus, experts, out, options)
    if go(stages, resources, dry_run):
        command.print_summary(out, stages, console)
