"""Does memory grow with the volume? Peaks of ingest and detect for volumes up to sixteen times as large.

python benchmarks/memory_against_size.py [--times 1 4 16] [--block 16 1024 1024] [--out FOLDER]

Blocks follow the memory that is allowed, and small volumes are cut into small ones: to compare volumes, the block is
given, and slices are of one size. A last row lets the largest volume choose its own block, within the same memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from pipelines.bench.run import machine
from volumetric.storage.atomic import write_json
from volumetric.storage.provenance import versions

LIMIT = "2GB"
SHAPES = {times: (64 * times, 2048, 1024) for times in (1, 2, 4, 8, 16)}


def write_slices(folder: Path, shape: tuple[int, int, int]) -> None:
    """An empty frame, and a band of tissue with cells."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    page = np.full(shape[1:], 100, np.uint16)
    page[:, 448:576] = rng.normal(400, 30, (shape[1], 128)).astype(np.uint16)
    count = shape[1] // 8
    for y, x in zip(rng.integers(8, shape[1] - 8, count), rng.integers(456, 568, count), strict=True):
        page[y - 3 : y + 4, x - 3 : x + 4] += 400
    for number in range(shape[0]):
        tifffile.imwrite(folder / f"s{number:04}.tif", np.roll(page, number // 3 * 17, axis=0))


def peaks(slices: Path, folder: Path, block: list[int] | None) -> dict[str, int]:
    """Measured peak of each stage, in a process of its own."""
    folder.mkdir()
    flags = ["--voxel-um", "5", "2", "2", "--out", str(folder / "cells.parquet"), "--memory", LIMIT, "--workers", "2"]
    cut = ["--block", *map(str, block)] if block else []
    command = [sys.executable, "-m", "pipelines.cli", "detect", str(slices), *flags, *cut]
    subprocess.run(command, check=True, stdout=sys.stderr)
    found = {}
    for stage in ("ingest", "detect"):
        lines = (folder / ".cells.parquet.work" / stage / "journal.jsonl").read_text().split("\n")
        found[f"{stage}_peak_memory_bytes"] = max(json.loads(li).get("peak_memory_bytes", 0) for li in lines if li)
    return found


def main() -> None:
    """Measure all sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4, 16], choices=list(SHAPES))
    parser.add_argument("--block", type=int, nargs=3, default=[16, 1024, 1024])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=args.out) as name:
        for times in args.times:
            folder = Path(name) / str(times)
            write_slices(folder / "slices", SHAPES[times])
            cuts = [args.block] if times < max(args.times) else [args.block, None]
            for block in cuts:
                made = folder / ("given" if block else "chosen")
                rows.append({"times": times, "shape": SHAPES[times], "block": block or "chosen"})
                rows[-1] |= peaks(folder / "slices", made, block)
                print(rows[-1], flush=True)
    keys = ("ingest_peak_memory_bytes", "detect_peak_memory_bytes")
    same = [row for row in rows if row["block"] != "chosen"]
    growth = {key.split("_")[0]: round(same[-1][key] / same[0][key] - 1, 3) for key in keys}
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "version": versions(),
        "memory_limit": LIMIT,
        "workers": min(2, os.cpu_count() or 1),
        "peaks": rows,
        "growth": growth,
    }
    print(growth)
    write_json(args.out / "memory_against_size.json", record)


if __name__ == "__main__":
    main()
