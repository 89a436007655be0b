"""Does the memory of ingest stay within --memory for slices of 11,000 x 16,000 px, however many there are?

python benchmarks/ingest_wide_slices.py [--memory 2GB] [--slices 32 96] [--out FOLDER]

The slices are one smooth, compressed TIFF (64-row strips) under many names: 352 MB of voxels each.
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

import numpy as np
import tifffile

from pipelines.bench.run import machine
from volumetric.storage.provenance import versions

SHAPE = (11_000, 16_000)


def write_slices(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = (1000 + 500 * np.sin(rows / 700) * np.cos(columns / 900)).astype(np.uint16)
    first = folder / "s00000.tif"
    tifffile.imwrite(first, image, compression="zlib", rowsperstrip=64)
    for number in range(1, count):
        os.link(first, folder / f"s{number:05}.tif")


def ingest(slices: Path, out: Path, memory: str) -> dict[str, float]:
    began = time.perf_counter()
    flags = ["--voxel-um", "5", "0.7", "0.7", "--memory", memory]
    subprocess.run([sys.executable, "-m", "pipelines.cli", "ingest", str(slices), str(out), *flags], check=True)
    journal = out.parent / f".{out.name}.work" / "journal.jsonl"
    events = [json.loads(line) for line in journal.read_text().splitlines() if line]
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "peak_memory_mb": round(max(e.get("peak_memory_bytes", 0) for e in events) / 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", default="2GB")
    parser.add_argument("--slices", type=int, nargs="+", default=[32, 96])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    results = {}
    for count in options.slices:
        with tempfile.TemporaryDirectory() as folder:
            write_slices(Path(folder) / "slices", count)
            results[count] = ingest(Path(folder) / "slices", Path(folder) / "brain.ome.zarr", options.memory)
            print(count, "slices:", results[count], flush=True)
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "version": versions(),
        "slice": SHAPE,
        "memory": options.memory,
        "results": results,
    }
    (options.out / "ingest_wide_slices.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
