"""Info: what a volume is, for people, and whether it is whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from pipelines.config import Resources
from pipelines.verify import find_damage
from volumetric.blocks.plan import megabytes
from volumetric.errors import InputError, VolumetricError
from volumetric.storage.atomic import PARTIAL
from volumetric.storage.integrity import layout
from volumetric.storage.omezarr import UNSTATED, is_zarr, open_zarr
from volumetric.storage.sources import open_source
from volumetric.storage.volume import Volume

LISTED = 20


def open_for_info(path: Path) -> Volume | None:
    """The volume at a path, or None where there are images to be converted; raises `InputError` for neither."""
    unfinished = path.with_name(path.name + PARTIAL)
    if not path.exists() and unfinished.exists():
        raise InputError(f"{path} is not finished: its conversion was stopped. Repeat the ingest command to resume it")
    return open_zarr(path, UNSTATED) if is_zarr(path) else None


def show(path: Path, console: Console) -> None:
    """Print shape, voxel, levels, codec, size, orientation and completeness; raises `InputError` for no volume."""
    volume = open_for_info(path)
    if volume is not None:
        _show_volume(volume, console)
        return
    source = open_source(path)
    console.print(f"{path}: images to be converted, complete and readable", highlight=False)
    console.print(f"  shape (z, y, x)  {_times(source.shape)}\n  data type        {source.dtype}", highlight=False)
    console.print(f"  channels         {', '.join(source.channels)}", highlight=False)
    stated = source.spacing_um
    console.print(f"  voxel um         {_times(stated) if stated else 'not stated by the files'}", highlight=False)


def check_complete(path: Path, console: Console) -> None:
    """Say whether all files of a volume of our own are there; raises `VolumetricError` where some are not."""
    volume = open_for_info(path)
    if volume is None or volume.identity is None:
        return
    levels = [layout(volume, level) for level in range(len(volume.levels))]
    missing = sum(level.expected - level.present for level in levels)
    if missing:
        raise VolumetricError(
            f"{path} is incomplete: {missing} of {sum(level.expected for level in levels)} files are missing. "
            "--verify names them; `volumetric ingest` with --repair writes them again"
        )
    console.print("complete: all files are there; --verify reads them and checks their checksums", highlight=False)


def verify_volume(path: Path, resources: Resources, console: Console) -> None:
    """Read every file again and print what is damaged; raises `VolumetricError` where anything is."""
    volume = open_for_info(path)
    if volume is None:
        raise InputError(f"{path} is not an OME-Zarr: only a converted volume can be verified")
    damage = find_damage(volume, resources, console)
    for found in damage[:LISTED]:
        console.print(f"damaged: {found}", highlight=False, soft_wrap=True)
    files = sum(layout(volume, level).expected for level in range(len(volume.levels)))
    if damage:
        raise VolumetricError(
            f"of {files} files, {len(damage)} damaged or missing. Repeat the ingest command that made {path} with "
            "--repair: it writes just these again"
        )
    how = "their checksums are right" if layout(volume, 0).checksums else "can be decoded; they carry no checksums"
    console.print(f"verified: all {files} files are there and {how}", highlight=False)


def _show_volume(volume: Volume, console: Console) -> None:
    size = sum(file.stat().st_size for file in volume.path.rglob("*") if file.is_file())
    raw = int(np.prod(volume.shape)) * np.dtype(volume.dtype).itemsize * len(volume.channels)
    console.print(f"{volume.path}: OME-Zarr volume", highlight=False)
    console.print(f"  channels         {', '.join(volume.channels)}", highlight=False)
    console.print(f"  data type        {volume.dtype}", highlight=False)
    console.print(f"  orientation      {volume.orientation or 'not stated'}", highlight=False)
    console.print(f"  size on disk     {megabytes(size)} (level 0 raw: {megabytes(raw)})", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("level", "shape (z, y, x)", "voxel um", "file", "chunk", "codec", "files"):
        table.add_column(name)
    for number, level in enumerate(volume.levels):
        found = layout(volume, number)
        table.add_row(
            level.path.name,
            _times(level.shape),
            _times(level.space.spacing_um),
            _times(found.shard),
            _times(found.chunk),
            found.codec,
            f"{found.present} of {found.expected}",
        )
    console.print(table)


def _times(values: tuple[float, ...] | tuple[int, ...]) -> str:
    return " x ".join(f"{value:g}" for value in values)
