"""What does a whole count take, stage by stage, and how good is it?

python benchmarks/end_to_end.py [--atlas allen_mouse_50um --atlas-dir DIR] [--out FOLDER]

Runs `volumetric demo` in a process of its own: slices of a phantom brain, every cell of which is known, to the report.
Making the phantom is not part of what is measured. `--atlas` adds a second anatomy.
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

import psutil

from pipelines.bench.run import machine
from volumetric.storage.atomic import read_json, write_json
from volumetric.storage.provenance import versions


def counted(folder: Path, flags: list[str]) -> dict[str, Any]:
    """The stages of one count and its score."""
    subprocess.run([sys.executable, "-m", "pipelines.cli", "demo", str(folder), *flags], check=True)
    run, score = read_json(folder / "run" / "run.json"), read_json(folder / "score.json")
    stages = [{"stage": name, **figures} for name, figures in run["stages"].items()]
    keys = ("cells_true", "cells_found", "recall", "precision", "count_error", "median_region_error")
    return {
        "stages": stages,
        "score": {
            **{key: score[key] for key in keys},
            "minutes": round(sum(stage["seconds"] for stage in stages) / 60, 2),
            "peak_memory_bytes": max(stage.get("peak_memory_bytes", 0) for stage in stages),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atlas", help="a second anatomy beside the built-in one")
    parser.add_argument("--atlas-dir", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    path = args.out / "end_to_end.json"
    stored = json.loads(path.read_text())["results"] if path.is_file() else {"stages": [], "score": {}}
    chosen = {"built-in": list[str]()}
    if args.atlas:
        place = ["--atlas-dir", str(args.atlas_dir)] if args.atlas_dir else []
        chosen[args.atlas] = ["--atlas", args.atlas, *place]
    load = round(psutil.getloadavg()[0], 1)
    for name, flags in chosen.items():
        with tempfile.TemporaryDirectory() as folder:
            found = counted(Path(folder) / "demo", flags)
        others = [row for row in stored["stages"] if row["anatomy"] != name]
        stored["stages"] = others + [{"anatomy": name, **row} for row in found["stages"]]
        stored["score"][name] = found["score"]
        print(name, json.dumps(found["score"]), flush=True)
    record = {"date": time.strftime("%Y-%m-%d"), "machine": machine(), "version": versions(), "load_before": load}
    write_json(path, {**record, "workers": os.cpu_count(), "results": stored})


if __name__ == "__main__":
    main()
