"""What does it cost to hand out the 28,700 tasks of a terabyte, does the memory stay flat, and what does a kill cost?

python benchmarks/scheduling.py [--part many second killed] [--kind threads local] [--tasks 28700] [--out FOLDER]

Real tasks take a second or more; none of these does any work.

    second   tasks of one second on four workers: what they take beyond tasks * 1 s / 4, as a share of it, from the
             second task of each on
    many     all 28,700, but of 20 ms on two workers, fifty times as many a second as real ones: what they take beyond
             tasks * 20 ms / 2, times 2 / tasks, bounds what handing out costs a task in a worker's time (all that the
             program does at that pace counts, which beside tasks of a second is done while they run); its CPU time a
             task bounds how many workers it can feed; and its memory at the 1,000th and last task
    killed   tasks of one second on two local processes, one of which is killed every ten seconds
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from volumetric.blocks.blockmap import BlockMap
from volumetric.blocks.capacity import ClusterSettings
from volumetric.blocks.cluster import open_cluster
from volumetric.blocks.execute import Execution, execute
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Cost, Plan
from volumetric.geometry.grid import Block, BlockGrid
from volumetric.storage.provenance import versions

WORKERS, TASK_S = 2, 0.02
SLEEPERS, SLEEPS = 4, 40
REAL_S = 1.0
"""What a real task takes, at least."""

EARLY = 1000
"""The task at which the memory is looked at first."""

KILL_TASKS, KILL_EVERY_S = 60, 10.0


class Waiting:
    """A task that takes a time and no work."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, block: Block, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
        time.sleep(self.seconds)
        return {}


class Watch:
    """Looks at the program's own memory after every hundredth task."""

    def __init__(self) -> None:
        self.seen: dict[int, float] = {}

    def __call__(self, stage: str, pass_name: str, done: int, total: int, megabytes: float) -> None:
        if done in {EARLY, total} or done % 100 == 0:
            self.seen[done] = round(psutil.Process().memory_info().rss / 1e6, 1)


def plan(folder: Path, tasks: int, seconds: float) -> Plan:
    waiting = BlockMap("wait", BlockGrid((tasks, 1, 1), (1, 1, 1)), {}, Waiting(seconds), {}, Cost())
    return Plan("wait", 1, {}, {}, (waiting,), (folder / "never",))


def span(ledger: Ledger) -> float:
    """Seconds from the first task handed out after the workers were there, to the last one done."""
    times = [event["time"] for event in ledger.events() if event["event"] == "done"]
    return float(max(times) - min(times))


def measure(kind: str, tasks: int, seconds: float) -> dict[str, Any]:
    """Overhead and memory of many short tasks."""
    watch = Watch()
    settings = ClusterSettings(kind)
    with tempfile.TemporaryDirectory() as folder, open_cluster(settings) or nullcontext() as cluster:
        execution = Execution(WORKERS, 16 * 10**9, cluster, watch)
        began = time.process_time()
        ledger = execute(plan(Path(folder), tasks, seconds), Path(folder) / "work", execution)
        worked = time.process_time() - began
        took = span(ledger)
    counted = tasks - 1  # the span begins where the first task ends
    cost = (took - counted * seconds / WORKERS) * WORKERS / counted
    return {
        "tasks": tasks,
        "task_seconds": seconds,
        "workers": WORKERS,
        "span_seconds": round(took, 1),
        "overhead_ms_a_task": round(cost * 1e3, 2),
        "program_cpu_ms_a_task": round(worked / tasks * 1e3, 2),
        "memory_mb_at_task_1000": watch.seen.get(EARLY),
        "memory_mb_at_last_task": watch.seen[tasks],
        "memory_mb_most": max(watch.seen.values()),
    }


