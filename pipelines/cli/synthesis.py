"""Commands that make tiles up, and compare them with real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli.app import app, console
from pipelines.cli.options import Cluster, ConfigFile, Debug, Device, DryRun, Memory, Out, Workers
from pipelines.cli.run import go, resources_of
from pipelines.config import load_file, make, overlay

PANEL = "Synthetic tiles"


@app.command("train-generator", rich_help_panel=PANEL)
def train_generator(
    tiles: Annotated[list[Path], typer.Argument(metavar="TILES...", help="Folders of tiles; cells are not needed.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.safetensors", help="The checkpoint to write.")],
    mode: Annotated[
        Literal["best", "method"] | None, typer.Option(help="Our recipe (default), or the published one.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps to go. Default: 20,000.")] = None,
    px: Annotated[int | None, typer.Option(help="Edge of the planes that are learned. Default: 512.")] = None,
    batch: Annotated[int | None, typer.Option(help="Planes a step. Default: 4.")] = None,
    every: Annotated[int | None, typer.Option(help="Distance of the slices taken from volumes. Default: 1.")] = None,
    layout: Annotated[
        str | None,
        typer.Option(help="Layouts that it learns with: method, or a file of `fit-layout`. Default: discs at random."),
    ] = None,
    radius_px: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="LOW HIGH", help="Radii of these discs. Default: 1 8."),
    ] = None,
    cells_per_mpx: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="LOW HIGH", help="How many in a megapixel. Default: 100 600."),
    ] = None,
    light: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="LOW HIGH", help="Noise levels by which these stand out, mode best. Default: 8 40."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn by chance.")] = None,
    memory: Memory = None,
    device: Device = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Train a generator that paints tissue around cells whose places are known; says first how long it will take.

    Example: volumetric train-generator tiles/tiles --out generator.safetensors
    """
    from pipelines import train_generator as command
    from pipelines.layouts import named_layout
    from pipelines.stage import Stage
    from pipelines.workspace import work_beside

    settings = load_file(config)
    resources = resources_of(settings, workers=1, memory=memory, device=device)
    options = make(
        command.Config,
        **overlay(
            settings.get("train_generator", {}),
            mode=mode,
            steps=steps,
            px=px,
            batch=batch,
            every=every,
            radius_px=radius_px,
            cells_per_mpx=cells_per_mpx,
            light=light,
            seed=seed,
            device=device,
        ),
    )
    work = work_beside(out) / "train-generator"
    job = command.prepare(tiles, out, work, options, layout=named_layout(layout) if layout else None)
    stage = Stage(command.plan(job), work)
    if not stage.ledger.is_complete():
        command.print_estimate(job, console)
    if go([stage], resources, dry_run):
        command.print_summary(job, stage.ledger, console)


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
    spots: Annotated[
        float | None,
        typer.Option(metavar="RADIUS_PX", help="Take all that stands out and is about as large, marked or not."),
    ] = None,
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
        **overlay(
            settings.get("fit_layout", {}),
            every=every,
            size=size,
            spots_px=spots,
            simulations=simulations,
            seed=seed,
        ),
    )
    work = work_beside(out) / "fit-layout"
    stage = Stage(command.plan(tiles, out, work, options), work)
    if go([stage], resources, dry_run):
        command.print_summary(out, stage.ledger, console)


@app.command(rich_help_panel=PANEL)
def synthesize(
    generator: Annotated[
        Path, typer.Argument(metavar="FILE", help="A generator; or physics, for optics and noise without a network.")
    ],
    out: Out,
    count: Annotated[int | None, typer.Option("--count", "-n", help="Tiles to make. Default: 100.")] = None,
    layout: Annotated[str, typer.Option(help="Where cells lie: method, discs, or a file of `fit-layout`.")] = "method",
    px: Annotated[int | None, typer.Option(help="Edge of a tile. Default: as the generator learned.")] = None,
    brightness: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="LOW HIGH", help="Factors on the background's brightness. Default: 1 1."),
    ] = None,
    texture: Annotated[
        float | None, typer.Option(help="Largest strength of noise added to the background, of 0 to 1. Default: 0.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn by chance.")] = None,
    workers: Workers = None,
    memory: Memory = None,
    device: Device = None,
    cluster: Cluster = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Make tiles up, with the cells in them: images, points with radii, heatmaps.

    Example: volumetric synthesize generator.safetensors -n 1000 --layout layout.json --out synthetic/
    """
    from pipelines import synthesize as command
    from pipelines.layouts import named_layout
    from pipelines.stage import Stage

    settings = load_file(config)
    resources = resources_of(settings, workers=workers, memory=memory, device=device, cluster=cluster)
    options = make(
        command.Config,
        **overlay(
            settings.get("synthesize", {}),
            count=count,
            px=px,
            brightness=brightness,
            texture=texture,
            seed=seed,
            device=device,
        ),
    )
    work = out / ".work"
    stage = Stage(command.plan(generator, named_layout(layout), out, work / "synthesize", options), work / "synthesize")
    if go([stage], resources, dry_run):
        command.print_summary(out, stage.ledger, console)


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
    cluster: Cluster = None,
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
    resources = resources_of(settings, workers=workers, memory=memory, cluster=cluster)
    options = make(
        command.Config,
        **overlay(settings.get("realism", {}), scale=scale, px=px, every=every, splits=splits, seed=seed),
    )
    work = out / ".work" / "realism"
    stage = Stage(command.plan(synthetic, real, out, work, options, against=against), work)
    if go([stage], resources, dry_run):
        command.print_summary(out, stage.ledger, console)
