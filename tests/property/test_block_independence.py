"""The same cells and the same regions for every block size, worker count and kind of worker."""

from __future__ import annotations

import random
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines import assign, detect, ingest
from pipelines.config import Resources
from tests.small_brain import phantom, write_files, write_true_registration
from volumetric.atlas.loader import load_atlas
from volumetric.blocks.cluster import open_cluster
from volumetric.blocks.execute import Execution, execute
from volumetric.storage.omezarr import open_ome_zarr
from volumetric.storage.sources import open_source
from volumetric.storage.volume import Volume

pytestmark = [
    pytest.mark.slow,
    # Worker processes of dask close their sockets in their own time.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
]

CASES = 21
PROCESSES = {10: 1, 15: 4}
"""Cases done by so many processes; `tests/integration/test_clusters.py` has two, and other kinds of workers."""


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Volume, Path, Path]:
    """A volume, a registration and an atlas."""
    folder = tmp_path_factory.mktemp("brain")
    files = write_files(folder)
    config = ingest.Config(voxel_um=files.voxel_um, orientation=files.orientation)
    source = open_source(files.slices / "signal")
    execute(
        ingest.plan(source, folder / "brain.ome.zarr", folder / "work", config, Resources()),
        folder / "work",
        Execution(),
    )
    write_true_registration(folder / "registration", load_atlas(files.atlas))
    return open_ome_zarr(folder / "brain.ome.zarr"), folder / "registration", files.atlas


def count(
    brain: tuple[Volume, Path, Path], folder: Path, block: tuple[int, int, int], workers: int, kind: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    volume, registration, atlas = brain
    resources = Resources(workers=workers, cluster={"kind": kind})
    found = folder / "detected.parquet"
    config = detect.Config(block=block)
    with open_cluster(resources.cluster) or nullcontext() as cluster:
        execution = Execution(workers, resources.memory, cluster)
        execute(detect.plan(volume, found, folder / "detect", config, resources), folder / "detect", execution)
        plan = assign.plan(found, registration, load_atlas(atlas), folder / "out")
        execute(plan, folder / "assign", execution)
    cells = pd.read_parquet(folder / "out" / "cells.parquet")
    return cells, pd.read_csv(folder / "out" / "regions.csv", keep_default_na=False)


def cases() -> list[tuple[tuple[int, int, int], int, str]]:
    rng = random.Random(7)
    shape = phantom().shape
    made = []
    for number in range(CASES):
        block = (rng.randint(1, shape[0]), rng.randint(shape[1] // 3, shape[1]), rng.randint(shape[2] // 3, shape[2]))
        threads = rng.randint(1, 5)
        made.append((block, PROCESSES.get(number, threads), "local" if number in PROCESSES else "threads"))
    return made


@pytest.fixture(scope="module")
def whole(brain: tuple[Volume, Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Cells and regions of one block, one worker."""
    return count(brain, tmp_path_factory.mktemp("whole"), (1000, 4096, 4096), 1, "threads")


@pytest.mark.parametrize(("block", "workers", "kind"), cases())
def test_cells_and_regions_do_not_depend_on_the_cut(
    brain: tuple[Volume, Path, Path],
    whole: tuple[pd.DataFrame, pd.DataFrame],
    tmp_path: Path,
    *,
    block: tuple[int, int, int],
    workers: int,
    kind: str,
) -> None:
    cells, regions = whole
    assert len(cells) > 100
    assert cells["in_atlas"].mean() > 0.9
    found, table = count(brain, tmp_path, block, workers, kind)
    order = ["z_vox", "y_vox", "x_vox"]
    pd.testing.assert_frame_equal(
        found.sort_values(order, ignore_index=True), cells.sort_values(order, ignore_index=True), rtol=0, atol=1e-3
    )
    pd.testing.assert_frame_equal(table, regions)


def test_the_cells_of_the_small_brain_are_the_true_ones(brain: tuple[Volume, Path, Path], tmp_path: Path) -> None:
    from volumetric.phantom.score import score_brain

    cells, regions = count(brain, tmp_path, (16, 1024, 1024), 2, "threads")
    result = score_brain(phantom().cells, cells)
    assert result["recall"] > 0.85
    assert result["precision"] > 0.9
    both = regions[regions["hemisphere"] == "both"]
    assert both["count_own"].sum() == cells["in_atlas"].sum()
    assert np.isclose(both["volume_own_mm3"].astype(float).sum(), both["volume_mm3"].astype(float).max())