def at_one_second(kind: str) -> dict[str, float]:
    """Overhead of tasks of one second, as they are."""
    with tempfile.TemporaryDirectory() as folder, open_cluster(ClusterSettings(kind)) or nullcontext() as cluster:
        if cluster is not None:
            cluster.engage(SLEEPERS)
        execution = Execution(SLEEPERS, 16 * 10**9, cluster)
        ledger = execute(plan(Path(folder), SLEEPERS * SLEEPS, REAL_S), Path(folder) / "work", execution)
        times = sorted(event["time"] for event in ledger.events() if event["event"] == "done")
    took, counted = times[-1] - times[2 * SLEEPERS - 1], SLEEPS - 2  # each worker has imported what it needs by then
    return {"tasks": SLEEPERS * SLEEPS, "workers": SLEEPERS, "overhead": round(took / (counted * REAL_S) - 1, 4)}


def workers() -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if any("spawn_main" in word for word in process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def killed(every_s: float) -> dict[str, float]:
    """Tasks of one second on local processes, one of which is killed now and then (never, where the time is 0)."""
    rng, stop, kills = random.Random(1), threading.Event(), [0]

    def kill() -> None:
        while not stop.wait(every_s):
            alive = workers()
            if alive:
                rng.choice(alive).kill()
                kills[0] += 1

    with tempfile.TemporaryDirectory() as folder, open_cluster(ClusterSettings("local")) as cluster:
        thread = threading.Thread(target=kill)
        execution = Execution(WORKERS, 16 * 10**9, cluster)
        cluster.engage(WORKERS)
        if every_s:
            thread.start()
        try:
            ledger = execute(plan(Path(folder), KILL_TASKS, REAL_S), Path(folder) / "work", execution)
        finally:
            stop.set()
        events = Counter(str(event["event"]) for event in ledger.events())
        return {
            "span_seconds": round(span(ledger), 1),
            "kills": kills[0],
            "tasks": KILL_TASKS,
            "handed_out_again": events["lost"],
        }


def many(kinds: list[str], tasks: int) -> dict[str, Any]:
    """A row of the table a kind."""
    results = {}
    print(f"{'':8} {'ms a task':>10} {'CPU ms':>7} {'MB at 1,000':>12} {'MB at end':>10}")
    for kind in kinds:
        row = results[kind] = measure(kind, tasks, TASK_S)
        print(
            f"{kind:8} {row['overhead_ms_a_task']:10.2f} {row['program_cpu_ms_a_task']:7.2f} "
            f"{row['memory_mb_at_task_1000']:12.0f} {row['memory_mb_at_last_task']:10.0f}",
            flush=True,
        )
    return results


def second(kinds: list[str]) -> dict[str, Any]:
    """The overhead of each kind at one second a task."""
    results = {kind: at_one_second(kind) for kind in kinds}
    for kind, row in results.items():
        print(f"{kind:8} {row['overhead']:.2%} of tasks of {REAL_S:.0f} s", flush=True)
    return results


def kills() -> dict[str, Any]:
    """What a killed worker costs."""
    calm, disturbed = killed(0.0), killed(KILL_EVERY_S)
    lost = (disturbed["span_seconds"] - calm["span_seconds"]) / max(1, disturbed["kills"])
    print(
        f"killed every {KILL_EVERY_S:.0f} s: {calm['span_seconds']} s become {disturbed['span_seconds']} s "
        f"with {disturbed['kills']} kills, {lost:.1f} s each"
    )
    return {"calm": calm, "disturbed": disturbed, "every_s": KILL_EVERY_S, "seconds_a_kill": round(lost, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", default=["second", "many", "killed"], choices=["second", "many", "killed"])
    parser.add_argument("--kind", nargs="+", default=["threads", "local"], choices=["threads", "local"])
    parser.add_argument("--tasks", type=int, default=28_700)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    from pipelines.bench.run import machine  # here: worker processes import this file, and need no torch

    path = options.out / "scheduling.json"
    results = json.loads(path.read_text())["results"] if path.is_file() else {}  # parts not run now stay
    parts = {"second": lambda: second(options.kind), "many": lambda: many(options.kind, options.tasks), "killed": kills}
    for part in options.part:
        load = psutil.getloadavg()[0]
        results[part] = {"date": time.strftime("%Y-%m-%d"), "load_before": round(load, 1), **parts[part]()}
    record = {"date": time.strftime("%Y-%m-%d"), "machine": machine(), "version": versions(), "results": results}
    path.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
