"""kill -9 at ten random moments of each stage: resumed, the outputs equal an undisturbed run's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from tests.faults.killing import killed, repeated_after_done, undisturbed
from volumetric.geometry.box import Box
from volumetric.storage.omezarr import open_ome_zarr

pytestmark = pytest.mark.slow

KILLS = 10


@dataclass(frozen=True)
class Case:
    """A command that writes into a folder, where its journal is, and what it leaves there."""

    arguments: Callable[[Path], list[str]]
    journal: str
    outputs: Callable[[Path], dict[str, object]]


def same(a: object, b: object) -> bool:
    if isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b)
        return True
    return bool(np.array_equal(a, b))


def check(case: Case, tmp_path: Path, seed: int) -> None:
    reference = tmp_path / "reference"
    reference.mkdir()
    window = undisturbed(case.arguments(reference), reference / case.journal)

    def make(number: int) -> tuple[list[str], Path]:
        folder = tmp_path / f"killed-{number}"
        folder.mkdir()
        return case.arguments(folder), folder / case.journal

    places = killed(make, KILLS, window, seed)
    expected = case.outputs(reference)
    for _, journal in places:
        assert repeated_after_done(journal) == []
        found = case.outputs(Path(str(journal).removesuffix(case.journal)))
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            assert same(value, found[name]), f"{name} differs"


def volume_levels(folder: Path) -> dict[str, object]:
    volume = open_ome_zarr(folder / "brain.ome.zarr")
    assert not list(folder.rglob("*.partial"))
    return {level.path: volume.read(Box.of_shape(level.shape), n) for n, level in enumerate(volume.levels)}


def test_ingest(tmp_path: Path) -> None:
    slices = tmp_path / "slices"
    slices.mkdir()
    rng = np.random.default_rng(0)
    for number in range(200):
        tifffile.imwrite(slices / f"s{number:04}.tif", rng.integers(0, 4000, (500, 600)).astype(np.uint16))

    def arguments(folder: Path) -> list[str]:
        return ["ingest", str(slices), str(folder / "brain.ome.zarr"), "--voxel-um", "5", "2", "2", "--workers", "1"]

    check(Case(arguments, ".brain.ome.zarr.work/journal.jsonl", volume_levels), tmp_path, seed=1)
