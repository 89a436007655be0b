"""Does memory grow with the volume? Peak of ingest and detect for a volume and one eight times larger.

python benchmarks/memory_against_size.py > benchmarks/results/memory_against_size.json
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tifffile

LIMIT = "2GB"
SMALL, LARGE = (64, 2048, 1024), (256, 4096, 1024)


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


def peak_bytes(folder: Path, shape: tuple[int, int, int]) -> dict[str, int]:
    """Measured peak of each stage, in a process of its own."""
    write_slices(folder / "slices", shape)
    out = folder / "cells.parquet"
    flags = ["--voxel-um", "5", "2", "2", "--out", str(out), "--memory", LIMIT, "--workers", "2"]
    subprocess.run([sys.executable, "-m", "pipelines.cli", "detect", str(folder / "slices"), *flags], check=True,
                   stdout=sys.stderr)  # fmt: skip
    peaks = {}
    for stage in ("ingest", "detect"):
        lines = (folder / ".cells.parquet.work" / stage / "journal.jsonl").read_text().split("\n")
        peaks[stage] = max(json.loads(line).get("peak_memory_bytes", 0) for line in lines if line)
    return peaks


def main() -> None:
    """Measure both sizes and print the result."""
    with tempfile.TemporaryDirectory() as folder:
        small = peak_bytes(Path(folder) / "small", SMALL)
        large = peak_bytes(Path(folder) / "large", LARGE)
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, 2 workers",
        "memory_limit": LIMIT,
        "shapes": {"small": SMALL, "large": LARGE},
        "peak_bytes": {"small": small, "large": large},
        "growth": {stage: round(large[stage] / small[stage] - 1, 3) for stage in small},
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
