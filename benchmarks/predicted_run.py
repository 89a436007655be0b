"""Does a run take what `volumetric plan` said? Rates measured at one size, a run at another.

python benchmarks/predicted_run.py [--stages ingest detect assign register] [--slices 48 --edge 1536] [--out FILE]

The machine is measured as `volumetric bench` does it, slices of another size are made, and each stage is run twice in a
new process: the first run starts cold (compiling, first use of the network; for `assign` making the atlas too), which
`plan` does not count. Beside the seconds stand those of the processors (user and system time of a stage and its
children), for which the same arithmetic is done: they tell how good it is where other programs take time in between.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from pipelines import bench
from pipelines.bench import assign, detect, ingest, register
from pipelines.bench.material import VOXEL_UM, Material, write_tissue
from pipelines.bench.measure import Measured, Measuring, Method
from pipelines.config import Resources
from pipelines.forecast import Brain, forecast, read_rates
from volumetric.phantom.atlas import coarse_atlas
from volumetric.storage.atomic import write_json
from volumetric.storage.provenance import versions

NAMES = ("ingest", "register", "detect", "assign")
SPOT_PX = 9000
"""Pixels of made-up tissue for each of its spots."""


def predicted(rates: Path, brains: dict[str, Brain], resources: Resources) -> dict[str, float]:
    """Seconds of each stage, for a brain of its own."""
    found = read_rates(rates).rates
    return {
        name: next(stage.seconds for stage in forecast(brain, found, resources, 0) if stage.stage == name)
        for name, brain in brains.items()
    }


def of_processors(rates: Path) -> Path:
    """The same figures with the time of the processors in place of that of the clock, as if one had done all."""
    record: dict[str, Any] = copy.deepcopy(json.loads(rates.read_text()))
    record["data"]["workers"] = 1
    for row in record["results"]:
        row["seconds"] = row["cpu_seconds"]
    other = rates.with_name("processors.json")
    other.write_text(json.dumps(record))
    return other


def methods(material: Material, names: Sequence[str], cells: int) -> dict[str, Method]:
    """How each stage is run."""
    case = material.case
    found: dict[str, Method] = {}
    if "ingest" in names:
        found["ingest"] = ingest.Pyramid(ingest.Case(material.slices, material.folder, material.resources.workers))
    if "detect" in names:
        found["detect"] = detect.Whole(case)
    if "assign" in names:
        folder = case.folder / "assigned"
        assign.write_registration(folder)
        assign.write_cells(folder / "cells.parquet", cells)
        found["assign"] = assign.Assigning(case)
    if "register" in names:
        found["register"] = register.Whole(case, 1, register.PRESET)
    return found


def compared(said: dict[str, float], took: dict[str, float]) -> dict[str, Any]:
    """Each stage and all of them: seconds said, seconds taken, and the one by the other."""
    rows = {name: (said[name], took[name]) for name in took}
    rows["all"] = (sum(said[name] for name in took), sum(took.values()))
    return {
        n: {"predicted_s": round(a, 2), "measured_s": round(b, 2), "ratio": round(a / b, 3)}
        for n, (a, b) in rows.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", nargs="+", default=list(NAMES), choices=NAMES)
    parser.add_argument("--slices", type=int, default=48)
    parser.add_argument("--edge", type=int, default=1536)
    parser.add_argument("--cells", type=int, default=2_000_000, help="that get regions")
    parser.add_argument("--bench-slices", type=int, default=32)
    parser.add_argument("--bench-edge", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=1, help="of the bench")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "predicted_run.json")
    args = parser.parse_args()
    resources, began, load = Resources(workers=args.workers), time.perf_counter(), psutil.getloadavg()[0]
    shape, spots = (args.slices, args.edge, args.edge), args.slices * args.edge**2 // SPOT_PX
    atlas = coarse_atlas(1)
    whole = tuple(round(edge / step) for edge, step in zip(atlas.extent_um, VOXEL_UM, strict=True))
    tissue, brain = Brain(shape, VOXEL_UM, cells=spots), Brain(whole, VOXEL_UM, cells=args.cells, atlas_um=100.0)
    brains = {name: tissue if name in {"ingest", "detect"} else brain for name in args.stages}
    with tempfile.TemporaryDirectory(dir=args.out.parent) as name:
        folder = Path(name)
        config = bench.Config(slices=args.bench_slices, edge=args.bench_edge, repeats=args.repeats)
        rates = folder / "bench.json"
        record = bench.run_bench(config, None, rates, resources, Console())
        said = predicted(rates, brains, resources)
        said_of_processors = predicted(of_processors(rates), brains, Resources(workers=1))
        write_tissue(folder / "run" / "slices", args.slices, args.edge, seed=1)
        material = Material(folder / "run" / "slices", folder / "run", resources)
        took: dict[str, Measured] = {}
        with Measuring(fresh=True) as measuring:
            for stage, method in methods(material, args.stages, args.cells).items():
                took[stage] = measuring.measure(method)
                method.case.clear()
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": record["machine"],
        "version": versions(),
        "note": "other programs used the machine meanwhile" if load >= 1 else "a quiet machine",
        "load_before": round(load, 1),
        "load_after": round(psutil.getloadavg()[0], 1),
        "minutes": round((time.perf_counter() - began) / 60, 1),
        "workers": args.workers,
        "bench": {**record["data"], "results": record["results"]},
        "run": {"shape": shape, "cells": args.cells},
        "results": {
            "clock": compared(said, {n: m.wall_s for n, m in took.items()}),
            "clock, cold": compared(said, {n: m.first_wall_s for n, m in took.items()}),
            "processors": compared(said_of_processors, {n: m.cpu_s for n, m in took.items()}),
            "processors, cold": compared(said_of_processors, {n: m.first_cpu_s for n, m in took.items()}),
        },
    }
    write_json(args.out, result)
    for kind, rows in result["results"].items():
        for stage, row in rows.items():
            print(
                f"{kind:16} {stage:9} {row['predicted_s']:8.1f} s said, {row['measured_s']:8.1f} s taken, "
                f"{row['ratio']:.2f}"
            )


if __name__ == "__main__":
    main()
