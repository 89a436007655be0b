"""Commands for images: convert them, look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.app import app, console
from pipelines.cli.options import (
    Axes,
    ChannelPattern,
    Cluster,
    ConfigFile,
    Debug,
    DryRun,
    Memory,
    Orientation,
    SourceArg,
    Voxel,
    Workers,
)
from pipelines.cli.run import go, resources_of, warn
from pipelines.config import load_file, overlay
from volumetric.storage.encoding import Codec, Ngff


@app.command(rich_help_panel="Images")
def ingest(
    source: SourceArg,
    out: Annotated[Path, typer.Argument(metavar="OUT.ome.zarr", help="The volume to write.")],
    voxel_um: Voxel = None,
    axes: Axes = None,
    channel_pattern: ChannelPattern = None,
    orientation: Orientation = None,
    channel: Annotated[list[str] | None, typer.Option(help="Name of a channel; repeat for several.")] = None,
    codec: Annotated[
        Codec | None,
        typer.Option(help="Compression: zstd-1 (default), zstd-3 (slower to write, quicker to read), lz4 (quickest)."),
    ] = None,
    ngff: Annotated[Ngff | None, typer.Option(help="OME-Zarr version. 0.4 has no shards and no checksums.")] = None,
    sharded: Annotated[
        bool | None, typer.Option("--shards/--no-shards", help="Many chunks a file (default), or one.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Check a finished OUT and write only its damaged files again.")
    ] = False,
    workers: Workers = None,
    memory: Memory = None,
    cluster: Cluster = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Convert slices to a multiscale, sharded OME-Zarr. Interrupted, it resumes.

    Example: volumetric ingest slices/ brain.ome.zarr --voxel-um 5 0.7 0.7 --orientation psl
    """
    from pipelines.repair import repair as mend
    from pipelines.volume import convert
    from pipelines.workspace import work_beside
    from volumetric.storage.sources import open_source

    settings = load_file(config)
    resources = resources_of(settings, workers=workers, memory=memory, cluster=cluster)
    table = overlay(
        settings.get("ingest", {}),
        voxel_um=voxel_um,
        axes=axes,
        channel_pattern=channel_pattern,
        orientation=orientation,
        channel_names=channel,
        codec=codec,
        ngff=ngff,
        sharded=False if ngff == "0.4" and sharded is None else sharded,
    )
    images = open_source(source, table.pop("axes", None), table.pop("channel_pattern", None))
    opened = convert(images, out, work_beside(out), resources, **table)
    warn(opened.warnings)
    if repair:
        mend(images, out, table, resources, console, dry_run=dry_run)
        return
    opened.stages[0].ledger.refuse_other()  # a finished volume of other images or settings is not this one
    if not dry_run and opened.stages[0].ledger.is_complete() and out.exists():
        console.print(
            f"{out} was complete before; nothing was done. `volumetric info {out} --verify` checks it",
            highlight=False,
            soft_wrap=True,
        )
    elif go(opened.stages, resources, dry_run):
        console.print(f"wrote {out}: {' x '.join(map(str, opened.volume.shape))} voxels", highlight=False)


@app.command(rich_help_panel="Images")
def info(
    volume: Annotated[Path, typer.Argument(metavar="SOURCE", help="A volume, or images to be converted.")],
    voxel_um: Voxel = None,
    axes: Axes = None,
    channel_pattern: ChannelPattern = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file again, check its checksums and name what is damaged.")
    ] = False,
    workers: Workers = None,
    cluster: Cluster = None,
    config: ConfigFile = None,
    debug: Debug = False,
) -> None:
    """What will be read of images: channels, axes, voxel size and its origin, doubts; of a volume whether it is whole.

    Example: volumetric info brain.ome.zarr --verify
    """
    from pipelines.info import check_complete, show, verify_volume

    show(volume, console, voxel_um=voxel_um, axes=axes, channel_pattern=channel_pattern)
    if verify:
        verify_volume(volume, resources_of(load_file(config), workers=workers, cluster=cluster), console, axes)
    else:
        check_complete(volume, console, axes)
