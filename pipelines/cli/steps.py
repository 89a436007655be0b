"""Commands for one stage of the count alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli.app import app, console
from pipelines.cli.options import (
    AtlasDir,
    AtlasName,
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
    Memory,
    Model,
    Orientation,
    Out,
    Preset,
    SourceArg,
    TrustOrientation,
    Voxel,
    Workers,
)
from pipelines.cli.run import go, resources_of, volume_of, warn
from pipelines.config import load_file, make, overlay
from volumetric.findings import Verdict


@app.command(rich_help_panel="One step alone")
def register(
    volume: SourceArg,
    atlas: AtlasName,
    out: Out,
    voxel_um: Voxel = None,
    axes: Axes = None,
    channel_pattern: ChannelPattern = None,
    orientation: Orientation = None,
    channel: Annotated[str | None, typer.Option(help="Channel to register on. Default: the first.")] = None,
    preset: Preset = None,
    imaged: ImagedPart = None,
    exclude_mask: ExcludeMask = None,
    landmarks: LandmarksFile = None,
    trust_orientation: TrustOrientation = None,
    keep_poor: KeepPoor = None,
    atlas_dir: AtlasDir = None,
    workers: Workers = None,
    memory: Memory = None,
    cluster: Cluster = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Register a brain to an atlas: transforms, labels in the brain's own space, quality and an overlay.

    Example: volumetric register brain.ome.zarr --atlas allen_mouse_50um --out registration/
    """
    from pipelines import register as command
    from pipelines.stage import Stage

    settings = load_file(config)
    resources = resources_of(settings, workers=workers, memory=memory, cluster=cluster)
    opened = volume_of(volume, out / ".work", settings, resources, voxel_um, orientation, axes, channel_pattern)
    table = overlay(
        settings.get("register", {}),
        atlas=atlas,
        channel=channel,
        preset=preset,
        imaged=imaged,
        exclude_mask=exclude_mask,
        landmarks=landmarks,
        trust_orientation=trust_orientation,
        keep_poor=keep_poor,
    )
    options = make(command.Config, **table)
    work = out / ".work" / "register"
    plan = command.plan(opened.volume, command.open_atlas(options, atlas_dir), out, work, options)
    if go([*opened.stages, Stage(plan, work)], resources, dry_run):
        command.print_summary(out, console)


@app.command(rich_help_panel="One step alone")
def detect(
    volume: SourceArg,
    out: Annotated[Path, typer.Option("--out", metavar="CELLS.parquet", help="The table to write.")],
    voxel_um: Voxel = None,
    axes: Axes = None,
    channel_pattern: ChannelPattern = None,
    channel: Annotated[str | None, typer.Option(help="Channel that shows the cells. Default: the first.")] = None,
    model: Model = None,
    block: Block = None,
    workers: Workers = None,
    memory: Memory = None,
    device: Device = None,
    cluster: Cluster = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Find the cells of a volume: one row a cell.

    Example: volumetric detect crop.tif --voxel-um 6 1.62 1.62 --out cells.parquet
    """
    from pipelines import detect as command
    from pipelines.stage import Stage
    from pipelines.workspace import work_beside

    settings = load_file(config)
    resources = resources_of(settings, workers=workers, memory=memory, device=device, cluster=cluster)
    work = work_beside(out)
    opened = volume_of(volume, work, settings, resources, voxel_um, None, axes, channel_pattern)
    options = make(command.Config, **overlay(settings.get("detect", {}), channel=channel, model=model, block=block))
    stage = Stage(command.plan(opened.volume, out, work / "detect", options, resources), work / "detect")
    warn([finding.text for finding in command.voxel_doubts(opened.volume)])
    if go([*opened.stages, stage], resources, dry_run):
        command.print_summary(opened.volume, out, stage.ledger.facts(), console)


@app.command(rich_help_panel="One step alone")
def assign(
    cells: Annotated[
        Path,
        typer.Argument(metavar="CELLS", help="Cells of `volumetric detect`, or of another tool: cells.xml, CSV, .npy."),
    ],
    registration: Annotated[Path, typer.Option(help="Folder of `volumetric register` for the same brain.")],
    atlas: AtlasName,
    out: Annotated[Path, typer.Option("--out", help="Folder for cells.parquet and regions.csv.")],
    unit: Annotated[
        Literal["voxel", "um"] | None, typer.Option(help="Of another tool's places, where the file does not say it.")
    ] = None,
    voxel_um: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            "--voxel-um", metavar="Z Y X", help="Of the image that another tool saw. Default: the registered image's."
        ),
    ] = None,
    cell_type: Annotated[
        int | None,
        typer.Option(help="Markers of a Cell Counter file that are cells. Default: 2 where there is 1 too."),
    ] = None,
    same_space: Annotated[
        bool, typer.Option("--same-space", help="The cells' volume and the registered one are channels of one brain.")
    ] = False,
    atlas_dir: AtlasDir = None,
    memory: Memory = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Give every cell its region and count the regions: cells.parquet and regions.csv.

    Example: volumetric assign cells.parquet --registration registration/ --atlas allen_mouse_50um --out tables/
    """
    from pipelines import assign as command
    from pipelines.stage import Stage
    from volumetric.atlas.loader import load_atlas

    resources = resources_of({}, memory=memory)
    opened = load_atlas(atlas, atlas_dir)
    options = make(command.Config, unit=unit, voxel_um=voxel_um, cell_type=cell_type, same_space=same_space)
    plan, notes = command.prepare(cells, registration, opened, out, options)
    warn(Verdict.of(opened.findings).doubts)
    for note in notes:
        console.print(note, highlight=False, soft_wrap=True)
    stage = Stage(plan, out / ".work" / "assign")
    if go([stage], resources, dry_run):
        facts = stage.ledger.facts()
        found = facts["regions"]
        warn(Verdict.of(command.findings(facts)).doubts)
        console.print(
            f"{found['total']:,} cells, {found['in_atlas']:,} of them in atlas regions, {found['outside']:,} outside; "
            f"wrote {out / 'cells.parquet'} and {out / 'regions.csv'}",
            highlight=False,
            soft_wrap=True,
        )
