"""Commands for whole brains: a phantom, the count, its report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.app import app, console
from pipelines.cli.options import (
    AtlasDir,
    Axes,
    Block,
    ChannelPattern,
    Cluster,
    ConfigFile,
    Debug,
    Device,
    DryRun,
    ExcludeMask,
    ImagedPart,
    KeepPoor,
    LandmarksFile,
    MaybeAtlas,
    MaybeSource,
    Memory,
    Model,
    Orientation,
    Preset,
    TrustOrientation,
    Voxel,
    Workers,
)
from pipelines.cli.run import go, resources_of, warn
from pipelines.config import load_file, make, overlay
from volumetric.errors import InputError


@app.command(rich_help_panel="A whole brain")
def demo(
    out: Annotated[Path, typer.Argument(help="A folder for the phantom, the run and the score.")],
    atlas: Annotated[
        str | None,
        typer.Option("--atlas", metavar="NAME_OR_DIR", help="Anatomy to use. Default: a small one made in code."),
    ] = None,
    atlas_dir: AtlasDir = None,
    scale: Annotated[float | None, typer.Option(help="Size of the brain in parts of the atlas.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed gives another brain.")] = None,
    workers: Workers = None,
    memory: Memory = None,
    device: Device = None,
    cluster: Cluster = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Make a phantom brain with every cell known, count it, and score the count.

    Example: volumetric demo demo
    """
    from pipelines import demo as command

    settings = load_file(config)
    resources = resources_of(settings, workers=workers, memory=memory, device=device, cluster=cluster)
    options = make(command.Config, **overlay(settings.get("demo", {}), atlas=atlas, scale=scale, seed=seed))
    command.run_demo(out, options, resources, console, atlas_dir=atlas_dir, dry_run=dry_run)


@app.command(rich_help_panel="A whole brain")
def count(
    out: Annotated[
        Path, typer.Option("--out", metavar="RUN", help="The run folder; with --sheet, the folder of the study.")
    ],
    source: MaybeSource = None,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="BRAINS.csv", help="Many brains in place of SOURCE: one line each, with its own options."),
    ] = None,
    atlas: MaybeAtlas = None,
    voxel_um: Voxel = None,
    axes: Axes = None,
    channel_pattern: ChannelPattern = None,
    orientation: Orientation = None,
    signal: Annotated[str | None, typer.Option(help="Channel, or path, that shows the cells.")] = None,
    register_on: Annotated[str | None, typer.Option(help="Channel, or path, that the atlas is fitted to.")] = None,
    preset: Preset = None,
    imaged: ImagedPart = None,
    exclude_mask: ExcludeMask = None,
    landmarks: LandmarksFile = None,
    trust_orientation: TrustOrientation = None,
    keep_poor: KeepPoor = None,
    model: Model = None,
    block: Block = None,
    atlas_dir: AtlasDir = None,
    workers: Workers = None,
    memory: Memory = None,
    device: Device = None,
    cluster: Cluster = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Count the cells of a whole brain, or of many, in every atlas region. Interrupted, the same command resumes.

    Example: volumetric count slices/ --voxel-um 5 0.7 0.7 --orientation psl --atlas allen_mouse_50um --out run/
    """
    from pipelines import cohort
    from pipelines import count as command
    from pipelines.preview import preview

    settings = load_file(config)
    resources = resources_of(settings, workers=workers, memory=memory, device=device, cluster=cluster)
    table = overlay(
        settings.get("count", {}),
        voxel_um=voxel_um,
        axes=axes,
        channel_pattern=channel_pattern,
        orientation=orientation,
        atlas=atlas,
        signal=signal,
        register_on=register_on,
        preset=preset,
        imaged=imaged,
        exclude_mask=exclude_mask,
        landmarks=landmarks,
        trust_orientation=trust_orientation,
        keep_poor=keep_poor,
        model=model,
        block=block,
    )
    if sheet is not None and source is None:
        cohort.run_cohort(sheet, out, table, resources, console, atlas_dir=atlas_dir, dry_run=dry_run)
    elif source is not None and sheet is None:
        job = command.prepare(source, out, command.configured(**table), resources, atlas_dir)
        if dry_run:
            preview(job.inputs.images, job.config.voxel_um).print(console)
        warn(job.inputs.warnings)
        if go(job.stages, resources, dry_run):
            command.finish(job, resources, console)
    else:
        raise InputError("give the images of one brain as SOURCE, or many brains with --sheet BRAINS.csv, not both")


@app.command(rich_help_panel="A whole brain")
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run folder.")],
    debug: Debug = False,
) -> None:
    """Write report.html of a run folder again.

    Example: volumetric report run/
    """
    from pipelines.report import write_report
    from pipelines.workspace import RunFolder

    path = write_report(RunFolder(run))
    console.print(f"wrote {path}", highlight=False)
