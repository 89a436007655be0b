"""Workers killed every two seconds, a scheduler that goes away, jobs taken away: the same result, nothing twice."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.fake_slurm import fake_slurm
from tests.faults.killing import events, repeated_after_done
from tests.running_scheduler import running_scheduler, wait_until
from volumetric.blocks.blockmap import BlockMap
from volumetric.blocks.capacity import ClusterSettings
from volumetric.blocks.cluster import open_cluster
from volumetric.blocks.execute import LOSSES, Execution, execute
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import ClusterError
from volumetric.geometry.box import Box
from volumetric.geometry.grid import Block, BlockGrid
from volumetric.storage.atomic import replacing

# Worker processes of dask close their sockets in their own time.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

SHAPE, BLOCK = (32, 6, 6), (1, 6, 6)
TASK_S = 0.25


def read(box: Box) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 99, SHAPE)[box.slices]


def slow_square(block: Block, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    time.sleep(TASK_S)
    return {"square": arrays["image"] ** 2}


def write(folder: Path, block: Block, image: np.ndarray) -> None:
    with replacing(folder / f"{block.key}.npy") as temporary, temporary.open("wb") as file:
        np.save(file, image)


def assemble(folder: Path, out: Path) -> None:
    grid = BlockGrid(SHAPE, BLOCK)
    np.save(out, np.concatenate([np.load(folder / f"{block.key}.npy") for block in grid]))


def make_plan(folder: Path) -> Plan:
    tiles = folder / "tiles"
    squares = BlockMap(
        "squares", BlockGrid(SHAPE, BLOCK), {"image": read}, slow_square, {"square": partial(write, tiles)}, Cost()
    )
    join = Reduction("join", partial(assemble, tiles, folder / "out.npy"))
    return Plan("test", 1, {}, {}, (squares, join), (folder / "out.npy",))


def check(folder: Path) -> None:
    assert (np.load(folder / "out.npy") == read(Box.of_shape(SHAPE)) ** 2).all()
    assert repeated_after_done(folder / "work" / "journal.jsonl") == []


def told(folder: Path) -> Counter[str]:
    return Counter(str(event["event"]) for event in events(folder / "work" / "journal.jsonl"))


def worker_processes() -> list[psutil.Process]:
    """Children of this process that multiprocessing made, which are the local workers."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if any("spawn_main" in word for word in process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


@contextmanager
def killing_workers(folder: Path, every_s: float, seed: int) -> Iterator[list[int]]:
    """Kill one local worker after another, chosen by chance, once a task is done; gives those killed."""
    rng, killed, stop = random.Random(seed), [], threading.Event()

    def kill() -> None:
        while not stop.wait(every_s):
            alive = worker_processes()
            if alive and told(folder)["done"]:
                victim = rng.choice(alive)
                victim.kill()
                killed.append(victim.pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


@pytest.mark.slow
def test_workers_killed_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("volumetric.blocks.cluster.LOOK_S", 0.3)
    with open_cluster(ClusterSettings("local")) as cluster, killing_workers(tmp_path, 2.0, seed=4) as killed:
        execute(make_plan(tmp_path), tmp_path / "work", Execution(workers=2, cluster=cluster))
    check(tmp_path)
    assert len(killed) >= 2
    assert told(tmp_path)["lost"] >= 1
    lost = Counter(e["key"] for e in events(tmp_path / "work" / "journal.jsonl") if e["event"] == "lost")
    assert max(lost.values()) <= LOSSES


@pytest.mark.slow
def test_a_scheduler_that_goes_away_ends_the_run_and_the_next_goes_on(tmp_path: Path) -> None:
    def some_done() -> bool:
        return told(tmp_path)["done"] > 3

    with running_scheduler() as scheduler:
        scheduler.start_all(2)
        settings = ClusterSettings(scheduler.address)
        outcome: list[BaseException] = []

        def run() -> None:
            try:
                with open_cluster(settings) as cluster:
                    execute(make_plan(tmp_path), tmp_path / "work", Execution(cluster=cluster))
            except ClusterError as error:
                outcome.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        wait_until(some_done)
        scheduler.kill()
        thread.join(60)
        assert "is gone. What is finished is kept" in str(outcome[0])
        assert "repeat the same command" in str(outcome[0])
        assert not (tmp_path / "out.npy").exists()
        scheduler.start_all(2)
        with open_cluster(settings) as cluster:
            execute(make_plan(tmp_path), tmp_path / "work", Execution(cluster=cluster))
    check(tmp_path)
    assert told(tmp_path)["done"] == SHAPE[0] + 1


def slurm_settings(folder: Path) -> ClusterSettings:
    return ClusterSettings(
        "slurm",
        cores=1,
        memory=4 * 10**9,
        walltime="00:10:00",
        jobs_max=2,
        interface="lo",
        logs=str(folder / "logs"),
        prologue=(f"test ! -e {folder}/broken || exit 1",),
    )


@pytest.mark.slow
def test_a_job_taken_away_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue")
    slurm = fake_slurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", slurm.path)
    monkeypatch.setattr("volumetric.blocks.cluster.LOOK_S", 0.3)
    monkeypatch.setattr("volumetric.blocks.cluster.SQUEUE_S", 0.3)

    def preempt() -> None:
        wait_until(lambda: told(tmp_path)["done"] > 3)
        slurm.cancel(*slurm.running())

    thread = threading.Thread(target=preempt)
    thread.start()
    with open_cluster(slurm_settings(tmp_path)) as cluster:
        execute(make_plan(tmp_path), tmp_path / "work", Execution(cluster=cluster))
        thread.join()
    check(tmp_path)
    assert told(tmp_path)["lost"] >= 1
    assert len(slurm.scripts()) == 4
    assert slurm.running() == []


@pytest.mark.slow
def test_jobs_that_end_before_their_workers_come_stop_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue")
    slurm = fake_slurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", slurm.path)
    monkeypatch.setattr("volumetric.blocks.cluster.LOOK_S", 0.3)
    monkeypatch.setattr("volumetric.blocks.cluster.SQUEUE_S", 0.3)
    (tmp_path / "broken").touch()
    with (
        pytest.raises(ClusterError, match=r"SLURM jobs ended 3 times before a worker came from any: .*logs"),
        open_cluster(slurm_settings(tmp_path)) as cluster,
    ):
        execute(make_plan(tmp_path), tmp_path / "work", Execution(cluster=cluster))
    assert len(slurm.scripts()) == 6
    assert slurm.running() == []
