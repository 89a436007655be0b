"""Do twice as many workers do twice as much, and does the cut into blocks matter?

python benchmarks/scaling.py [--part strong weak blocks] [--slices 32 --edge 4096] [--workers 1 2] [--out FOLDER]

    strong   the same slices with more workers, each with a core of its own, as threads and as local processes
    weak     as many times more slices as there are workers
    blocks   detection cut into blocks of one size after another: small ones decode more of their neighbourhood

Each run is a process of its own, which imports and compiles first; local processes start within the time that is
measured, which takes them some seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from pipelines import detect, ingest
from pipelines.bench.material import VOXEL_UM, Case, Material, write_tissue
from pipelines.bench.measure import Measured, Measuring
from pipelines.bench.run import machine
from pipelines.config import Resources
from volumetric.geometry.box import Index3
from volumetric.storage.atomic import write_json
from volumetric.storage.omezarr import open_ome_zarr
from volumetric.storage.provenance import versions
from volumetric.storage.sources import open_source

BLOCKS: tuple[Index3, ...] = ((16, 512, 512), *reversed(detect.BLOCKS))
MEMORY = 12 * 10**9
PARTS = ("strong", "weak", "blocks")


@dataclass(frozen=True)
class Stage:
    """A stage of `count`, on one data set."""

    name: str
    material: Material
    block: Index3 | None = None

    @property
    def case(self) -> Case:
        return self.material.without_volume if self.name == "ingest" else self.material.case

    def run(self) -> None:
        case = self.case
        if self.name == "ingest":
            config = ingest.Config(voxel_um=VOXEL_UM)
            out = case.work / "brain.ome.zarr"
            plan = ingest.plan(open_source(self.material.slices), out, case.work / "steps", config, case.resources)
        else:
            config = detect.Config(block=self.block)
            volume = open_ome_zarr(case.volume)
            plan = detect.plan(volume, case.work / "cells.parquet", case.work / "steps", config, case.resources)
        case.execute(plan, case.work / "steps")


def measured(stage: Stage) -> Measured:
    """One run in a new process, which has as many cores as workers."""
    had = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(had)[: stage.material.resources.workers])
    try:
        with Measuring(fresh=True) as measuring:
            found = measuring.measure(stage)
    finally:
        os.sched_setaffinity(0, had)
    stage.case.clear()
    return found


def row(stage: Stage, found: Measured, workers: int, kind: str) -> dict[str, Any]:
    made = stage.material.megavoxels
    return {
        "stage": stage.name,
        "workers": workers,
        "kind": kind,
        "megavoxels": round(made, 1),
        "seconds": round(found.wall_s, 1),
        "cpu_seconds": round(found.cpu_s, 1),
        "megavoxels_per_second": round(made / found.wall_s, 1),
        "peak_memory_bytes": found.peak_bytes,
    }


def resources(workers: int, kind: str = "threads") -> Resources:
    return Resources(workers=workers, memory=MEMORY, cluster={"kind": kind})


def strong(folder: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """The same work for more workers; `efficiency` is the speed beside that of one thread, a worker."""
    rows = []
    for name in ("ingest", "detect"):
        alone = 0.0
        for kind in ("threads", "local"):
            for workers in args.workers:
                stage = Stage(name, Material(folder / "slices", folder, resources(workers, kind)))
                found = measured(stage)
                alone = alone or found.wall_s * workers
                efficiency = round(alone / found.wall_s / workers, 2)
                rows.append({**row(stage, found, workers, kind), "efficiency": efficiency})
                print(rows[-1], flush=True)
    return rows


def weak(folder: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Work that grows with the workers; `efficiency` is the time of one beside that of all."""
    rows = []
    for name in ("ingest", "detect"):
        alone = 0.0
        for workers in args.workers:
            here = folder / f"weak-{workers}"
            if not here.exists():
                write_tissue(here / "slices", args.slices * workers // max(args.workers), args.edge)
            stage = Stage(name, Material(here / "slices", here, resources(workers)))
            found = measured(stage)
            alone = alone or found.wall_s
            rows.append({**row(stage, found, workers, "threads"), "efficiency": round(alone / found.wall_s, 2)})
            print(rows[-1], flush=True)
    return rows


def blocks(folder: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """The same detection in blocks of several sizes."""
    rows = []
    material = Material(folder / "slices", folder, resources(max(args.workers)))
    for block in BLOCKS:
        stage = Stage("detect", material, block)
        found = row(stage, measured(stage), max(args.workers), "threads")
        rows.append({"block": " x ".join(map(str, block)), **found})
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--slices", type=int, default=32)
    parser.add_argument("--edge", type=int, default=4096)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    path = args.out / "scaling.json"
    results = json.loads(path.read_text())["results"] if path.is_file() else {}  # parts not run now stay
    load = round(psutil.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory(dir=args.out) as name:
        folder = Path(name)
        write_tissue(folder / "slices", args.slices, args.edge)
        for part in args.part:
            results[part] = {"strong": strong, "weak": weak, "blocks": blocks}[part](folder, args)
    record = {"date": time.strftime("%Y-%m-%d"), "machine": machine(), "version": versions(), "load_before": load}
    write_json(path, {**record, "results": results})


if __name__ == "__main__":
    main()
