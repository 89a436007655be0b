"""Does fine-tuning on real tiles help the published recipe, as its authors report (F1 at 3, 5 and 7 px)?

    python benchmarks/detector_published_recipe.py --data ../shared/data/cells_cfos --work WORK

`train-detector --mode method` on two brains; the network after synthetic crops alone and after the tiles are both
scored on the third, each with the threshold that is best for the two, at 3, 5 and 7 px. Intervals are of a bootstrap
over tiles.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from detector_leave_one_brain_out import VOXEL_UM, trained

from pipelines.bench.run import machine
from pipelines.scored import find, found_in
from volumetric.detection.evaluate import Scored, Tolerance
from volumetric.detection.model import load_detector
from volumetric.detection.tileset import Tile, read_tiles
from volumetric.points.curves import curve, intervals
from volumetric.storage.provenance import versions

TOLERANCES = ("3px", "5px", "7px")
RECIPE = ["--mode", "method", "--synthetic", "120", "--pretrain-steps", "1500", "--steps", "1200"]


def scored(model: Path, tiles: list[Tile], brain: str, work: Path) -> dict[str, dict[str, float]]:
    """F1 and AP on a brain, with the thresholds of the others."""
    detector = load_detector(model)
    found = {}
    for own in (True, False):
        part = [tile for tile in tiles if (tile.brain == brain) == own]
        table = work / f"{brain}-{model.stem}-{'test' if own else 'rest'}.parquet"
        if not table.exists():
            find(part, detector, table)
        found[own] = (part, found_in(part, table, detector.settings))
    result = {}
    for text in TOLERANCES:
        test, rest = (Scored(*found[own], Tolerance.parse(text)) for own in (True, False))
        threshold = float(np.mean([curve(rest.of_brain(other)).best_threshold for other in rest.brains]))
        low, high = intervals(test.scored, lambda c, t=threshold: {"f1": c.at(t)["f1"]})["f1"]
        result[text] = {
            "f1": test.curve.at(threshold)["f1"],
            "low": low,
            "high": high,
            "ap": test.curve.average_precision,
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    tiles = read_tiles(options.data, VOXEL_UM)
    began, results = time.time(), {}
    for brain in sorted({tile.brain for tile in tiles}):
        model = trained(tiles, brain, 1, options, RECIPE)
        before = options.work / f".{model.name}.work" / "train" / "pretrain.safetensors"
        results[brain] = {
            "synthetic alone": scored(before, tiles, brain, options.work),
            "fine-tuned": scored(model, tiles, brain, options.work),
        }
        print(brain, json.dumps(results[brain], indent=1), flush=True)
    mean = {
        what: {
            text: {name: float(np.mean([one[what][text][name] for one in results.values()])) for name in ("f1", "ap")}
            for text in TOLERANCES
        }
        for what in ("synthetic alone", "fine-tuned")
    }
    print(json.dumps(mean, indent=1))
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions(),
        "options": RECIPE,
        "seconds": round(time.time() - began),
        "mean_of_brains": mean,
        "brains": results,
    }
    path = options.out / "detector_published_recipe.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
