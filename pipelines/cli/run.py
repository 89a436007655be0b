"""From settings to work: what every command does between its flags and its own file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cli.app import console, errors
from pipelines.config import Resources, make, overlay

if TYPE_CHECKING:
    from pipelines.stage import Stage
    from pipelines.volume import Opened


def resources_of(settings: dict[str, Any], *, cluster: str | None = None, **flags: object) -> Resources:
    """What a run may use: the settings file's tables `run` and `cluster` with the flags put over them."""
    table = overlay(settings.get("cluster", {}), kind=cluster)
    return make(Resources, **overlay(settings.get("run", {}), **flags), cluster=table)


def volume_of(
    path: Path,
    work: Path,
    settings: dict[str, Any],
    resources: Resources,
    voxel_um: tuple[float, float, float] | None,
    orientation: str | None,
    axes: str | None = None,
    channel_pattern: str | None = None,
) -> Opened:
    """The volume at a path, with the stages that convert it where it must be."""
    from pipelines.volume import open_or_convert

    table = overlay(
        settings.get("ingest", {}),
        voxel_um=voxel_um,
        orientation=orientation,
        axes=axes,
        channel_pattern=channel_pattern,
    )
    opened = open_or_convert(path, work, resources, **table)
    warn(opened.warnings)
    return opened


def warn(warnings: Sequence[str]) -> None:
    """Print warnings in red, one a line."""
    for warning in warnings:
        errors.print(f"[bold red]warning:[/] {warning}", highlight=False, soft_wrap=True)


def go(stages: Sequence[Stage], resources: Resources, dry_run: bool) -> bool:
    """Show the plan, or run it; True where it was run."""
    from pipelines.stage import check, run, show

    check(stages, resources)
    if dry_run:
        show(stages, resources, console)
        return False
    run(stages, resources, console)
    return True
