"""Does a run take what `volumetric plan` said? Rates measured at one size, a run at another.

python benchmarks/predicted_run.py [--stages ingest detect assign register] [--slices 64 --edge 3072] [--data DATA]

The machine is measured as `volumetric bench` does it, slices of another size are made, and each stage is run twice in a
new process: the first run starts cold (compiling, first use of the network; for `assign` making the atlas too), which
`plan` does not count. Registered is a real brain (`brain_stpt`) to the Allen atlas of 50 um, once. Beside the seconds
stand those of the processors (user and system time of a stage and its children), for which the same arithmetic is done:
they tell how good it is where other programs take time in between.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from pipelines import bench
from pipelines import ingest as conversion
from pipelines import register as registration
from pipelines.bench import assign, detect, ingest, register
from pipelines.bench.material import VOXEL_UM, Case, Material, write_tissue
from pipelines.bench.measure import Measured, Measuring, Method
from pipelines.config import Resources
from pipelines.forecast import Brain, forecast, read_rates
from volumetric.atlas.loader import load_atlas
from volumetric.phantom.atlas import coarse_atlas
from volumetric.storage.atomic import write_json
from volumetric.storage.omezarr import open_ome_zarr
from volumetric.storage.provenance import versions
from volumetric.storage.sources import open_source

NAMES = ("ingest", "register", "detect", "assign")
STPT_SHAPE, STPT_UM, ATLAS = (270, 193, 271), (50.0, 40.0, 40.0), "allen_mouse_50um"
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


def methods(material: Material, names: Sequence[str], cells: int, data: Path) -> dict[str, Method]:
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
        found["register"] = RealBrain(case, data)
    return found


@dataclass(frozen=True)
class RealBrain:
    """`volumetric register` of a real brain; its slices are converted before."""

    case: Case
    data: Path

    @property
    def volume(self) -> Path:
        return self.case.folder / "stpt.ome.zarr"

    def convert(self) -> None:
        config = conversion.Config(voxel_um=STPT_UM, orientation="psl")
        source, steps = open_source(self.data / "brain_stpt" / "slices"), self.case.folder / "stpt"
        self.case.execute(conversion.plan(source, self.volume, steps, config, self.case.resources), steps)

    def run(self) -> None:
        atlas = load_atlas(ATLAS, self.data / "atlas")
        config = registration.Config(atlas=ATLAS, preset=register.PRESET)
        out, steps = self.case.work / "registration", self.case.work / "steps"
        self.case.execute(registration.plan(open_ome_zarr(self.volume), atlas, out, steps, config), steps)


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
    parser.add_argument("--slices", type=int, default=64)
    parser.add_argument("--edge", type=int, default=3072)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the folder of brain_stpt and atlas")
    parser.add_argument("--cells", type=int, default=2_000_000, help="that get regions")
    parser.add_argument("--bench-slices", type=int, default=32)
    parser.add_argument("--bench-edge", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=1, help="of the bench")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "predicted_run.json")
    args = parser.parse_args()
    resources, began, load = Resources(workers=args.workers), time.perf_counter(), psutil.getloadavg()[0]
    shape, spots = (args.slices, args.edge, args.edge), args.slices * args.edge**2 // SPOT_PX
    whole = tuple(round(edge / step) for edge, step in zip(coarse_atlas(1).extent_um, VOXEL_UM, strict=True))
    tissue, stpt = Brain(shape, VOXEL_UM, cells=spots), Brain(STPT_SHAPE, STPT_UM, atlas_um=50.0)
    known = {"assign": Brain(whole, VOXEL_UM, cells=args.cells, atlas_um=100.0), "register": stpt}
    brains = {name: known.get(name, tissue) for name in args.stages}
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
            for stage, method in methods(material, args.stages, args.cells, args.data).items():
                if isinstance(method, RealBrain):
                    method.convert()
                took[stage] = measuring.measure(method, warms_up=not isinstance(method, RealBrain))
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
            "clock, cold": compared(said, {n: m.first_wall_s or m.wall_s for n, m in took.items()}),
            "processors": compared(said_of_processors, {n: m.cpu_s for n, m in took.items()}),
            "processors, cold": compared(said_of_processors, {n: m.first_cpu_s or m.cpu_s for n, m in took.items()}),
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
