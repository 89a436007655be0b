"""Repair: the damaged files of a finished volume, written again from the source it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines import ingest
from pipelines.config import Resources, make
from pipelines.stage import Stage, check, run, show
from pipelines.verify import find_damage
from pipelines.volume import voxel_size
from pipelines.workspace import work_beside
from volumetric.errors import InputError, TaskError
from volumetric.storage.atomic import remove
from volumetric.storage.integrity import check_shard
from volumetric.storage.omezarr import open_ome_zarr
from volumetric.storage.sources import Source


def repair(
    source: Source, out: Path, table: dict[str, Any], resources: Resources, console: Console, *, dry_run: bool
) -> None:
    """Find what is damaged in `out` and write just that again.

    Raises `InputError` where `out` was not made from this source with these settings, `TaskError` where damage stays.
    """
    volume = open_ome_zarr(out)
    size, _ = voxel_size(source, table.get("voxel_um"))
    config = make(ingest.Config, **{**table, "voxel_um": size})
    expected, _ = ingest.target(source, out, config)
    if volume.identity != expected.identity:
        raise InputError(
            f"{out} was made from other images or with other settings than those given: repeat the command that made "
            "it, with --repair. Images that were changed or copied since count as others; then convert them anew"
        )
    damage = find_damage(volume, resources, console)
    for found in damage:
        console.print(f"damaged: {found}", highlight=False, soft_wrap=True)
    if not damage:
        console.print(f"nothing is damaged in {out}", highlight=False)
        return
    work = work_beside(out) / "repair"
    stage = Stage(ingest.repair_plan(source, out, work, config, resources, damage=damage), work)
    if dry_run:
        show([stage], resources, console)
        return
    check([stage], resources)
    run([stage], resources, console)
    remove(work)
    left = [again for d in damage if (again := check_shard(volume, d.level, d.channel, d.box))]
    if left:
        raise TaskError(f"still damaged after the repair, the disk may be failing: {'; '.join(map(str, left[:5]))}")
    console.print(f"rebuilt in {out}: {len(damage)} of its files", highlight=False)
