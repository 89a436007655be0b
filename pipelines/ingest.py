"""Ingest: any source to a multiscale OME-Zarr.

Inputs: a `Source` (c, z, y, x voxels of one dtype). Output: the volume, axes c, z, y, x, um. The unit of work is a slab
one shard thick, and as wide and high as the memory allows, in whole shards; the levels that halve y and x alone are
made from the slab in memory, the others in a second pass of under 2% of the data. One slab is decoded while another
is compressed and written. The volume appears under its name when it is whole.

Capacity: slices of any size and number; memory follows the unit, never the volume.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.config import Resources, Settings
from volumetric.blocks.blockmap import BlockMap
from volumetric.blocks.capacity import BASE_BYTES
from volumetric.blocks.ledger import stored_layout
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3, index3
from volumetric.geometry.grid import Block, BlockGrid
from volumetric.geometry.orientation import check_orientation
from volumetric.geometry.space import VoxelSpace
from volumetric.imaging.pooling import mean_pool
from volumetric.storage.atomic import PARTIAL
from volumetric.storage.encoding import Codec, Encoding, Ngff
from volumetric.storage.integrity import Damage
from volumetric.storage.levels import Level, plan_levels
from volumetric.storage.omezarr import create_volume, describe_volume, set_display_range
from volumetric.storage.sources import Source, read
from volumetric.storage.volume import Volume

VERSION = 2

UNITS_IN_MEMORY = 2
"""One slab is compressed and written while the next is decoded."""

SHARD_COPIES = 3
"""Memory of writing one shard, in copies of its raw bytes: its voxels, its chunks, what they are compressed to."""


class Config(Settings):
    """What changes the volume."""

    voxel_um: tuple[float, float, float]
    orientation: str | None = None
    channel_names: tuple[str, ...] | None = None
    codec: Codec = "zstd-1"
    ngff: Ngff = "0.5"
    sharded: bool = True

    @property
    def encoding(self) -> Encoding:
        """How the volume is stored."""
        return Encoding(self.ngff, self.sharded, self.codec)


def target(source: Source, out: Path, config: Config) -> tuple[Volume, tuple[Level, ...]]:
    """The volume that ingest will make, and its levels; nothing is read or written."""
    space = VoxelSpace(config.voxel_um)
    levels = plan_levels(source.shape, space)
    orientation = check_orientation(config.orientation) if config.orientation else None
    names = config.channel_names or source.channels
    if len(names) != len(source.channels) or len(set(names)) != len(names):
        raise InputError(
            f"expected {len(source.channels)} different channel names for {', '.join(source.channels)}, "
            f"got {', '.join(names)}"
        )
    if not all(name.strip() for name in names):
        raise InputError(f"a channel without a name cannot be told from others: give names, got {names}")
    identity = _plan(source, out, config, (), ()).identity
    volume = describe_volume(out, levels, names, source.dtype, orientation=orientation, identity=identity)
    return volume, levels


def plan(source: Source, out: Path, work: Path, config: Config, resources: Resources) -> Plan:
    """The work of converting a source to `out`.

    A run that is resumed from `work` keeps the cut it began with, whatever the memory is now.
    """
    volume, levels = target(source, out, config)
    bare = _plan(source, out, config, (), ())
    at = out.with_name(out.name + PARTIAL)
    unfinished = replace(volume, path=at, levels=tuple(replace(lv, path=at / lv.path.name) for lv in volume.levels))
    passes: list[Reduction | BlockMap] = [
        Reduction("layout", partial(create_volume, unfinished, levels, config.encoding)),
        *conversions(source, unfinished, levels, stored_layout(work, bare, "slabs-0"), resources),
        Reduction("publish", partial(_publish, unfinished, out)),
    ]
    return _plan(source, out, config, tuple(passes), (out,))


def repair_plan(
    source: Source, out: Path, work: Path, config: Config, resources: Resources, *, damage: list[Damage]
) -> Plan:
    """The work of writing damaged files of a finished volume again: the units that hold them, and no others.

    Raises `InputError` where the volume was not made from this source with these settings.
    """
    volume, levels = target(source, out, config)
    passes = []
    for current in conversions(source, volume, levels, None, resources):
        _, channel, *rest = current.name.split("-")
        base = int(rest[0]) if rest else 0
        made = (base,) if rest else range(levels_in_slab(levels))
        boxes = [
            found.box.multiply(_step(levels, base, found.level))
            for found in damage
            if found.channel == int(channel) and found.level in made
        ]
        if boxes:
            passes.append(replace(current, only=frozenset(b.key for box in boxes for b in current.grid.touching(box))))
    return replace(_plan(source, out, config, tuple(passes), (work / "repaired",)), stage="repair")


def levels_in_slab(levels: tuple[Level, ...]) -> int:
    """How many levels, from level 0, a slab makes by itself: whole shards, and no neighbours in z needed."""
    count = 1
    for before, level in itertools.pairwise(levels):
        if level.step[0] > 1 or level.shard[1] * 2 != before.shard[1]:
            break
        count += 1
    return count


def choose_unit(level: Level, grain: Index3, itemsize: int, memory_bytes: int) -> Index3:
    """Voxels of one slab: as wide as the slice where strips run across it, and within the memory.

    A slab grows first in width, then in height, by whole shards, until nothing is decoded twice or the memory is used.
    """
    depth, edge = level.shard[0], level.shard[1]
    wanted = [_whole(min(n, max(g, edge)), edge) for n, g in zip(level.shape[1:], grain[1:], strict=True)]
    budget = (memory_bytes - BASE_BYTES) // UNITS_IN_MEMORY
    height, width = edge, edge
    while width < wanted[1] and slab_bytes((depth, height, width + edge), itemsize, level) <= budget:
        width += edge
    while height < wanted[0] and slab_bytes((depth, height + edge, width), itemsize, level) <= budget:
        height += edge
    return (depth, height, width)


def slab_bytes(unit: Index3, itemsize: int, level: Level) -> int:
    """Peak memory of one slab with its coarser levels, while two of its shards are written."""
    return math.prod(unit) * itemsize * 4 // 3 + 2 * SHARD_COPIES * math.prod(level.shard) * itemsize


def _plan(
    source: Source, out: Path, config: Config, passes: tuple[Reduction | BlockMap, ...], outputs: tuple[Path, ...]
) -> Plan:
    return Plan(
        stage="ingest",
        version=VERSION,
        config=config.model_dump(),
        inputs={"source": source.identity},
        passes=passes,
        outputs=outputs,
    )


def conversions(
    source: Source,
    volume: Volume,
    levels: tuple[Level, ...],
    stored: Mapping[str, Any] | None,
    resources: Resources,
    *,
    first: int = 0,
) -> list[BlockMap]:
    """The passes that fill a volume from level `first` on: `slabs-C` and `level-C-N` for every channel C.

    `stored` is the cut of an earlier session, which is kept.
    """
    itemsize = np.dtype(source.dtype).itemsize
    room = resources.capacity
    unit = index3(stored["block"]) if stored else choose_unit(levels[0], source.grain, itemsize, room.process_bytes)
    tasks = len(BlockGrid(levels[0].shape, unit))
    threads = room.threads if room.processes else max(1, room.workers // min(tasks, UNITS_IN_MEMORY))
    passes = []
    for channel in range(len(source.channels)):
        conversion = Conversion(volume, levels, channel, threads, first)
        passes.append(conversion.slabs(source, unit))
        passes += [conversion.coarser(n) for n in range(levels_in_slab(levels), len(levels))]
    return passes


@dataclass(frozen=True)
class Conversion:
    """The passes that fill one channel of a volume; each task uses `threads` to decode and to compress."""

    volume: Volume
    levels: tuple[Level, ...]
    channel: int
    threads: int
    first: int = 0

    def slabs(self, source: Source, unit: Index3) -> BlockMap:
        """The levels that a slab of the source makes by itself."""
        level, count = self.levels[0], levels_in_slab(self.levels)
        itemsize = np.dtype(source.dtype).itemsize
        inside = index3(min(a, b) for a, b in zip(unit, level.shape, strict=True))
        raw = math.prod(inside) * itemsize
        return BlockMap(
            name=f"slabs-{self.channel}",
            grid=BlockGrid(level.shape, unit),
            reads={"image": partial(_decoded, source, self.channel, self.threads)},
            function=partial(_pyramid, tuple(lv.step for lv in self.levels[1:count])),
            writes={f"level{n}": partial(self.write, n, 0) for n in range(self.first, count)},
            # Reading ahead holds one slab more, which the plan adds.
            cost=Cost(raw, raw * 4 // 3, slab_bytes(inside, itemsize, level)),
        )

    def coarser(self, number: int) -> BlockMap:
        """One level from the level before it."""
        level, finer = self.levels[number], self.levels[number - 1]
        unit = (level.shard[0], 2 * level.shard[1], 4 * level.shard[2])
        itemsize = np.dtype(self.volume.dtype).itemsize
        raw = math.prod(min(a, b) for a, b in zip(unit, level.shape, strict=True)) * itemsize
        made_of = raw * math.prod(level.step)
        return BlockMap(
            name=f"level-{self.channel}-{number}",
            grid=BlockGrid(level.shape, unit),
            reads={"image": partial(self.read, number - 1)},
            function=partial(_pooled, level.step),
            writes={"image": partial(self.write, number, number)},
            cost=Cost(made_of, raw, 2 * made_of + raw + 2 * SHARD_COPIES * math.prod(finer.shard) * itemsize),
            read_box=partial(_read_box, level.step, finer.shape),
        )

    def read(self, number: int, box: Box) -> npt.NDArray[Any]:
        """Voxels of one level."""
        return self.volume.read(box, number, self.channel)

    def write(self, number: int, base: int, block: Block, image: npt.NDArray[Any]) -> None:
        """Voxels of one level, for a block given on the grid of level `base`."""
        box = block.write.divide(_step(self.levels, base, number)).clip(self.levels[number].shape)
        self.volume.write(box, image, number, self.channel, threads=self.threads)


def _step(levels: tuple[Level, ...], finer: int, coarser: int) -> Index3:
    """How many voxels of one level make one of another, along each axis."""
    return index3(a // b for a, b in zip(levels[coarser].factors, levels[finer].factors, strict=True))


def _publish(unfinished: Volume, out: Path) -> None:
    """Give viewers a display range from the coarsest level, and the volume its name."""
    if not unfinished.path.exists():
        return  # renamed already, by a run that was stopped before it could say so
    last = len(unfinished.levels) - 1
    whole = Box.of_shape(unfinished.levels[last].shape)
    images = [unfinished.read(whole, last, channel) for channel in range(len(unfinished.channels))]
    set_display_range(unfinished, [_display_range(image) for image in images])
    for left_by_a_kill in unfinished.path.rglob(f"*{PARTIAL}"):
        left_by_a_kill.unlink()
    os.rename(unfinished.path, out)


def _display_range(image: npt.NDArray[np.generic]) -> tuple[float, float]:
    """From the darkest percent to the brightest thousandth; voxels that are no numbers are left out."""
    values = image.astype(np.float32)
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, (1.0, 99.9)) if values.size else (0.0, 1.0)
    return float(low), float(max(high, low + 1))


def _whole(length: int, edge: int) -> int:
    """A length in whole shards."""
    return -(-length // edge) * edge


def _decoded(source: Source, channel: int, threads: int, box: Box) -> npt.NDArray[Any]:
    return read(source, box, channel, threads)


def _read_box(step: Index3, shape: Index3, box: Box) -> Box:
    return box.multiply(step).clip(shape)


def _pyramid(
    steps: tuple[Index3, ...], block: Block, arrays: Mapping[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[Any]]:
    images = [arrays["image"]]
    for step in steps:
        images.append(mean_pool(images[-1], step))
    return {f"level{n}": image for n, image in enumerate(images)}


def _pooled(step: Index3, block: Block, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    return {"image": mean_pool(arrays["image"], step)}
