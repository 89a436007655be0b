"""Info: what a volume is, for people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from volumetric.blocks.plan import megabytes
from volumetric.errors import InputError
from volumetric.storage.atomic import PARTIAL
from volumetric.storage.omezarr import is_ome_zarr, open_ome_zarr, storage_layout
from volumetric.storage.sources import open_source


def show(path: Path, console: Console) -> None:
    """Print shape, voxel, levels, codec, size, orientation and completeness; raises `InputError` for no volume."""
    unfinished = path.with_name(path.name + PARTIAL)
    if not path.exists() and unfinished.exists():
        raise InputError(f"{path} is not finished: its conversion was stopped. Repeat the ingest command to resume it")
    if path.is_dir() and is_ome_zarr(path):
        _show_volume(path, console)
    else:
        source = open_source(path)
        console.print(f"{path}: images to be converted, complete and readable", highlight=False)
        console.print(f"  shape (z, y, x)  {_times(source.shape)}\n  data type        {source.dtype}", highlight=False)
        console.print(f"  channels         {', '.join(source.channels)}", highlight=False)


def _show_volume(path: Path, console: Console) -> None:
    volume = open_ome_zarr(path)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    raw = int(np.prod(volume.shape)) * np.dtype(volume.dtype).itemsize * len(volume.channels)
    console.print(f"{path}: OME-Zarr volume", highlight=False)
    console.print(f"  channels         {', '.join(volume.channels)}", highlight=False)
    console.print(f"  data type        {volume.dtype}", highlight=False)
    console.print(f"  orientation      {volume.orientation or 'not stated'}", highlight=False)
    console.print(f"  size on disk     {megabytes(size)} (level 0 raw: {megabytes(raw)})", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("level", "shape (z, y, x)", "voxel um", "shard", "chunk", "codec", "shards"):
        table.add_column(name)
    for number, level in enumerate(volume.levels):
        layout = storage_layout(volume, number)
        table.add_row(
            level.path,
            _times(level.shape),
            _times(level.space.spacing_um),
            _times(layout.shard[-3:]),
            _times(layout.chunk[-3:]),
            layout.codec,
            f"{layout.present} of {layout.expected}",
        )
    console.print(table)


def _times(values: tuple[float, ...] | tuple[int, ...]) -> str:
    return " x ".join(f"{value:g}" for value in values)
