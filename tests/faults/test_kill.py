"""kill -9 at random moments of each stage: resumed, the outputs equal an undisturbed run's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from pipelines import detect, ingest
from pipelines.config import Resources
from tests.faults.killing import Nursery, handed_out_again, killed, nursery, repeated_after_done, undisturbed
from tests.small_brain import Files, write_coarse_atlas, write_files, write_true_registration
from volumetric.atlas.loader import load_atlas
from volumetric.atlas.registered import read_quality
from volumetric.blocks.execute import WINDOW, Execution, execute
from volumetric.geometry.box import Box
from volumetric.storage.omezarr import open_ome_zarr
from volumetric.storage.sources import open_source
from volumetric.storage.transforms import read_map

pytestmark = pytest.mark.slow

KILLS = 10


@dataclass(frozen=True)
class Case:
    """A command that writes into a folder, where its journal is, and what it leaves there."""

    arguments: Callable[[Path], list[str]]
    journal: str
    outputs: Callable[[Path], dict[str, object]]


def same(a: object, b: object) -> bool:
    if isinstance(a, bytes):
        return a == b
    if isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b)
        return True
    return bool(np.array_equal(a, b))


@pytest.fixture(scope="module")
def commands() -> Iterator[Nursery]:
    with nursery() as opened:
        yield opened


def check(commands: Nursery, case: Case, tmp_path: Path, seed: int, kills: int = KILLS) -> None:
    reference = tmp_path / "reference"
    reference.mkdir()
    window = undisturbed(commands, case.arguments(reference), reference / case.journal)

    def make(number: int) -> tuple[list[str], Path]:
        folder = tmp_path / f"killed-{number}"
        folder.mkdir()
        return case.arguments(folder), folder / case.journal

    outcome = killed(commands, make, kills, window, seed)
    expected = case.outputs(reference)
    for journal in outcome.journals:
        assert repeated_after_done(journal) == []
        found = case.outputs(Path(str(journal).removesuffix(case.journal)))
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            assert same(value, found[name]), f"{name} differs"
    # With one worker a task is at work and one is read ahead: no kill undoes more.
    assert sum(map(handed_out_again, outcome.journals)) <= WINDOW * outcome.kills


def volume_files(folder: Path) -> dict[str, object]:
    """Every file of the volume, byte for byte."""
    volume = folder / "brain.ome.zarr"
    assert not list(folder.rglob("*.partial"))
    return {str(p.relative_to(volume)): p.read_bytes() for p in volume.rglob("*") if p.is_file()}


def test_ingest(commands: Nursery, tmp_path: Path) -> None:
    slices = tmp_path / "slices"
    slices.mkdir()
    rng = np.random.default_rng(0)
    for number in range(100):
        tifffile.imwrite(slices / f"s{number:04}.tif", rng.integers(0, 4000, (260, 520)).astype(np.uint16))

    def arguments(folder: Path) -> list[str]:
        return ["ingest", str(slices), str(folder / "brain.ome.zarr"), "--voxel-um", "5", "2", "2", "--workers", "1"]

    check(commands, Case(arguments, ".brain.ome.zarr.work/journal.jsonl", volume_files), tmp_path, seed=1, kills=50)


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Path]:
    """The small phantom's files and a volume of its signal."""
    folder = tmp_path_factory.mktemp("brain")
    files = write_files(folder)
    config = ingest.Config(voxel_um=files.voxel_um, orientation=files.orientation)
    plan = ingest.plan(
        open_source(files.slices / "signal"), folder / "brain.ome.zarr", folder / "work", config, Resources()
    )
    execute(plan, folder / "work", Execution())
    write_true_registration(folder / "registration", load_atlas(files.atlas))
    write_coarse_atlas(folder / "coarse")
    return files, folder


def tables(*names: str) -> Callable[[Path], dict[str, object]]:
    def read(folder: Path) -> dict[str, object]:
        assert not [p for p in folder.rglob("*.partial") if ".work" not in p.parts]
        kinds = {".parquet": pd.read_parquet, ".csv": pd.read_csv}
        return {name: kinds[Path(name).suffix](folder / name) for name in names}

    return read


def test_detect(brain: tuple[Files, Path], commands: Nursery, tmp_path: Path) -> None:
    volume = str(brain[1] / "brain.ome.zarr")

    def arguments(folder: Path) -> list[str]:
        return [
            "detect",
            volume,
            "--out",
            str(folder / "cells.parquet"),
            "--workers",
            "1",
            "--block",
            "4",
            "512",
            "512",
        ]

    check(
        commands, Case(arguments, ".cells.parquet.work/detect/journal.jsonl", tables("cells.parquet")), tmp_path, seed=2
    )


def test_assign(brain: tuple[Files, Path], commands: Nursery, tmp_path: Path) -> None:
    files, folder = brain
    cells = folder / "cells.parquet"
    config, resources = detect.Config(), Resources()
    execute(
        detect.plan(open_ome_zarr(folder / "brain.ome.zarr"), cells, folder / "d", config, resources),
        folder / "d",
        Execution(),
    )

    def arguments(out: Path) -> list[str]:
        registration = ["--registration", str(folder / "registration"), "--atlas", str(files.atlas)]
        return ["assign", str(cells), *registration, "--out", str(out / "tables")]

    check(
        commands,
        Case(arguments, "tables/.work/assign/journal.jsonl", tables("tables/cells.parquet", "tables/regions.csv")),
        tmp_path,
        seed=3,
    )


def test_register(brain: tuple[Files, Path], commands: Nursery, tmp_path: Path) -> None:
    _, folder = brain

    def arguments(out: Path) -> list[str]:
        atlas = ["--atlas", str(folder / "coarse"), "--preset", "fast"]
        return ["register", str(folder / "brain.ome.zarr"), *atlas, "--out", str(out / "registration")]

    def outputs(out: Path) -> dict[str, object]:
        there = read_map(out / "registration" / "sample_to_atlas.zarr", read_quality(out / "registration")["identity"])
        labels = open_ome_zarr(out / "registration" / "labels.ome.zarr")
        assert (out / "registration" / "quality.json").is_file()
        return {
            "affine": there.affine,
            "displacement": there.displacement_um,
            "labels": labels.read(Box.of_shape(labels.shape)),
            "overlay": np.frombuffer((out / "registration" / "overlay.png").read_bytes(), np.uint8),
        }

    check(commands, Case(arguments, "registration/.work/register/journal.jsonl", outputs), tmp_path, seed=4)


def test_count(brain: tuple[Files, Path], commands: Nursery, tmp_path: Path) -> None:
    """The whole run, its report included; its stages are killed ten times each above."""
    files, folder = brain

    def arguments(out: Path) -> list[str]:
        return ["count", str(files.slices), *files.flags(folder / "coarse"), "--out", str(out / "run")]

    def outputs(out: Path) -> dict[str, object]:
        run = out / "run"
        assert (run / "report.html").stat().st_size > 100_000
        assert json.loads((run / "run.json").read_text())["cells"]["total"] > 100
        return tables("run/cells.parquet", "run/regions.csv")(out)

    check(commands, Case(arguments, "run/.work/detect/journal.jsonl", outputs), tmp_path, seed=5, kills=4)
