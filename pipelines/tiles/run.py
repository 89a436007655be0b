"""Tiles: images for people to annotate, cut inside regions of a registered brain.

Inputs: one channel of a `Volume`, the registration of the same brain. Regions are looked up at full resolution where
they are needed and never stored. Output folder:

    tiles.parquet         one row a tile, accepted or rejected: place, region, figures, reason, data sets
    tiles/NAME.png        the accepted tiles, 8 bits; tiles/tiles.csv tells their brain and voxels (um)
    sets.csv              set, tile, quality_control: what each worker is shown, in this order
    normalisation.json    the grey values shown as black and white, one pair for the brain
    overview.png          where the tiles lie, how many each region has, examples

    normalise  one step               black and white from pixels spread over the brain
    cut        rows of tiles          regions looked up, tiles read, made 8 bits, judged, stored
    deal       one step               quality-control tiles drawn, the others dealt out; tables and picture

Capacity: a row of tiles (a slice's width, a tile high) for each worker, some 10 MB of pixels of the brain, and the
table of tiles.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from pipelines.tiles.config import Config
from pipelines.tiles.job import Job
from pipelines.tiles.labels import Labels
from volumetric.atlas.selection import select
from volumetric.blocks.blockmap import BlockMap
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import InputError
from volumetric.geometry.grid import BlockGrid
from volumetric.storage.volume import Volume
from volumetric.tiles.grid import SAMPLES, TileGrid, slices_every
from volumetric.tiles.normalisation import PATCH, PLACES
from volumetric.tiles.quality import REASONS

VERSION = 1
BYTES_PER_POINT = 150
"""Of a point whose region is looked up: an upper estimate from the types."""

FIGURE_BYTES = 600 * 2**20
"""Of the overview: an upper estimate."""

ATLAS_BYTES_PER_VOXEL = 40
"""Atlas and both maps, held while tiles are cut: from their types."""

MANY = 0.5
"""Share of rejected tiles from which the settings are to be doubted."""


def plan(
    volume: Volume,
    labels: Path,
    out: Path,
    work: Path,
    config: Config,
    *,
    atlas: str | None = None,
    atlas_dir: Path | None = None,
) -> Plan:
    """The work of cutting tiles; raises `InputError` for regions, slices and data sets that cannot be."""
    channel = volume.channel_index(config.channel)
    registration = Labels.find(labels, volume, atlas, atlas_dir)
    select(registration.brain.atlas.ontology, config.regions)
    if config.sets is not None and config.sets < config.redundancy:
        raise InputError(
            f"each tile is to be in {config.redundancy} data sets but there are {config.sets}: raise --sets or lower "
            "--redundancy"
        )
    if config.white <= config.black:
        raise InputError(f"the white quantile must be above the black one, got {config.white:g} and {config.black:g}")
    slices = config.slices or slices_every(volume.shape[0], volume.space.spacing_um[0], config.every_um)
    grid = TileGrid(volume.shape, config.size, slices)
    job = Job(volume, channel, registration, grid, config.name, config, out, work)
    rows = BlockGrid(grid.counts, (1, 1, grid.counts[2]))
    itemsize = np.dtype(volume.dtype).itemsize
    pixels = grid.counts[2] * grid.size**2
    sampled = PLACES * PATCH[1] * PATCH[2]
    points = grid.counts[2] * min(SAMPLES, grid.size) ** 2
    return Plan(
        stage="tiles",
        version=VERSION,
        config={**config.model_dump(mode="json"), "name": job.name, "channel": volume.channels[channel]},
        inputs={"volume": volume.fingerprint(), "labels": registration.identity},
        passes=(
            Reduction("normalise", job.normalise, Cost(sampled * itemsize, 2**12, sampled * (2 * itemsize + 16))),
            BlockMap(
                name="cut",
                grid=rows,
                reads={"tiles": job.read},
                function=job.cut,
                writes={"images": job.write_images, "tiles": job.parts.write},
                cost=Cost(pixels * itemsize, pixels, pixels * (2 * itemsize + 1) + points * BYTES_PER_POINT),
            ),
            Reduction("deal", partial(job.deal, rows), Cost(0, 2**24, FIGURE_BYTES)),
        ),
        outputs=(
            out / "tiles.parquet",
            job.images,
            out / "sets.csv",
            out / "normalisation.json",
            out / "overview.png",
        ),
        held_bytes=ATLAS_BYTES_PER_VOXEL * registration.brain.atlas.annotation.size,
    )


def print_summary(out: Path, ledger: Ledger, console: Console) -> None:
    """Say how many tiles each region has, why others were rejected, and what each worker is shown."""
    facts = ledger.facts()["deal"]
    names = ("region", "cut", "kept", "rejected", *REASONS)
    rows = facts["regions"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, justify="left" if name == "region" else "right")
    total = {name: sum(row[name] for row in rows) for name in names[1:]}
    for row in rows:
        table.add_row(*(str(row[name]) for name in names))
    table.add_row("all", *(str(total[name]) for name in names[1:]), style="bold")
    console.print(table)
    console.print(
        "; ".join(f"{reason}: {meaning}" for reason, meaning in REASONS.items())
        + ". A tile may be rejected for several",
        highlight=False,
        soft_wrap=True,
    )
    low, high = facts["main_sizes"]
    console.print(
        f"{facts['sets']} data sets, each of {facts['quality_control']} for quality control and "
        f"{low if low == high else f'{low} or {high}'} of the {facts['main']} others",
        highlight=False,
        soft_wrap=True,
    )
    empty = [row["region"] for row in rows if row["cut"] == 0]
    bare = [row["region"] for row in rows if row["cut"] and not row["kept"]]
    if empty:
        _warn(console, f"no tile lies in {', '.join(empty)}: choose smaller tiles, more slices or a smaller share")
    if bare:
        _warn(console, f"every tile of {', '.join(bare)} was rejected: there is none for quality control either")
    if total["cut"] and total["rejected"] > MANY * total["cut"]:
        _warn(
            console,
            f"{total['rejected'] / total['cut']:.0%} of the tiles were rejected: look at the examples in "
            f"{out / 'overview.png'}. If they are good tissue, lower --white, or change the rule in a settings file",
        )
    console.print(f"look at {out / 'overview.png'} before you ask anybody", highlight=False, soft_wrap=True)


def _warn(console: Console, text: str) -> None:
    console.print(f"[bold red]warning:[/] {text}", highlight=False, soft_wrap=True)
