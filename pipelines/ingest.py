"""Ingest: any source to a multiscale, sharded OME-Zarr 0.5.

Inputs: a `Source` (c, z, y, x voxels of one dtype). Output: the volume, axes c, z, y, x, um. The unit of work is a slab
one shard thick and a band of whole shards high; the levels that halve y and x alone are made from the slab in memory,
the others in a second pass of under 2% of the data. The volume appears under its name when it is whole.
Capacity: one unit is at most 16 x 1024 x 4096 voxels; a 0.94 TB channel is 7,172 units.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.config import Settings
from volumetric.blocks.blockmap import BlockMap
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3
from volumetric.geometry.grid import Block, BlockGrid
from volumetric.geometry.orientation import check_orientation
from volumetric.geometry.space import VoxelSpace
from volumetric.imaging.pooling import mean_pool
from volumetric.storage.atomic import PARTIAL
from volumetric.storage.levels import Level, plan_levels
from volumetric.storage.omezarr import Volume, create_volume, describe_volume, set_display_range
from volumetric.storage.sources import Source

VERSION = 1

MAX_WIDTH = 4096
"""Widest unit, in whole shards: 134 MB of 16-bit voxels. Wider slices are read in several bands of columns."""

COPIES = 3
"""Peak memory of a unit in copies of its raw bytes: slab, coarser levels, one shard being compressed (an estimate)."""


class Config(Settings):
    """What changes the volume."""

    voxel_um: tuple[float, float, float]
    orientation: str | None = None
    channel_names: tuple[str, ...] | None = None


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
    identity = _plan(source, out, config, (), ()).identity
    volume = describe_volume(out, levels, names, source.dtype, orientation=orientation, identity=identity)
    return volume, levels


def plan(source: Source, out: Path, config: Config) -> Plan:
    """The work of converting a source to `out`."""
    volume, levels = target(source, out, config)
    partial_volume = Volume(**{**vars(volume), "path": out.with_name(out.name + PARTIAL)})
    passes: list[Reduction | BlockMap] = [Reduction("layout", partial(create_volume, partial_volume, levels))]
    in_slab = _levels_in_slab(levels)
    for index, name in enumerate(source.channels):
        conversion = Conversion(partial_volume, levels, index)
        passes.append(conversion.slabs(f"slabs-{name}", source, in_slab))
        passes += [conversion.coarser(f"level-{n}-{name}", n) for n in range(in_slab, len(levels))]
    passes.append(Reduction("publish", partial(_publish, partial_volume, out)))
    return _plan(source, out, config, tuple(passes), (out,))


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


def _levels_in_slab(levels: tuple[Level, ...]) -> int:
    """How many levels, from level 0, are made without their neighbours in z."""
    return next((level.number for level in levels if level.step[0] > 1), len(levels))


def _publish(partial_volume: Volume, out: Path) -> None:
    """Give viewers a display range from the coarsest level, and the volume its name."""
    if not partial_volume.path.exists():
        return  # renamed already, by a run that was stopped before it could say so
    last = len(partial_volume.levels) - 1
    whole = Box.of_shape(partial_volume.levels[last].shape)
    images = [partial_volume.read(whole, last, channel) for channel in range(len(partial_volume.channels))]
    ranges = [np.percentile(image.astype(np.float32), (1.0, 99.9)) for image in images]
    set_display_range(partial_volume, [(low, max(high, low + 1)) for low, high in ranges])
    for left_by_a_kill in partial_volume.path.rglob(f"*{PARTIAL}"):
        left_by_a_kill.unlink()
    os.rename(partial_volume.path, out)


@dataclass(frozen=True)
class Conversion:
    """The passes that fill one channel of a volume."""

    volume: Volume
    levels: tuple[Level, ...]
    channel: int

    def slabs(self, name: str, source: Source, count: int) -> BlockMap:
        """Level 0 from the source, with the first `count` levels made in the same go."""
        level = self.levels[0]
        unit = (level.shard[0], level.shard[1], min(level.shape[2], MAX_WIDTH))
        return BlockMap(
            name=name,
            grid=BlockGrid(level.shape, unit),
            reads={"image": partial(source.read, channel=self.channel)},
            function=partial(_pyramid, tuple(lv.step for lv in self.levels[1:count])),
            writes={f"level{n}": partial(self.write, n, 0) for n in range(count)},
            cost=self._cost(level, unit, 1.0),
        )

    def coarser(self, name: str, number: int) -> BlockMap:
        """One level from the level before it."""
        level = self.levels[number]
        unit = (level.shard[0], max(level.shard[1], 256), min(level.shape[2], MAX_WIDTH))
        ratio = float(np.prod(level.step))
        return BlockMap(
            name=name,
            grid=BlockGrid(level.shape, unit),
            reads={"image": partial(self.read, number - 1)},
            function=partial(_pooled, level.step),
            writes={"image": partial(self.write, number, number)},
            cost=self._cost(level, unit, ratio),
            read_box=partial(_read_box, level.step, self.levels[number - 1].shape),
        )

    def read(self, number: int, box: Box) -> npt.NDArray[Any]:
        """Voxels of one level."""
        return self.volume.read(box, number, self.channel)

    def write(self, number: int, base: int, block: Block, image: npt.NDArray[Any]) -> None:
        """Voxels of one level, for a block given on the grid of level `base`."""
        step = tuple(a // b for a, b in zip(self.levels[number].factors, self.levels[base].factors, strict=True))
        box = block.write.divide((step[0], step[1], step[2])).clip(self.levels[number].shape)
        self.volume.write(box, image, number, self.channel)

    def _cost(self, level: Level, unit: Index3, ratio: float) -> Cost:
        itemsize = np.dtype(self.volume.dtype).itemsize
        raw = int(np.prod([min(a, b) for a, b in zip(unit, level.shape, strict=True)])) * itemsize
        shard = int(np.prod(level.shard)) * itemsize
        written = raw * 4 // 3 if level.number == 0 else raw
        return Cost(int(raw * ratio), written, int(COPIES * raw * ratio) + 2 * shard)


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
