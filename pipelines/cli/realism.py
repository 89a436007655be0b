"""The command that compares synthetic tiles with real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli.app import app, console
from pipelines.cli.options import ConfigFile, Debug, DryRun, Executor, Memory, Out, Workers
from pipelines.cli.run import go, resources_of
from pipelines.config import load_file, make, overlay

PANEL = "Synthetic tiles"


@app.command(rich_help_panel=PANEL)
def realism(
    synthetic: Annotated[Path, typer.Argument(metavar="SYNTH", help="Folder of synthetic tiles.")],
    real: Annotated[Path, typer.Argument(metavar="REAL", help="Folder of real tiles, with cells if they are known.")],
    out: Out,
    against: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Other real tiles, such as another brain's, to compare with as well."),
    ] = None,
    scale: Annotated[
        Literal["brain", "contrast"] | None,
        typer.Option(help="Brightness of a brain, or contrast in noise levels. Default: that of SYNTH, else brain."),
    ] = None,
    px: Annotated[
        int | None, typer.Option(help="Edge of the planes. Default: the largest that all tiles have.")
    ] = None,
    every: Annotated[int | None, typer.Option(help="Slices of a volume from plane to plane. Default: 1.")] = None,
    splits: Annotated[int | None, typer.Option(help="Halvings of the real tiles. Default: 50.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn by chance.")] = None,
    workers: Workers = None,
    memory: Memory = None,
    executor: Executor = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """How alike synthetic and real tiles are, beside how alike two halves of the real ones are.

    Example: volumetric realism synthetic/ tiles/ --out realism/
    """
    from pipelines import realism as command
    from pipelines.stage import Stage

    settings = load_file(config)
    resources = resources_of(settings, workers=workers, memory=memory, executor=executor)
    options = make(
        command.Config,
        **overlay(settings.get("realism", {}), scale=scale, px=px, every=every, splits=splits, seed=seed),
    )
    work = out / ".work" / "realism"
    stage = Stage(command.plan(synthetic, real, out, work, options, against=against), work)
    if go([stage], resources, dry_run):
        command.print_summary(out, stage.ledger, console)
