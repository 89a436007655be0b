"""Detect: the cells of a volume.

Inputs: one channel of a `Volume`. Output: `cells.parquet`, one row a cell, positions in um and voxels, no region yet.

    contrast   one step      background, noise and tissue of the whole volume, from a coarse level
    peaks      over blocks   CenterNet on each slice, local maxima, offsets: 2-D peaks
    link       one step      peaks of consecutive slices become cells; a few slices in memory

Capacity: the coarse level is held in memory and has at most 64 Mvoxel, whatever the size of the volume.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from rich.console import Console

from pipelines.config import Resources, Settings
from volumetric.blocks.blockmap import BlockMap
from volumetric.blocks.capacity import BASE_BYTES, Capacity
from volumetric.blocks.ledger import stored_layout
from volumetric.blocks.memory import keep_large_blocks
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.detection.cells import FACTORS, cells_among
from volumetric.detection.infer import TILE_PX, detect_block, read_box
from volumetric.detection.model import Detector, load_detector
from volumetric.errors import InputError
from volumetric.findings import Finding, Grade, Verdict
from volumetric.geometry.box import Box, Index3, index3
from volumetric.geometry.grid import Block, BlockGrid
from volumetric.geometry.voxel_size import check_voxel_size, voxel_findings
from volumetric.imaging.intensity import ContrastField, fit_contrast
from volumetric.imaging.pooling import block_means
from volumetric.learn.device import choose_device, choose_dtype, use_threads
from volumetric.points.linking import Linker
from volumetric.points.table import COUNTS, cells_table
from volumetric.storage.arrays import read_arrays, write_arrays
from volumetric.storage.parts import TableParts
from volumetric.storage.tables import write_pieces
from volumetric.storage.volume import Volume
from volumetric.storage.volume_record import KEY as VOLUME
from volumetric.storage.volume_record import VolumeRecord

VERSION = 4
BLOCKS: tuple[Index3, ...] = ((64, 2048, 2048), (64, 1024, 1024), (32, 1024, 1024), (16, 1024, 1024))
"""Whole shards: of small blocks more is neighbourhood, which is decoded for each of them."""

TASKS_A_WORKER = 8
"""Blocks that each worker should have at least, so that none waits long for the last ones."""

MAX_COARSE_VOXELS = 64 * 2**20
PIECE_ROWS = 250_000
CONTRAST_BYTES = 4
"""Of a voxel of a tile, as the network sees it, at most."""

NETWORK_BYTES_PER_PIXEL = 420
"""Peak memory of one forward pass a pixel of its tile: an estimate from the layers, not measured."""

TOO_COARSE_UM = 5.0
"""A cell body is 10 to 15 um across: with larger pixels it is a pixel or two, and its count means nothing."""

LITTLE_TISSUE = 0.03
"""Share of the volume: of a whole brain in a wide frame it is a tenth and more."""


class Config(Settings):
    """What changes the cells, besides the block, which is part of the cut."""

    channel: str | None = None
    model: Path | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    block: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Detection:
    """Everything the passes need; small and picklable."""

    volume: Volume
    channel: int
    model: Path | None
    device: str
    dtype: torch.dtype
    threads: int
    work: Path

    @property
    def field_path(self) -> Path:
        return self.work / "contrast.npz"

    @property
    def parts(self) -> TableParts:
        return TableParts(self.work / "parts")

    def detector(self) -> Detector:
        """The network, loaded once a process."""
        return load_detector(self.model, choose_device(self.device), self.dtype)

    def fit(self) -> Mapping[str, Any]:
        """Fit the contrast field from a coarse level and store it."""
        level, extra = coarse_level(self.volume)
        stored = self.volume.levels[level]
        coarse = block_means(self.volume.read(Box.of_shape(stored.shape), level, self.channel), extra)
        factors = index3(f * e for f, e in zip(level_factors(self.volume, level), extra, strict=True))
        field = fit_contrast(
            coarse, factors, self.volume.shape, partial(self.volume.read, level=0, channel=self.channel)
        )
        write_arrays(self.field_path, vars(field))
        return {
            "tissue_share": field.share,
            "dark": None if np.isnan(field.dark) else field.dark,
            "noise": field.unit,
            "findings": [finding.as_json() for finding in tissue_findings(field.share)],
        }

    def read_box(self, write: Box) -> Box:
        """What a block reads."""
        return read_box(write, self.volume.shape, self.detector())

    def peaks(self, block: Block, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, pd.DataFrame]:
        """The 2-D peaks of a block."""
        field = _load_field(self.field_path, self.field_path.stat().st_mtime_ns)
        use_threads(self.threads)
        keep_large_blocks()
        return {
            "peaks": detect_block(
                arrays["image"],
                block.read,
                block.write,
                shape=self.volume.shape,
                field=field,
                detector=self.detector(),
            )
        }

    def link(self, grid: BlockGrid, out: Path, identity: str) -> Mapping[str, Any]:
        """Join the peaks of all slices to cells and write the table."""
        counts = self.detector().settings.counts
        told = {VOLUME: VolumeRecord.of(self.volume).text} | ({COUNTS: counts.text} if counts else {})
        rows = write_pieces(out, self._pieces(grid), {"identity": identity, **told})
        return {"cells": rows, "findings": [finding.as_json() for finding in cell_findings(rows)]}

    def _pieces(self, grid: BlockGrid) -> Iterator[pd.DataFrame]:
        """Pieces of the cells table, in an order that the cut into blocks does not change."""
        waiting: list[pd.DataFrame] = []
        first_id = 0
        for found in self._finished(grid):
            waiting.append(found)
            if sum(map(len, waiting)) >= PIECE_ROWS:
                yield cells_table(pd.concat(waiting), self.volume.space, first_id)
                first_id += sum(map(len, waiting))
                waiting = []
        yield cells_table(pd.concat(waiting), self.volume.space, first_id)

    def _finished(self, grid: BlockGrid) -> Iterator[pd.DataFrame]:
        settings, order = self.detector().settings, ["z_vox", "y_vox", "x_vox"]
        linker = Linker(settings.linking)
        for slices, rows in self.parts.slabs(grid):
            by_slice = {int(str(z)): part for z, part in rows.groupby("z_vox")}
            for z in slices:
                yield cells_among(linker.push(z, by_slice.get(z, rows.iloc[:0])), settings).sort_values(order)
        yield cells_among(linker.finish(), settings).sort_values(order)


def plan(volume: Volume, out: Path, work: Path, config: Config, resources: Resources) -> Plan:
    """The work of finding the cells of a volume.

    Raises `InputError` for a voxel size or slices that show no brain.
    """
    check_voxel_size(volume.space.spacing_um)
    detection = Detection(
        volume=volume,
        channel=volume.channel_index(config.channel),
        model=config.model,
        device=resources.device,
        dtype=choose_dtype(config.precision, choose_device(resources.device)),
        threads=resources.capacity.threads,
        work=work,
    )
    detector = detection.detector()
    if min(volume.shape[1:]) < 16:
        raise InputError(f"slices of {volume.shape[1]} x {volume.shape[2]} px are too small to look for cells")
    content = {
        "channel": volume.channels[detection.channel],
        "model": detector.sha256,
        "precision": str(detection.dtype).removeprefix("torch."),
    }
    bare = Plan("detect", VERSION, content, {"volume": volume.fingerprint()}, (), (out,), _field_bytes(volume))
    begun = stored_layout(work, bare, "peaks")  # the cut of an earlier session is kept
    chosen = config.block or (index3(begun["block"]) if begun else choose_block(volume, detector, resources.capacity))
    grid = BlockGrid(volume.shape, chosen)
    passes = (
        Reduction("contrast", detection.fit, _fit_cost(volume)),
        BlockMap(
            name="peaks",
            grid=grid,
            reads={"image": partial(volume.read, level=0, channel=detection.channel)},
            function=detection.peaks,
            writes={"peaks": detection.parts.write},
            cost=_block_cost(volume, grid, detector),
            read_box=detection.read_box,
        ),
        Reduction("link", partial(detection.link, grid, out, bare.identity), Cost(0, 0, 600 * 2**20)),
    )
    return replace(bare, passes=passes)


def choose_block(volume: Volume, detector: Detector, capacity: Capacity) -> Index3:
    """The largest block of which each worker has several, and that fits its memory; the smallest where none does."""
    held = BASE_BYTES + _field_bytes(volume)
    each = capacity.process_bytes - held if capacity.processes else (capacity.memory_bytes - held) // capacity.workers
    for block in BLOCKS[:-1]:
        grid = BlockGrid(volume.shape, block)
        cost = _block_cost(volume, grid, detector)
        needed = cost.memory_bytes + (0 if capacity.processes else cost.bytes_read)
        if needed <= each and len(grid) >= TASKS_A_WORKER * capacity.workers:
            return block
    return BLOCKS[-1]


def coarse_level(volume: Volume) -> tuple[int, Index3]:
    """The level the contrast field is fitted to, and how far it must be pooled on top.

    The finest level that fits the memory: the voxels of coarser ones are rounded more often. Pooled to blocks of
    2 x 8 x 8 voxels at least.
    """
    fitting = (n for n in range(len(volume.levels)) if _voxels(volume, n) <= MAX_COARSE_VOXELS)
    number = next(fitting, len(volume.levels) - 1)
    extra = index3(max(1, want // have) for want, have in zip(FACTORS, level_factors(volume, number), strict=True))
    return number, extra


def level_factors(volume: Volume, level: int) -> Index3:
    """Voxels of level 0 in a voxel of a level, along each axis."""
    pairs = zip(volume.levels[level].space.spacing_um, volume.space.spacing_um, strict=True)
    return index3(round(a / b) for a, b in pairs)


def too_coarse(volume: Volume) -> str | None:
    """Why the voxels cannot show single cells, or None where they can."""
    pixel = max(volume.space.spacing_um[1:])
    if pixel <= TOO_COARSE_UM:
        return None
    return (
        f"pixels of {pixel:g} um are too coarse for cells (a cell body is 10 to 15 um across; pixels of at most "
        f"{TOO_COARSE_UM:g} um can show it): the counts of this run are not counts of cells"
    )


def voxel_doubts(volume: Volume) -> list[Finding]:
    """What makes the voxel size doubtful for cells, known before any work."""
    reason = too_coarse(volume)
    return voxel_findings(volume.space.spacing_um) + ([Finding(Grade.UNUSABLE, reason)] if reason else [])


def tissue_findings(share: float) -> list[Finding]:
    """Says so where hardly anything of the volume is tissue."""
    if share >= LITTLE_TISSUE:
        return []
    return [
        Finding(
            Grade.DOUBTFUL,
            f"only {share:.1%} of the volume looks like tissue (expected: {LITTLE_TISSUE:.0%} or more): is it the "
            "right channel, and does it show more than a bright object or an empty field? Look at the image, and cut "
            "away what is empty",
        )
    ]


def cell_findings(count: int) -> list[Finding]:
    """Says so where there is no cell at all."""
    if count:
        return []
    return [
        Finding(
            Grade.UNUSABLE,
            "no cells were found: the channel may show none, the voxel size may be wrong, or the detector does not "
            "know such cells. Look at the image, check --channel (or --signal) and --voxel-um, and adapt the "
            "detector with `volumetric calibrate`",
        )
    ]


def findings(volume: Volume, facts: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """What was noticed before and during a detection; `facts` of its ledger, by pass."""
    told = [record for name in ("contrast", "link") for record in facts[name]["findings"]]
    return voxel_doubts(volume) + [Finding.from_json(record) for record in told]


def print_summary(volume: Volume, out: Path, facts: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    """Say what was found, and in red what speaks against it."""
    noticed = Verdict.of(findings(volume, facts))
    style = "bold red" if noticed.grade is Grade.UNUSABLE else "bold"
    console.print(f"[{style}]{facts['link']['cells']:,}[/] cells in {out}", highlight=False)
    for doubt in noticed.doubts:
        console.print(f"[bold red]warning:[/] {doubt}", highlight=False, soft_wrap=True)


def _voxels(volume: Volume, level: int) -> int:
    return int(np.prod(volume.levels[level].shape, dtype=np.int64))


def _fit_cost(volume: Volume) -> Cost:
    level, extra = coarse_level(volume)
    raw = _voxels(volume, level) * np.dtype(volume.dtype).itemsize
    pooled = _voxels(volume, level) // int(np.prod(extra)) * 4
    return Cost(raw, pooled, 2 * raw + 12 * pooled)


def _field_bytes(volume: Volume) -> int:
    """The contrast field that each process holds: of a coarse voxel its background, at most, and its tissue."""
    level, extra = coarse_level(volume)
    return _voxels(volume, level) // int(np.prod(extra)) * 5


def _block_cost(volume: Volume, grid: BlockGrid, detector: Detector) -> Cost:
    write = grid.block_at((0, 0, 0)).write
    read = read_box(write, volume.shape, detector)
    image = read.size * np.dtype(volume.dtype).itemsize
    edge = TILE_PX + 2 * detector.halo_px
    tile = min(read.shape[1], edge) * min(read.shape[2], edge)
    return Cost(image, 0, image + tile * (read.shape[0] * CONTRAST_BYTES + NETWORK_BYTES_PER_PIXEL))


@lru_cache(maxsize=2)
def _load_field(path: Path, written_ns: int) -> ContrastField:
    """The stored field; a file written anew is read anew."""
    arrays = read_arrays(path)
    numbers = {name: float(arrays[name]) for name in ("zero", "fill", "share", "dark", "unit")}
    return ContrastField(
        background=arrays["background"],
        corner=index3(arrays["corner"]),
        factors=index3(arrays["factors"]),
        tissue=arrays["tissue"],
        tissue_factors=index3(arrays["tissue_factors"]),
        padding=arrays["padding"],
        **numbers,
    )
