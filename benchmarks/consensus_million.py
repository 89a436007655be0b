"""How long does the consensus of a million clicks take, and how much memory?

python benchmarks/consensus_million.py [--out FOLDER]

Clicks of 100 workers on 2,000 tiles, from files to files.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.crowds import Rows, crowd_of, keep, options
from volumetric.crowd.simulate import simulate
from volumetric.storage.atomic import read_json
from volumetric.storage.png import write_png

LIMIT_S, LIMIT_MB = 120, 2000


def million() -> Rows:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clicks = write_million(folder)
        command = [sys.executable, "-m", "pipelines.cli", "consensus", str(folder / "clicks.csv")]
        command += [
            "--shown",
            str(folder / "shown.csv"),
            "--tiles",
            str(folder / "tiles"),
            "--out",
            str(folder / "out"),
        ]
        began = time.monotonic()
        process = subprocess.Popen(command)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        if status:
            raise SystemExit("the consensus failed")
        record = read_json(folder / "out" / "consensus.json")
    return [
        {
            "clicks": clicks,
            "candidates": record["candidates"],
            "cells": record["cells"],
            "seconds": round(seconds, 1),
            "user_s": round(used.ru_utime, 1),
            "system_s": round(used.ru_stime, 1),
            "peak_memory_mb": round(used.ru_maxrss / 1000),
            "limit_seconds": LIMIT_S,
            "limit_memory_mb": LIMIT_MB,
        }
    ]


def write_million(folder: Path) -> int:
    """Clicks of 100 workers who are each shown a fifth of 2,000 tiles with 30 cells; returns how many."""
    rng = np.random.default_rng(0)
    cells = {f"t{i:04d}": rng.uniform(3, 497, (30, 2)) for i in range(2000)}
    workers = crowd_of(rng, 100)
    seen = {tile: rng.normal(0, 0.7, 30) for tile in cells}
    clicks, shown = simulate(cells, dict.fromkeys(cells, (500, 500)), workers, coverage=0.2, visibility=seen)
    clicks.to_csv(folder / "clicks.csv", index=False)
    shown.to_csv(folder / "shown.csv", index=False)
    grey = rng.integers(0, 256, (500, 500)).astype(np.uint8)
    for tile in cells:
        write_png(folder / "tiles" / f"{tile}.png", grey)
    return len(clicks)


def main() -> None:
    args = options(__doc__).parse_args()
    keep(million, args.out / "consensus_million.json")


if __name__ == "__main__":
    main()
