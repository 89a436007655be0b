"""What does the engine itself cost for the 28,688 tasks of a channel of 0.94 TB, and does its memory stay bounded?

python benchmarks/engine_at_scale.py [--kind threads local] [--out FOLDER]

The tasks do nothing: all the time is that of handing out, entering in the ledger, listing and reporting. What it costs
beside tasks that take a second, `scheduling.py` tells.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from pipelines.bench.run import machine
from volumetric.blocks.blockmap import BlockMap
from volumetric.blocks.capacity import ClusterSettings
from volumetric.blocks.cluster import Cluster, open_cluster
from volumetric.blocks.execute import Execution, execute
from volumetric.blocks.plan import Cost, Plan
from volumetric.geometry.grid import Block, BlockGrid
from volumetric.storage.provenance import versions

SHAPE = (2600, 11_000, 16_000)
BLOCK = (16, 1024, 1024)
MEMORY = 8 * 10**9


def nothing(block: Block, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {}


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 2)


def plan(folder: Path) -> Plan:
    blocks = BlockMap("blocks", BlockGrid(SHAPE, BLOCK), {}, nothing, {}, Cost(memory_bytes=2**20))
    return Plan("scale", 1, {}, {}, (blocks,), (folder / "scale" / "plan.json",))


def measure(folder: Path, cluster: Cluster | None) -> dict[str, float]:
    work = folder / "scale"
    execution = Execution(2, MEMORY, cluster)
    before = psutil.Process().memory_info().rss
    p = plan(folder)
    count = len(p.passes[0].keys)
    seconds = {"plan": timed(lambda: plan(folder).identity)}
    seconds["run"] = timed(lambda: execute(p, work, execution))
    seconds["resume_when_done"] = timed(lambda: execute(plan(folder), work, execution))
    ledger = execute(plan(folder), work, execution)
    seconds["list"] = timed(lambda: ledger.done("blocks"))
    seconds["report"] = timed(ledger.report)
    peak = max(event.get("peak_memory_bytes", 0) for event in ledger.events()) if cluster is None else None
    return {
        "tasks": count,
        **{f"{name}_s": value for name, value in seconds.items()},
        "milliseconds_a_task": round(seconds["run"] / count * 1e3, 3),
        "client_memory_mb": round(psutil.Process().memory_info().rss / 1e6, 1),
        "client_memory_grown_mb": round((psutil.Process().memory_info().rss - before) / 1e6, 1),
        "peak_memory_mb": round(peak / 1e6, 1) if peak else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", nargs="+", default=["threads", "local"], choices=["threads", "local"])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    results = {}
    for kind in options.kind:
        with tempfile.TemporaryDirectory() as folder, open_cluster(ClusterSettings(kind)) or nullcontext() as cluster:
            results[kind] = measure(Path(folder), cluster)
            print(kind, results[kind], flush=True)
    record = {"date": time.strftime("%Y-%m-%d"), "machine": machine(), "version": versions(), "results": results}
    (options.out / "engine_at_scale.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
