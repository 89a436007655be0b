"""Commands that make a detector and judge it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli.app import app, console
from pipelines.cli.options import ConfigFile, Debug, Device, DryRun, Memory, Out, Voxel
from pipelines.cli.run import go, resources_of
from pipelines.config import load_file, make, overlay

PANEL = "Your own detector"

ModelArg = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A checkpoint, or cfos, phantom or default for one of the package.")
]
Truth = Annotated[
    Path | None,
    typer.Option(
        "--truth",
        metavar="DIR",
        help="Where NAME_cells.csv or NAME_heatmap.tif of each tile is, if not beside its image.",
    ),
]


@app.command("train-detector", rich_help_panel=PANEL)
def train_detector(
    tiles: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[TILES]...", help="Folders of tiles with known cells. Default: synthetic crops alone."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.safetensors", help="The checkpoint to write.")] = ...,  # type: ignore[assignment]
    voxel_um: Voxel = None,
    truth: Truth = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Tiles without cells, on which each network then teaches itself; repeatable."),
    ] = None,
    mode: Annotated[
        Literal["best", "method"] | None, typer.Option(help="Our recipe (default), or the published one.")
    ] = None,
    stride: Annotated[int | None, typer.Option(help="Pixels along an output cell: 1, 2 or 4.")] = None,
    neighbours: Annotated[int | None, typer.Option(help="Slices on either side that the network sees.")] = None,
    synthetic: Annotated[int | None, typer.Option(help="Synthetic crops to learn from. Default: 160.")] = None,
    pretrain_steps: Annotated[
        int | None, typer.Option(help="Steps on synthetic crops; not with tiles in mode best.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps on tiles. Default: 1200.")] = None,
    confidence: Annotated[
        Literal["ignore", "weight", "sample"] | None,
        typer.Option(help="What the confidence of a cell does. Default: it teaches as much (weight)."),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Checks without a better average precision on the brain left out that end a training. 0: all steps."
        ),
    ] = None,
    check_every: Annotated[int | None, typer.Option(help="Steps between checks. Default: 100.")] = None,
    batch: Annotated[int | None, typer.Option(help="Windows a step. Default: 16.")] = None,
    window_px: Annotated[int | None, typer.Option(help="Edge of a window. Default: 96.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn by chance.")] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Losses and checks for TensorBoard, if it is installed.")
    ] = None,
    memory: Memory = None,
    device: Device = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Train a cell detector; with tiles of several brains its threshold is one that holds between brains.

    Example: volumetric train-detector tiles/ --voxel-um 5 0.7 0.7 --out mine.safetensors
    """
    from pipelines import train_detector as command
    from pipelines.stage import Stage
    from pipelines.workspace import work_beside

    settings = load_file(config)
    resources = resources_of(settings, workers=1, memory=memory, device=device)
    options = make(
        command.Config,
        **overlay(
            settings.get("train_detector", {}),
            mode=mode,
            stride=stride,
            neighbours=neighbours,
            synthetic=synthetic,
            pretrain_steps=pretrain_steps,
            steps=steps,
            confidence=confidence,
            patience=patience,
            check_every=check_every,
            batch=batch,
            window_px=window_px,
            seed=seed,
            device=device,
        ),
    )
    work = work_beside(out)
    plan = command.plan(
        tiles or [],
        out,
        work / "train",
        options,
        voxel_um=voxel_um,
        truth=truth,
        unlabelled=unlabelled or [],
        tensorboard=tensorboard,
    )
    stage = Stage(plan, work / "train")
    if go([stage], resources, dry_run):
        command.print_summary(out, stage.ledger, console)


@app.command(rich_help_panel=PANEL)
def evaluate(
    model: ModelArg,
    tiles: Annotated[Path, typer.Option("--tiles", metavar="DIR", help="Folder of tiles with known cells.")],
    out: Out,
    voxel_um: Voxel = None,
    truth: Truth = None,
    validation: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Tiles of other brains, for the threshold. Default: the checkpoint's own."),
    ] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(help="Largest distance of a pair, 5px or 8um; repeat for several. Default: 3px, 5px, 7px."),
    ] = None,
    memory: Memory = None,
    device: Device = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Measure a detector on tiles whose cells are known: figures with intervals, and pictures.

    Example: volumetric evaluate mine.safetensors --tiles held-out/ --voxel-um 5 0.7 0.7 --out evaluation/
    """
    from pipelines import evaluate as command
    from pipelines.stage import Stage

    settings = load_file(config)
    resources = resources_of(settings, workers=1, memory=memory, device=device)
    options = make(command.Config, **overlay(settings.get("evaluate", {}), tolerances=tolerance or None, device=device))
    work = out / ".work"
    plan = command.plan(
        model, tiles, out, work / "evaluate", options, voxel_um=voxel_um, truth=truth, validation=validation
    )
    stage = Stage(plan, work / "evaluate")
    if go([stage], resources, dry_run):
        command.print_summary(out, stage.ledger, console)


@app.command(rich_help_panel=PANEL)
def calibrate(
    model: ModelArg,
    tiles: Annotated[Path, typer.Option("--tiles", metavar="DIR", help="Tiles of the new brain.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.safetensors", help="The checkpoint to write.")],
    voxel_um: Voxel = None,
    truth: Truth = None,
    tolerance: Annotated[str | None, typer.Option(help="Largest distance of a pair. Default: 8um.")] = None,
    memory: Memory = None,
    device: Device = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Adapt a detector's threshold and probabilities to a new brain, from a few labelled tiles.

    Example: volumetric calibrate default --tiles tiles/ --voxel-um 5 0.7 0.7 --out mine.safetensors
    """
    from pipelines import calibrate as command
    from pipelines.stage import Stage
    from pipelines.workspace import work_beside

    settings = load_file(config)
    resources = resources_of(settings, workers=1, memory=memory, device=device)
    options = make(command.Config, **overlay(settings.get("calibrate", {}), tolerance=tolerance, device=device))
    work = work_beside(out) / "calibrate"
    plan = command.plan(model, tiles, out, work, options, voxel_um=voxel_um, truth=truth)
    stage = Stage(plan, work)
    if go([stage], resources, dry_run):
        command.print_summary(out, stage.ledger, console)
