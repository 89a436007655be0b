"""Clusters without any: what each kind may use, what is refused, and the rule for workers that die."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import pytest
import torch

from pipelines.cli import main
from pipelines.cli.run import resources_of
from pipelines.config import load_file
from volumetric.blocks import execute as engine
from volumetric.blocks.batches import Batches
from volumetric.blocks.capacity import BASE_BYTES, WORKER_SHARE, Capacity, ClusterSettings, capacity_of
from volumetric.blocks.cluster import open_cluster
from volumetric.blocks.execute import LOSSES, Execution, execute
from volumetric.blocks.plan import Cost, Pass, Plan, TaskResult
from volumetric.blocks.pools import Pool, WorkerLostError, _run_there
from volumetric.blocks.reduction import Reduction
from volumetric.errors import ClusterError, InputError, PlanError, TaskError
from volumetric.storage import atomic
from volumetric.version import __version__

GB = 10**9
SLURM = {"kind": "slurm", "cores": 8, "memory": 32 * GB, "walltime": "04:00:00", "processes": 4, "jobs_max": 16}


def plan_of(folder: Path, task: Cost, step: Cost | None = None) -> Plan:
    passes = (Batches("many", 40, 1, lambda numbers: None, task), Reduction("one", lambda: None, step or Cost()))
    return Plan("test", 1, {}, {}, passes, (folder / "never",))


def test_processes_of_this_machine_share_its_memory_and_each_holds_the_program(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, Cost(GB, 0, 2 * GB))
    many = plan.passes[0]
    memory = 4 * BASE_BYTES + 8 * GB
    assert plan.workers(many, Capacity(16, memory)) == 3  # threads: a task and the one read ahead
    assert plan.workers(many, capacity_of(ClusterSettings("local"), 16, memory)) == 3  # nothing is read ahead
    assert plan.workers(many, capacity_of(ClusterSettings("local"), 16, memory + BASE_BYTES + 2 * GB)) == 4
    assert plan.workers(many, capacity_of(ClusterSettings("local"), 2, memory)) == 2
    with pytest.raises(PlanError, match=r"one task needs 2\.5 GB beside 524 MB for the program"):
        plan.workers(many, capacity_of(ClusterSettings("local"), 2, 3 * GB))


def test_workers_elsewhere_have_memory_of_their_own_and_single_steps_that_of_this_machine(tmp_path: Path) -> None:
    room = capacity_of(ClusterSettings(**SLURM), 2, 4 * GB)
    assert room == Capacity(64, 4 * GB, 2, True, int(8 * GB * WORKER_SHARE))
    plan = plan_of(tmp_path, Cost(GB, 0, 5 * GB), Cost(memory_bytes=3 * GB))
    assert [plan.workers(p, room) for p in plan.passes] == [40, 1]
    with pytest.raises(PlanError, match=r"pass many: one task needs 6\.5 GB with the program, more than the 6\.4 GB"):
        plan_of(tmp_path, Cost(memory_bytes=6 * GB)).check_memory(room)
    with pytest.raises(PlanError, match=r"pass one: one task needs 4\.0 GB beside .* Raise --memory"):
        plan_of(tmp_path, Cost(), Cost(memory_bytes=4 * GB)).check_memory(room)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "dask"}, "unknown cluster 'dask': expected threads, local, cuda, slurm, or the address"),
        ({"kind": "slurm"}, "needs cores, memory, walltime of a job"),
        ({**SLURM, "jobs_min": 17}, "jobs_min = 17, jobs_max = 16"),
        ({**SLURM, "processes": 0}, "processes = 0"),
        ({"kind": "tcp://127.0.0.1:9"}, "no dask scheduler answers at tcp://127.0.0.1:9"),
    ],
)
def test_what_makes_no_cluster_is_refused(
    settings: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("volumetric.blocks.capacity.CONNECT_S", 0.5)
    with pytest.raises(InputError, match=message):
        capacity_of(ClusterSettings(**settings), 2, GB)


@pytest.mark.parametrize(("kind", "package"), [("slurm", "dask-jobqueue"), ("cuda", "dask-cuda")])
def test_a_missing_package_is_named(kind: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=f"{package} is not installed: pip install {package}"):
        open_cluster(ClusterSettings(**{**SLURM, "kind": kind}))


def test_slurm_needs_its_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="there is no sbatch"):
        open_cluster(ClusterSettings(**SLURM))


def test_a_gpu_has_one_process_that_reads_while_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []

    class RefusedError(Exception):
        pass

    def local_cuda_cluster(**options: object) -> None:
        made.append(options)
        raise RefusedError  # there is no GPU here: what it is asked for is all that can be seen

    module = ModuleType("dask_cuda")
    module.LocalCUDACluster = local_cuda_cluster  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dask_cuda", module)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    settings = ClusterSettings("cuda")
    room = capacity_of(settings, 16, 64 * GB)
    assert (room.workers, room.processes, room.worker_bytes) == (6, True, None)
    with pytest.raises(RefusedError), open_cluster(settings) as cluster:
        cluster.engage(room.workers)
    assert (made[0]["n_workers"], made[0]["threads_per_worker"]) == (3, 2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InputError, match="torch sees none"):
        capacity_of(settings, 16, 64 * GB)


def test_the_settings_file_says_how_and_the_flag_says_which(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[run]\nworkers = 3\n[cluster]\nkind = "slurm"\nmemory = "32GB"\ndirectives = ["--gres=gpu:1"]\n')
    resources = resources_of(load_file(path))
    assert resources.workers == 3
    assert resources.cluster == ClusterSettings("slurm", memory=32 * GB, directives=("--gres=gpu:1",))
    assert resources_of(load_file(path), cluster="local").capacity.processes
    assert resources_of({}).capacity.workers >= 1
    path.write_text("[cluster]\ngpus = 4\n")
    with pytest.raises(InputError, match="gpus"):
        resources_of(load_file(path))
    path.write_text('[cluster]\nmemory = "much"\n')
    with pytest.raises(InputError, match="expected a size such as 8GB"):
        resources_of(load_file(path))


def test_the_command_refuses_an_unknown_cluster_in_one_paragraph(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["crowd-size", "--out", str(tmp_path / "out"), "--cluster", "dask"])
    assert stopped.value.code == 2
    assert "error: unknown cluster 'dask'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@dataclass
class Mortal:
    """Workers that die at a task as often as is said, or with their scheduler at the third."""

    deaths: dict[str, int]
    scheduler_dies: bool = False
    tried: Counter[str] = field(default_factory=Counter)

    def submit(self, current: Pass, key: str) -> Future[TaskResult]:
        future: Future[TaskResult] = Future()
        task = current.task(key)
        self.tried[task.where] += 1
        if self.scheduler_dies and len(self.tried) == 3:
            future.set_exception(ClusterError("the scheduler is gone"))
        elif self.tried[task.where] <= self.deaths.get(task.where, 0):
            future.set_exception(WorkerLostError())
        else:
            future.set_result(task())
        return future

    @contextmanager
    def pool(self, cluster: None, current: Pass, workers: int, folder: Path) -> Iterator[Pool]:
        yield Pool(partial(self.submit, current), lambda: 2)


def four(folder: Path) -> Plan:
    return Plan("test", 1, {}, {}, (Batches("many", 4, 1, lambda numbers: None),), (folder / "never",))


def test_a_task_is_handed_out_again_when_its_worker_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = Mortal({"many 1 to 1": LOSSES})
    monkeypatch.setattr(engine, "_pool", workers.pool)
    ledger = execute(four(tmp_path), tmp_path / "work", Execution())
    assert ledger.is_complete()
    assert workers.tried == {"many 1 to 1": LOSSES + 1, "many 0 to 0": 1, "many 2 to 2": 1, "many 3 to 3": 1}
    assert Counter(event["event"] for event in ledger.events())["lost"] == LOSSES


def test_a_task_that_kills_its_workers_is_named_and_the_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = Mortal({"many 1 to 1": LOSSES + 1})
    monkeypatch.setattr(engine, "_pool", workers.pool)
    with pytest.raises(TaskError, match=rf"1 of 4 tasks failed:\n  many 1 to 1: .*{LOSSES + 1} workers died at it"):
        execute(four(tmp_path), tmp_path / "work", Execution())
    assert len(list((tmp_path / "work" / "many").iterdir())) == 3


def test_without_a_scheduler_the_run_stops_and_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(engine, "_pool", Mortal({}, scheduler_dies=True).pool)
        with pytest.raises(ClusterError, match="the scheduler is gone"):
            execute(four(tmp_path), tmp_path / "work", Execution())
    done = len(list((tmp_path / "work" / "many").iterdir()))
    assert 0 < done < 4
    ledger = execute(four(tmp_path), tmp_path / "work", Execution())
    assert Counter(event["event"] for event in ledger.events())["done"] == 4


def test_a_worker_of_another_version_or_without_the_files_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("volumetric.blocks.pools._prepare", lambda: "node7-123")
    monkeypatch.chdir(tmp_path)
    shared = tmp_path / "many.pass"
    shared.write_bytes(cloudpickle.dumps(Batches("many", 1, 1, lambda numbers: {"there": str(Path.cwd())})))
    with pytest.raises(InputError, match=r"the worker node7-123 has volumetric .*, this program 9\.9"):
        _run_there(shared, 1, "9.9", str(tmp_path), "00000000")
    with pytest.raises(InputError, match=r"the worker node7-123 does not see /home/x"):
        _run_there(shared, 1, __version__, "/home/x", "00000000")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert _run_there(shared, 1, __version__, str(elsewhere), "00000000").facts == {"there": str(elsewhere)}
    shared.unlink()  # it is read once a process
    assert _run_there(shared, 1, __version__, str(elsewhere), "00000000").facts == {"there": str(elsewhere)}


def test_two_writers_of_one_file_each_move_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "_writer", "")
    path = tmp_path / "part"
    atomic.name_writer("first")
    with atomic.replacing(path) as half:
        half.write_text("first ha")
        atomic.name_writer("second")
        with atomic.replacing(path) as whole:
            whole.write_text("second")
        assert path.read_text() == "second"
        assert half.read_text() == "first ha"
        half.write_text("first half and more")
    assert path.read_text() == "first half and more"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot bind a process to cores")
def test_cores_are_those_that_a_process_may_use() -> None:
    bound = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    asked = "from pipelines.config import Resources; print(Resources().workers)"
    command = [sys.executable, "-c", f"{bound}; {asked}"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "1"
