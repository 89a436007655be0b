"""Ten million cells: regions, table and roll-up, as the stage `assign` does it.

python benchmarks/assign_ten_million.py --data ../shared/data [--cells 10000000] [--out FILE]

Cells lie at random in a registered brain (the CCF at 50 um under a known smooth map); the whole command runs in a
process of its own, from the table of detections on disk to `cells.parquet` and `regions.csv`. Memory is that
process' peak.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.registration import known_warp
from volumetric.atlas.loader import load_atlas
from volumetric.atlas.registered import ATLAS_TO_SAMPLE, QUALITY, SAMPLE_TO_ATLAS
from volumetric.geometry.space import VoxelSpace
from volumetric.points.table import cells_table
from volumetric.storage.atomic import write_json
from volumetric.storage.provenance import versions
from volumetric.storage.tables import write_pieces
from volumetric.storage.transforms import write_map

ATLAS = "allen_mouse_50um"
VOXEL = VoxelSpace((5.0, 0.7, 0.7))
PIECE = 500_000


def write_registration(folder: Path, data: Path) -> None:
    atlas = load_atlas(ATLAS, data / "atlas")
    truth = known_warp(atlas, 0)
    write_map(folder / SAMPLE_TO_ATLAS, truth, "benchmark")
    write_map(folder / ATLAS_TO_SAMPLE, truth.inverse(atlas.space, atlas.shape), "benchmark")
    shape = [round(edge / step) for edge, step in zip(atlas.extent_um, VOXEL.spacing_um, strict=True)]
    volume = {"shape": shape, "spacing_um": VOXEL.spacing_um, "origin_um": VOXEL.origin_um, "orientation": "asr"}
    known = {"name": atlas.name, "given": ATLAS, "identity": atlas.identity}
    write_json(folder / QUALITY, {"volume": volume, "atlas": known, "identity": "benchmark", "warnings": []})


def pieces(n: int, extent_um: tuple[float, float, float]) -> Iterator[pd.DataFrame]:
    """Cells in the order in which detection lists them: from slice to slice."""
    rng = np.random.default_rng(0)
    for start in range(0, n, PIECE):
        size = min(PIECE, n - start)
        places = rng.uniform(0, extent_um, (size, 3))
        places[:, 0] = np.sort(start + rng.uniform(0, size, size)) / n * extent_um[0]
        found = pd.DataFrame(VOXEL.to_vox(places), columns=["z_vox", "y_vox", "x_vox"])
        for name in ("score", "probability", "radius_px", "intensity", "background"):
            found[name] = rng.random(size)
        found["n_slices"] = 3
        yield cells_table(found, VOXEL, start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cells", type=int, default=10_000_000)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "registration").mkdir()
        write_registration(folder / "registration", args.data)
        extent = load_atlas(ATLAS, args.data / "atlas").extent_um
        write_pieces(folder / "detections.parquet", pieces(args.cells, extent), {"identity": "benchmark"})
        command = [sys.executable, "-m", "pipelines.cli", "assign", str(folder / "detections.parquet")]
        command += ["--registration", str(folder / "registration"), "--atlas", ATLAS]
        command += ["--atlas-dir", str(args.data / "atlas"), "--out", str(folder / "tables")]
        began = time.monotonic()
        subprocess.run(command, check=True)
        seconds = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
        table = pd.read_csv(folder / "tables" / "regions.csv", keep_default_na=False)
        inside = int(table.loc[(table["hemisphere"] == "both"), "count_own"].sum())
    found = {
        "date": str(date.today()),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "versions": versions(),
        "cells": args.cells,
        "in_regions": inside,
        "seconds": round(seconds, 1),
        "limit_seconds": 15,
        "peak_memory_mb": round(peak),
        "limit_memory_mb": 4000,
    }
    print(json.dumps(found, indent=2))
    if args.out:
        write_json(args.out, found)


if __name__ == "__main__":
    main()
