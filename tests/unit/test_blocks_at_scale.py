"""The engine where things go wrong or are many: retries with a reason, reading ahead, tens of thousands of tasks."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from volumetric.blocks import execute as engine
from volumetric.blocks.blockmap import BlockMap
from volumetric.blocks.execute import Execution, execute
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import InputError, TaskError
from volumetric.geometry.box import Box
from volumetric.geometry.grid import Block, BlockGrid

SHAPE = (4, 8, 8)
BLOCK = (1, 4, 8)


@dataclass
class Unlucky:
    """A reader that fails some times in one place."""

    error: Exception
    times: int
    calls: Counter[Box] = field(default_factory=Counter)

    def __call__(self, box: Box) -> np.ndarray:
        self.calls[box] += 1
        if box.start == (2, 4, 0) and self.calls[box] <= self.times:
            raise self.error
        return np.zeros(box.shape)


def nothing(block: Block, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {}


def make_plan(folder: Path, reader: Any, function: Any = nothing, shape: tuple = SHAPE, block: tuple = BLOCK) -> Plan:
    reads = {} if reader is None else {"image": reader}
    passes = (BlockMap("blocks", BlockGrid(shape, block), reads, function, {}, Cost(memory_bytes=1000)),)
    return Plan("test", 1, {}, {}, passes, (folder / "never",))


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PAUSE_S", 0.0)


@pytest.mark.usefixtures("no_pause")
def test_what_fails_for_a_moment_is_tried_again_with_the_reason_noted(tmp_path: Path) -> None:
    reader = Unlucky(OSError("the drive is away"), times=2)
    ledger = execute(make_plan(tmp_path, reader), tmp_path / "work", Execution(workers=2))
    assert ledger.is_complete()
    retries = [e for e in ledger.events() if e["event"] == "retry"]
    assert [e["reason"] for e in retries] == ["OSError: the drive is away"] * 2
    assert {e["key"] for e in retries} == {"z00002-y00001-x00000"}


@pytest.mark.usefixtures("no_pause")
def test_what_fails_for_good_is_named_with_its_box_and_loses_nothing_else(tmp_path: Path) -> None:
    reader = Unlucky(OSError("the drive is away"), times=99)
    with pytest.raises(TaskError, match="z 2:3, y 4:8, x 0:8: OSError: the drive is away"):
        execute(make_plan(tmp_path, reader), tmp_path / "work", Execution(workers=2))
    assert max(reader.calls.values()) == 1 + engine.RETRIES
    assert len(list((tmp_path / "work" / "blocks").iterdir())) == 7


def test_bad_input_is_not_tried_again(tmp_path: Path) -> None:
    reader = Unlucky(InputError("slice 7 is damaged"), times=99)
    with pytest.raises(TaskError, match="slice 7 is damaged"):
        execute(make_plan(tmp_path, reader), tmp_path / "work", Execution(workers=2))
    assert max(reader.calls.values()) == 1


def test_a_single_step_speaks_for_itself_and_is_announced(tmp_path: Path) -> None:
    def refuse() -> None:
        raise InputError("the brain is upside down")

    told: list[tuple[str, int, int]] = []
    plan = Plan("register", 1, {}, {}, (Reduction("check", refuse),), (tmp_path / "out",))
    execution = Execution(on_progress=lambda stage, name, done, total, megabytes: told.append((name, done, total)))
    with pytest.raises(InputError, match=r"^the brain is upside down$"):
        execute(plan, tmp_path / "work", execution)
    assert told == [("check", 0, 1)]


def test_the_next_block_is_read_while_one_computes(tmp_path: Path) -> None:
    second_read = threading.Event()
    reads: list[Box] = []

    def reader(box: Box) -> np.ndarray:
        reads.append(box)
        if len(reads) == 2:
            second_read.set()
        return np.zeros(box.shape)

    def compute(block: Block, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
        assert second_read.wait(20), "one worker computes, and nothing is read meanwhile"
        return {}

    assert execute(make_plan(tmp_path, reader, compute), tmp_path / "work", Execution(workers=1)).is_complete()


def test_no_more_is_read_ahead_than_the_window_holds(tmp_path: Path) -> None:
    lock, state, most = threading.Lock(), {"held": 0}, [0]

    def reader(box: Box) -> np.ndarray:
        with lock:
            state["held"] += 1
            most[0] = max(most[0], state["held"])
        return np.zeros(box.shape)

    def compute(block: Block, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
        time.sleep(0.002)
        with lock:
            state["held"] -= 1
        return {}

    plan = make_plan(tmp_path, reader, compute, (40, 8, 8))
    execute(plan, tmp_path / "work", Execution(workers=2))
    assert 2 <= most[0] <= 2 * engine.WINDOW


def test_a_terabyte_is_planned_listed_and_reported_by_its_ledger(tmp_path: Path) -> None:
    """The tasks of a channel of 0.94 TB, a tenth of them done here; benchmarks/engine_at_scale.py does them all."""
    plan = make_plan(tmp_path, None, nothing, (2600, 11_000, 16_000), (16, 1024, 1024))
    keys = plan.passes[0].keys
    assert len(keys) == 163 * 11 * 16
    part = BlockMap("blocks", BlockGrid((260, 11_000, 16_000), (16, 1024, 1024)), {}, nothing, {}, Cost())
    ledger = execute(Plan("test", 1, {}, {}, (part,), (tmp_path / "never",)), tmp_path / "work", Execution(workers=2))
    assert ledger.report()["tasks"] == len(part.keys) == 17 * 11 * 16
    assert ledger.bytes_left() == 0


INTERRUPTED = """
import signal, sys, time
from pathlib import Path
from pipelines import cli, stage
from volumetric.blocks import execute
from volumetric.blocks.blockmap import BlockMap

original = BlockMap.task
def slow(self, key):
    time.sleep(0.05)
    return original(self, key)
BlockMap.task = slow
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background leaves it ignored
cli.main(sys.argv[1:])
"""


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_the_run_goes_on_later(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).integers(1, 99, (1600, 64, 64)).astype(np.uint16))
    arguments = ["ingest", str(tmp_path / "a.npy"), str(tmp_path / "a.ome.zarr"), "--voxel-um", "5", "2", "2"]
    journal = tmp_path / ".a.ome.zarr.work" / "journal.jsonl"
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, *arguments], stderr=subprocess.PIPE, text=True)
    while not (journal.is_file() and journal.read_text().count('"done"') > 5):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "repeat the same command to go on" in " ".join(message.split())
    assert "Traceback" not in message
    assert not (tmp_path / "a.ome.zarr").exists()
    subprocess.run([sys.executable, "-m", "pipelines.cli", *arguments], check=True)
    assert (tmp_path / "a.ome.zarr").exists()
