"""The blocks of detection: as large as memory and workers allow, kept when a run is resumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import detect, ingest
from pipelines.config import Resources
from tests.unit.test_ingest_units import BRAIN, GIGABYTE, VOXEL_UM, Imagined
from volumetric.blocks.blockmap import BlockMap
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Plan
from volumetric.geometry.box import Index3
from volumetric.storage.volume import Volume

LARGE, SMALL = detect.BLOCKS[0], detect.BLOCKS[-1]


def volume(folder: Path, shape: Index3 = BRAIN) -> Volume:
    return ingest.target(Imagined(shape), folder / "b.ome.zarr", ingest.Config(voxel_um=VOXEL_UM))[0]


def plan(folder: Path, memory: int, workers: int = 2, shape: Index3 = BRAIN, **options) -> Plan:
    config = detect.Config(**options)
    resources = Resources(workers=workers, memory=memory)
    return detect.plan(volume(folder, shape), folder / "cells.parquet", folder / "w", config, resources)


def block(p: Plan) -> Index3:
    return next(current for current in p.passes if isinstance(current, BlockMap)).grid.block


@pytest.mark.parametrize("gigabytes", [2, 4, 8, 64])
@pytest.mark.parametrize("workers", [1, 2, 8])
def test_a_terabyte_fits_the_memory_with_all_workers_where_it_can(tmp_path: Path, gigabytes: int, workers: int) -> None:
    p = plan(tmp_path, gigabytes * GIGABYTE, workers)
    room = Resources(workers=workers, memory=gigabytes * GIGABYTE).capacity
    for current in p.passes:
        assert p.peak_bytes(current, room) <= gigabytes * GIGABYTE
    found = next(current for current in p.passes if isinstance(current, BlockMap))
    if found.grid.block != SMALL:
        assert p.workers(found, room) == workers


def test_blocks_are_as_large_as_the_memory_allows(tmp_path: Path) -> None:
    assert block(plan(tmp_path, 8 * GIGABYTE)) == LARGE
    assert block(plan(tmp_path, 2 * GIGABYTE)) == (64, 1024, 1024)
    assert block(plan(tmp_path, 8 * GIGABYTE, workers=32)) == SMALL


def test_every_worker_has_several(tmp_path: Path) -> None:
    for shape, expected in (((64, 4096, 4096), (64, 1024, 1024)), ((64, 4096, 2048), (32, 1024, 1024))):
        assert block(plan(tmp_path, 8 * GIGABYTE, shape=shape)) == expected
    assert block(plan(tmp_path, 8 * GIGABYTE, shape=(64, 1024, 1024))) == SMALL


def test_a_resumed_run_keeps_its_cut_whatever_the_memory(tmp_path: Path) -> None:
    first = plan(tmp_path, 8 * GIGABYTE)
    with Ledger(tmp_path / "w", first).open():
        pass
    again = plan(tmp_path, 2 * GIGABYTE)
    assert (again.identity, block(again)) == (first.identity, LARGE)
    given = plan(tmp_path, 2 * GIGABYTE, block=(16, 2048, 1024))
    assert block(given) == (16, 2048, 1024)


def test_the_contrast_of_a_terabyte_is_held_by_every_process(tmp_path: Path) -> None:
    assert 50e6 < plan(tmp_path, 8 * GIGABYTE).held_bytes < 100e6
