"""The engine: what is entered is never done again, what fails is named, and nothing depends on how it was run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from volumetric.blocks.blockmap import BlockMap
from volumetric.blocks.capacity import Capacity, cores
from volumetric.blocks.execute import Execution, execute
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.blocks.telling import tell
from volumetric.errors import OutputError, PlanError, TaskError
from volumetric.geometry.box import Box
from volumetric.geometry.grid import Block, BlockGrid

SHAPE = (9, 10, 11)
IMAGE = np.random.default_rng(0).integers(0, 99, SHAPE)


@dataclass(frozen=True)
class Tiles:
    """Writes each block's result as a file and counts the calls."""

    folder: Path

    def write(self, block: Block, image: np.ndarray) -> Mapping[str, int]:
        self.folder.mkdir(exist_ok=True)
        np.save(self.folder / f"{block.key}.npy", image)
        with (self.folder / "calls.txt").open("a") as file:
            file.write(block.key + "\n")
        return {"voxels": image.size}

    def calls(self) -> list[str]:
        return (self.folder / "calls.txt").read_text().split()


def read(box: Box) -> np.ndarray:
    return IMAGE[box.slices]


def smooth(block: Block, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Sum of the neighbours along z, as a function that needs a halo."""
    image = arrays["image"]
    padded = np.pad(image, ((1, 1), (0, 0), (0, 0)))
    total = padded[:-2] + padded[1:-1] + padded[2:]
    return {"sum": total[block.write.relative_to(block.read).slices]}


def poisoned(block: Block, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    if block.index == (1, 0, 0):
        raise ValueError("bad voxel")
    return smooth(block, arrays)


def assemble(folder: Path, grid: BlockGrid, out: Path) -> None:
    whole = np.empty(SHAPE, dtype=IMAGE.dtype)
    for block in grid:
        whole[block.write.slices] = np.load(folder / f"{block.key}.npy")
    with out.open("wb") as file:
        np.save(file, whole)


def make_plan(folder: Path, block: tuple[int, int, int] = (3, 5, 11), function: object = smooth, **changes) -> Plan:
    grid = BlockGrid(SHAPE, block, (1, 0, 0))
    tiles = Tiles(folder / "tiles")
    cost = changes.pop("cost", Cost(1000, 1000, 10**6))
    values = {
        "stage": "test",
        "version": 1,
        "config": {"block": list(block)},
        "inputs": {"image": "a"},
        "passes": (
            BlockMap("sum", grid, {"image": read}, function, {"sum": tiles.write}, cost),
            Reduction("assemble", partial(assemble, tiles.folder, grid, folder / "out.npy")),
        ),
        "outputs": (folder / "out.npy",),
    }
    return Plan(**{**values, **changes})


def expected() -> np.ndarray:
    padded = np.pad(IMAGE, ((1, 1), (0, 0), (0, 0)))
    return padded[:-2] + padded[1:-1] + padded[2:]


@pytest.mark.parametrize("block", [(1, 3, 4), (3, 5, 11), (9, 10, 11), (50, 50, 50)])
@pytest.mark.parametrize("workers", [1, 3])
def test_the_result_does_not_depend_on_blocks_or_workers(tmp_path: Path, block: tuple, workers: int) -> None:
    execute(make_plan(tmp_path, block), tmp_path / "work", Execution(workers=workers))
    assert (np.load(tmp_path / "out.npy") == expected()).all()


def test_a_finished_stage_is_not_done_again(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    ledger = execute(plan, tmp_path / "work", Execution())
    execute(plan, tmp_path / "work", Execution())
    assert sorted(Tiles(tmp_path / "tiles").calls()) == sorted(plan.passes[0].keys)
    report = ledger.report()
    assert report["tasks"] == len(plan.passes[0].keys) + 1
    assert ledger.entries("sum")["z00000-y00000-x00000"]["facts"] == {"voxels": 3 * 5 * 11}


def test_a_long_step_says_how_far_it_is(tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []

    def long_step() -> None:
        tell(40, 100)

    plan = make_plan(tmp_path, passes=(Reduction("long", long_step),))
    on_progress = lambda stage, name, done, total, megabytes: heard.append((name, done, total))  # noqa: E731
    execute(plan, tmp_path / "work", Execution(on_progress=on_progress))
    assert heard == [("long", 0, 1), ("long", 40, 100), ("long", 1, 1)]
    tell(50, 100)  # nobody listens
    assert len(heard) == 3


def test_a_failed_task_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"1 of 6 tasks failed:\n  z 3:6, y 0:5, x 0:11: ValueError: bad voxel"):
        execute(make_plan(tmp_path, function=poisoned), tmp_path / "work", Execution())
    assert not (tmp_path / "out.npy").exists()
    execute(make_plan(tmp_path), tmp_path / "work", Execution())
    assert (np.load(tmp_path / "out.npy") == expected()).all()
    calls = Tiles(tmp_path / "tiles").calls()
    assert len(calls) == len(set(calls)) == 6


def test_another_plan_in_the_same_place_is_refused_with_the_difference(tmp_path: Path) -> None:
    execute(make_plan(tmp_path), tmp_path / "work", Execution())
    with pytest.raises(OutputError, match=r"inputs.image: 'a' -> 'b'"):
        execute(make_plan(tmp_path, inputs={"image": "b"}), tmp_path / "work", Execution())


def test_a_foreign_file_in_the_place_of_the_output_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out.npy").write_text("mine")
    with pytest.raises(OutputError, match="was not made by this command"):
        execute(make_plan(tmp_path), tmp_path / "work", Execution())
    assert (tmp_path / "out.npy").read_text() == "mine"


def test_a_removed_output_is_made_again(tmp_path: Path) -> None:
    execute(make_plan(tmp_path), tmp_path / "work", Execution())
    (tmp_path / "out.npy").unlink()
    execute(make_plan(tmp_path), tmp_path / "work", Execution())
    assert (np.load(tmp_path / "out.npy") == expected()).all()


def test_two_processes_on_one_output_are_refused(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    with Ledger(tmp_path / "work", plan).open(), pytest.raises(OutputError, match="another process is working"):
        execute(plan, tmp_path / "work", Execution())


def test_too_little_memory_is_refused_before_any_work(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, cost=Cost(0, 0, 10**9))
    with pytest.raises(PlanError, match=r"one task needs 1\.0 GB"):
        execute(plan, tmp_path / "work", Execution(memory_bytes=10**9))
    assert not (tmp_path / "work").exists()


def test_fewer_tasks_run_at_once_where_memory_is_short(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, cost=Cost(0, 0, 10**9))
    assert plan.workers(plan.passes[0], Capacity(16, plan.base_bytes + 2 * 10**9)) == 2


def test_a_disk_too_small_is_refused_before_any_work(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, cost=Cost(0, 10**17, 0))
    with pytest.raises(PlanError, match="are free"):
        execute(plan, tmp_path / "work", Execution())
    assert not (tmp_path / "work").exists()


def test_a_line_cut_short_in_the_journal_is_left_out(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    ledger = execute(plan, tmp_path / "work", Execution())
    with (tmp_path / "work" / "journal.jsonl").open("a") as file:
        file.write('\n{"time": 1.0, "pid": 3, "ev')
    ledger.journal("begin")
    assert ledger.events()[-1]["event"] == "begin"
    assert ledger.report()["seconds"] < 60


def limited(block: Block, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    threads = {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}
    assert threads == {1}
    return smooth(block, arrays)


def test_tasks_side_by_side_share_the_cores(tmp_path):
    execute(make_plan(tmp_path, function=limited), tmp_path / "work", Execution(workers=cores()))
