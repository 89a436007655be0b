"""The unit of conversion: within the memory, whole shards at every level it makes, kept when a run is resumed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import ingest
from pipelines.config import Resources
from volumetric.blocks.blockmap import BlockMap
from volumetric.blocks.capacity import Capacity
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Plan
from volumetric.geometry.box import Box, Index3
from volumetric.geometry.space import VoxelSpace
from volumetric.storage.levels import plan_levels
from volumetric.storage.stated import Described

BRAIN = (2600, 11000, 16000)
VOXEL_UM = (5.0, 0.7, 0.7)
GIGABYTE = 10**9


@dataclass(frozen=True)
class Imagined(Described):
    """A source of which only the shape is needed."""

    shape: Index3 = BRAIN
    grain: Index3 = (1, 64, 16000)
    dtype: str = "uint16"
    channels: tuple[str, ...] = ("signal",)
    identity: str = "imagined"

    def fill(self, out: np.ndarray, box: Box, channel: int = 0) -> None:
        raise AssertionError("a plan must not read")


def plan(source: Imagined, folder: Path, memory: int, workers: int = 2) -> Plan:
    config = ingest.Config(voxel_um=VOXEL_UM)
    return ingest.plan(source, folder / "b.ome.zarr", folder / "w", config, Resources(workers=workers, memory=memory))


def slabs(p: Plan) -> BlockMap:
    found = p.passes[1]
    assert isinstance(found, BlockMap)
    return found


@pytest.mark.parametrize("gigabytes", [1, 2, 4, 8, 64])
@pytest.mark.parametrize("workers", [1, 2, 32])
def test_a_terabyte_fits_any_memory(tmp_path: Path, gigabytes: int, workers: int) -> None:
    p = plan(Imagined(), tmp_path, gigabytes * GIGABYTE, workers)
    for current in p.passes:
        at_once = p.workers(current, Capacity(workers, gigabytes * GIGABYTE))
        assert p.base_bytes + at_once * current.cost.memory_bytes <= gigabytes * GIGABYTE


def test_slices_in_strips_are_decoded_once_where_the_memory_allows(tmp_path: Path) -> None:
    assert slabs(plan(Imagined(), tmp_path, 8 * GIGABYTE)).grid.block == (16, 1024, 16384)
    narrow = slabs(plan(Imagined(), tmp_path, GIGABYTE)).grid.block
    assert 1024 <= narrow[2] < 16384


def test_slices_in_one_strip_are_taken_whole_where_the_memory_allows(tmp_path: Path) -> None:
    whole = Imagined(shape=(100, 3000, 4000), grain=(1, 3000, 4000))
    assert slabs(plan(whole, tmp_path, 8 * GIGABYTE)).grid.block == (16, 3072, 4096)


def test_tiles_need_no_wide_units(tmp_path: Path) -> None:
    assert slabs(plan(Imagined(grain=(1, 256, 256)), tmp_path, 8 * GIGABYTE)).grid.block == (16, 1024, 1024)


@given(
    shape=st.tuples(st.integers(1, 400), st.integers(1, 20000), st.integers(1, 20000)),
    voxel=st.sampled_from([(5.0, 0.7, 0.7), (50.0, 0.5, 0.5), (2.0, 2.0, 2.0), (10.0, 0.3, 0.35), (1.0, 4.0, 4.0)]),
    memory=st.integers(GIGABYTE, 16 * GIGABYTE),
)
def test_units_write_whole_shards_at_every_level_they_make(shape: Index3, voxel: tuple, memory: int) -> None:
    levels = plan_levels(shape, VoxelSpace(voxel))
    unit = ingest.choose_unit(levels[0], (1, 64, shape[2]), 2, memory)
    for level in levels[: ingest.levels_in_slab(levels)]:
        assert level.factors[0] == 1
        for n, factor, shard in zip(unit, level.factors, level.shard, strict=True):
            assert n % (factor * shard) == 0


def test_a_resumed_run_keeps_its_cut_whatever_the_memory(tmp_path: Path) -> None:
    first = plan(Imagined(), tmp_path, 8 * GIGABYTE)
    with Ledger(tmp_path / "w", first).open():
        pass
    again = plan(Imagined(), tmp_path, 3 * GIGABYTE)
    assert again.identity == first.identity
    assert slabs(again).grid.block == (16, 1024, 16384)
    other = plan(Imagined(identity="another"), tmp_path, 2 * GIGABYTE)
    assert slabs(other).grid.block[2] < 16384
