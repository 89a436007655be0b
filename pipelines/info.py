"""Info: what a volume is, or images are before they are converted, for people; and whether a volume is whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from pipelines.config import Resources
from pipelines.preview import preview, times
from pipelines.verify import find_damage
from volumetric.blocks.plan import megabytes
from volumetric.errors import InputError, VolumetricError
from volumetric.geometry.space import Um3
from volumetric.storage.atomic import PARTIAL
from volumetric.storage.integrity import Layout, layout
from volumetric.storage.ngff import is_zarr
from volumetric.storage.omezarr import look_at_zarr, with_voxel
from volumetric.storage.sources import open_source
from volumetric.storage.sources.zarr_array import ZarrSource
from volumetric.storage.volume import Volume

LISTED = 20


def open_for_info(path: Path, axes: str | None = None) -> Volume | None:
    """The volume at a path, or None where there are images to be converted; raises `InputError` for neither."""
    unfinished = path.with_name(path.name + PARTIAL)
    if not path.exists() and unfinished.exists():
        raise InputError(f"{path} is not finished: its conversion was stopped. Repeat the ingest command to resume it")
    return look_at_zarr(path, axes) if is_zarr(path) else None


def show(
    path: Path,
    console: Console,
    *,
    voxel_um: Um3 | None = None,
    axes: str | None = None,
    channel_pattern: str | None = None,
) -> None:
    """Print what will be read, where its voxel size comes from, and what is doubtful; of a volume its levels too.

    Raises `InputError` where there is nothing that can be read.
    """
    volume = open_for_info(path, axes)
    if volume is not None:
        _show_volume(volume, voxel_um, console)
        return
    source = open_source(path, axes, channel_pattern)
    console.print(f"{path}: images to be converted, complete and readable", highlight=False, soft_wrap=True)
    preview(source, voxel_um).print(console)


def check_complete(path: Path, console: Console, axes: str | None = None) -> None:
    """Say whether all files of a volume of our own are there; raises `VolumetricError` where some are not."""
    volume = open_for_info(path, axes)
    if volume is None or volume.identity is None:
        return
    levels = _layouts(volume)
    missing = sum(level.expected - level.present for level in levels)
    if missing:
        raise VolumetricError(
            f"{path} is incomplete: {missing} of {sum(level.expected for level in levels)} files are missing. "
            "--verify names them; `volumetric ingest` with --repair writes them again"
        )
    console.print("complete: all files are there; --verify reads them and checks their checksums", highlight=False)


def verify_volume(path: Path, resources: Resources, console: Console, axes: str | None = None) -> None:
    """Read every file again and print what is damaged; raises `VolumetricError` where anything is."""
    volume = open_for_info(path, axes)
    if volume is None:
        raise InputError(f"{path} is not a Zarr: only a converted volume can be verified")
    damage = find_damage(volume, resources, console)
    for found in damage[:LISTED]:
        console.print(f"damaged: {found}", highlight=False, soft_wrap=True)
    levels = _layouts(volume)
    files, present = sum(level.expected for level in levels), sum(level.present for level in levels)
    if damage:
        way = (
            f"Repeat the ingest command that made {path} with --repair: it writes just these again"
            if volume.identity
            else "Copy these files again, or have the program that made it write it again"
        )
        raise VolumetricError(f"of {files} files, {len(damage)} damaged or missing. {way}")
    how = "their checksums are right" if levels[0].checksums else "can be decoded; they carry no checksums"
    there = f"all {files} files are there" if files == present else f"{present} of {files} files are there"
    console.print(f"verified: {there} and {how}", highlight=False, soft_wrap=True)
    if files != present:
        console.print(
            f"the other {files - present} are not stored: in Zarr their voxels are {volume.array(0).fill_value}",
            highlight=False,
            soft_wrap=True,
        )


def _layouts(volume: Volume) -> list[Layout]:
    return [layout(volume, level) for level in range(len(volume.levels))]


def _show_volume(volume: Volume, voxel_um: Um3 | None, console: Console) -> None:
    size = sum(file.stat().st_size for file in volume.path.rglob("*") if file.is_file())
    raw = int(np.prod(volume.shape)) * np.dtype(volume.dtype).itemsize * len(volume.channels)
    console.print(f"{volume.path}: OME-Zarr volume" if volume.path != volume.levels[0].path else
                  f"{volume.path}: Zarr array", highlight=False, soft_wrap=True)  # fmt: skip
    preview(ZarrSource(volume), voxel_um, values=False).print(console)
    console.print(f"  orientation      {volume.orientation or 'not stated'}", highlight=False)
    console.print(f"  size on disk     {megabytes(size)} (level 0 raw: {megabytes(raw)})", highlight=False)
    known = voxel_um is not None or volume.voxel.whole_um is not None
    shown = with_voxel(volume, voxel_um) if known else volume
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("level", "shape (z, y, x)", "voxel um", "file", "chunk", "codec", "files"):
        table.add_column(name)
    for level, found in zip(shown.levels, _layouts(volume), strict=True):
        table.add_row(
            level.path.name,
            times(level.shape),
            times(level.space.spacing_um) if known else "?",
            times(found.shard),
            times(found.chunk),
            found.codec,
            f"{found.present} of {found.expected}",
        )
    console.print(table)
