"""Memory does not grow with the volume: eight times the voxels, the same peak."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

pytestmark = pytest.mark.slow

LIMIT = "2GB"


def peak_bytes(folder: Path, slices: int, height: int) -> dict[str, int]:
    """Measured peak of ingest and detect over a volume of slices x height x 1024 voxels, in a process of its own."""
    source = folder / "slices"
    source.mkdir(parents=True)
    rng = np.random.default_rng(0)
    page = np.full((height, 1024), 100, np.uint16)  # an empty frame, and a band of tissue with cells
    page[:, 448:576] = rng.normal(400, 30, (height, 128)).astype(np.uint16)
    for y, x in zip(rng.integers(8, height - 8, height // 8), rng.integers(456, 568, height // 8), strict=True):
        page[y - 3 : y + 4, x - 3 : x + 4] += 400
    for number in range(slices):
        tifffile.imwrite(source / f"s{number:04}.tif", np.roll(page, number // 3 * 17, axis=0))
    out = folder / "cells.parquet"
    subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "detect", str(source), "--voxel-um", "5", "2", "2"]
        + ["--out", str(out), "--memory", LIMIT, "--workers", "2"],
        check=True,
        capture_output=True,
    )
    peaks = {}
    for stage in ("ingest", "detect"):
        lines = (folder / ".cells.parquet.work" / stage / "journal.jsonl").read_text().split("\n")
        peaks[stage] = max(json.loads(line).get("peak_memory_bytes", 0) for line in lines if line)
    return peaks


def test_peak_memory_is_flat_and_below_the_limit(tmp_path: Path) -> None:
    small = peak_bytes(tmp_path / "small", 64, 2048)
    large = peak_bytes(tmp_path / "large", 256, 4096)
    for stage, peak in large.items():
        assert peak < 2e9
        assert peak < 1.05 * small[stage], f"{stage}: {small[stage] / 1e6:.0f} MB grew to {peak / 1e6:.0f} MB"
