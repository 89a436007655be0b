"""Does fine-tuning on real tiles help the published recipe, as its authors report (F1 at 3, 5 and 7 px)?

    python benchmarks/detector_published_recipe.py --data ../shared/data/cells_cfos --work WORK

As there, tiles of the same brains are held out, not brains: `train-detector --mode method` on every other volume; the
network after synthetic crops alone and after the tiles are both scored on the rest, each with the threshold that is
best for the volumes of the training. Intervals are of a bootstrap over volumes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path

from detector_leave_one_brain_out import CLI, VOXEL_UM, linked

from pipelines.bench.run import machine
from pipelines.scored import find, found_in
from volumetric.detection.evaluate import Scored, Tolerance
from volumetric.detection.model import load_detector
from volumetric.detection.tileset import Tile, read_tiles
from volumetric.points.curves import intervals
from volumetric.storage.provenance import versions

TOLERANCES = ("3px", "5px", "7px")
RECIPE = ["--mode", "method", "--synthetic", "120", "--pretrain-steps", "1500", "--steps", "1200"]


def scored(model: Path, learned: list[Tile], held_out: list[Tile], work: Path) -> dict[str, dict[str, float]]:
    """F1 and AP on what was held out, with the threshold of what was learned from."""
    detector = load_detector(model)
    found = []
    for name, part in (("learned", learned), ("held-out", held_out)):
        table = work / f"{model.stem}-{name}.parquet"
        if not table.exists():
            find(part, detector, table)
        found.append((part, found_in(part, table, detector.settings)))
    result = {}
    for text in TOLERANCES:
        known, test = (Scored(*one, Tolerance.parse(text)) for one in found)
        threshold = known.curve.best_threshold
        low, high = intervals(test.scored, lambda c, t=threshold: {"f1": c.at(t)["f1"]})["f1"]
        f1 = test.curve.at(threshold)["f1"]
        result[text] = {"f1": f1, "low": low, "high": high, "ap": test.curve.average_precision}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    tiles = read_tiles(options.data, VOXEL_UM)
    learned, held_out = tiles[::2], tiles[1::2]
    began, model = time.time(), options.work / "method.safetensors"
    folder = linked(options.data, learned, options.work / "learned")
    if not model.exists():
        command = [str(CLI), "train-detector", str(folder), "--voxel-um", *map(str, VOXEL_UM), "--out", str(model)]
        subprocess.run([*command, *RECIPE], check=True)
    before = options.work / f".{model.name}.work" / "train" / "pretrain.safetensors"
    results = {
        "synthetic alone": scored(before, learned, held_out, options.work),
        "fine-tuned": scored(model, learned, held_out, options.work),
    }
    print(json.dumps(results, indent=1))
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions(),
        "options": RECIPE,
        "seconds": round(time.time() - began),
        "held_out": [tile.name for tile in held_out],
        "results": results,
    }
    path = options.out / "detector_published_recipe.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
