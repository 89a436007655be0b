"""A brain that is not there, and the plans that the stages would make for it: tasks, bytes and memory are theirs."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from pipelines import assign, detect, ingest, register
from pipelines.config import Resources
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3, index3
from volumetric.geometry.space import Um3, VoxelSpace
from volumetric.storage.stated import Described

DTYPE = "uint16"


@dataclass(frozen=True)
class Brain:
    """What is known of a brain before it is there.

    Args:
        shape: slices, rows and columns of a channel.
        voxel_um: voxel size.
        channels: channels that are converted; cells are looked for in one of them.
        tissue: share of its voxels where there is tissue: elsewhere blocks are read, but not looked through.
        cells: cells that will be found.
        atlas_um: voxel size of the atlas, which is as large as the volume.
    """

    shape: Index3
    voxel_um: Um3
    channels: int = 1
    tissue: float = 1.0
    cells: int = 1_000_000
    atlas_um: float = 50.0

    @property
    def voxels(self) -> int:
        """Of a channel."""
        return math.prod(self.shape)

    @property
    def atlas_shape(self) -> Index3:
        """Voxels of an atlas of the volume's extent."""
        extent = VoxelSpace(self.voxel_um).extent_um(self.shape)
        return index3(max(1, round(edge / self.atlas_um)) for edge in extent)


@dataclass(frozen=True)
class NoImages(Described):
    """A source (`volumetric.storage.sources.Source`) of 16 bits whose slices are decoded whole, and which has none."""

    shape: Index3
    channels: tuple[str, ...]
    dtype: str = DTYPE
    identity: str = "not there"

    @property
    def grain(self) -> Index3:
        return (1, *self.shape[1:])

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """There is nothing to read."""
        raise InputError("a brain that is only planned has no images")


def plans(brain: Brain, resources: Resources, preset: register.Preset = "standard") -> Mapping[str, Plan]:
    """The plan of every stage; nothing is read or written."""
    source = NoImages(brain.shape, tuple(f"channel{n}" for n in range(brain.channels)))
    config = ingest.Config(voxel_um=brain.voxel_um)
    with tempfile.TemporaryDirectory() as name:  # empty: no run there is to be gone on with
        folder = Path(name)
        out = folder / "brain.ome.zarr"
        volume, _ = ingest.target(source, out, config)
        anywhere = resources.model_copy(update={"device": "cpu"})  # a plan is the same for every device
        found = {
            "ingest": ingest.plan(source, out, folder / "ingest", config, resources),
            "detect": detect.plan(volume, folder / "cells.parquet", folder / "detect", detect.Config(), anywhere),
        }
    level = volume.levels[volume.nearest_level(brain.atlas_um)]
    atlas = math.prod(brain.atlas_shape)
    registering, assigning = register.costs(math.prod(level.shape), atlas, preset), assign.costs(atlas)
    return {
        "ingest": found["ingest"],
        "register": _costed("register", registering, 0),
        "detect": found["detect"],
        "assign": _costed("assign", assigning, assign.held_bytes(atlas)),
    }


def _costed(stage: str, costs: Mapping[str, Cost], held_bytes: int) -> Plan:
    """A plan of steps that cost something and do nothing."""
    steps = tuple(Reduction(name, lambda: None, cost) for name, cost in costs.items())
    return Plan(stage, 1, {}, {}, steps, (), held_bytes)
