"""Commands that make tiles up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.app import app, console
from pipelines.cli.options import ConfigFile, Debug, DryRun, Memory
from pipelines.cli.run import go, resources_of
from pipelines.config import load_file, make, overlay

PANEL = "Synthetic tiles"


@app.command("fit-layout", rich_help_panel=PANEL)
def fit_layout(
    tiles: Annotated[
        list[Path],
        typer.Argument(metavar="TILES...", help="Folders of tiles with known cells: NAME.tif and NAME_cells.csv."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="LAYOUT.json", help="Where to write the layouts.")],
    every: Annotated[
        int | None, typer.Option(help="Slices from one plane to the next; nearer ones show the same cells. Default: 5.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Edge of the windows looked at, px. Default: whole planes.")] = None,
    simulations: Annotated[
        int | None, typer.Option(help="Of each model, for each brain left out. Default: 299.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn by chance.")] = None,
    memory: Memory = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Learn where cells lie, how large and bright they are, and compare with brains left out.

    Example: volumetric fit-layout tiles/ --out layout.json
    """
    from pipelines import fit_layout as command
    from pipelines.stage import Stage
    from pipelines.workspace import work_beside

    settings = load_file(config)
    resources = resources_of(settings, workers=1, memory=memory)
    options = make(
        command.Config,
        **overlay(settings.get("fit_layout", {}), every=every, size=size, simulations=simulations, seed=seed),
    )
    work = work_beside(out) / "fit-layout"
    stage = Stage(command.plan(tiles, out, work, options), work)
    if go([stage], resources, dry_run):
        command.print_summary(out, stage.ledger, console)
