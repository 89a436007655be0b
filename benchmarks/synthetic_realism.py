"""How alike are tiles that are made up and those of a brain that no generator saw?

    python benchmarks/synthetic_realism.py --real ../shared/data/cells_cfos --held-out brain1147 \\
        --generator best.safetensors --published method.safetensors --layout layout.json --work WORK

The generators and the layout are of the other brains (how they were made is in the README of this folder). The
published way is compared on its own scale, an 8-bit brightness, the others on that of contrast. Real tiles of another
brain stand beside, and two halves of the real ones (`volumetric realism`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pipelines.bench.run import machine
from volumetric.storage.provenance import versions

PX, EVERY, TILES, SPLITS = 96, 5, 300, 20
CLI = [sys.executable, "-m", "pipelines.cli"]
FIGURES = ("js_histogram", "js_background", "log_power_mae", "signal_difference", "classifier_auc")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True, help="volumes of several brains, BRAIN_N.tif")
    parser.add_argument("--held-out", required=True)
    parser.add_argument("--against", required=True, help="another brain, to stand beside")
    parser.add_argument("--generator", type=Path, required=True, help="of mode best")
    parser.add_argument("--published", type=Path, required=True, help="of mode method")
    parser.add_argument("--layout", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    real, other = (linked(options.real, brain, options.work) for brain in (options.held_out, options.against))
    results = {}
    for name, painter, layout in (
        ("method", options.published, "method"),
        ("best", options.generator, options.layout),
        ("physics", Path("physics"), options.layout),
    ):
        made = options.work / name
        run("synthesize", painter, "--layout", layout, "-n", TILES, "--px", PX, "--out", made)
        compared = options.work / f"{name}-realism"
        sizes = ("--every", EVERY, "--px", PX, "--splits", SPLITS)
        run("realism", made, real, "--against", other, *sizes, "--out", compared)
        record = json.loads((made / "synthesis.json").read_text())
        results[name] = {**kept(json.loads((compared / "realism.json").read_text()))}
        results[name] |= {key: record[key] for key in ("cells", "invisible", "phantoms", "layout")}
        show(name, results[name])
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions(),
        "held_out": options.held_out,
        "against": options.against,
        "settings": {"px": PX, "every": EVERY, "tiles": TILES, "splits": SPLITS},
        "results": results,
    }
    path = options.out / "synthetic_realism.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def linked(real: Path, brain: str, work: Path) -> Path:
    """A folder with the tiles of one brain."""
    folder = work / brain
    folder.mkdir(parents=True, exist_ok=True)
    for path in real.glob(f"{brain}_*"):
        if not path.stem.endswith("_mask") and not (folder / path.name).exists():
            (folder / path.name).symlink_to(path.resolve())
    return folder


def run(*arguments: object) -> None:
    """A command of the program."""
    subprocess.run([*CLI, *map(str, arguments)], check=True)


def kept(record: dict[str, Any]) -> dict[str, Any]:
    """Of `realism.json`, what this question asks."""
    names = (*FIGURES, "signal_minus_background", "classifier_auc_interval", "nearest_distance_median")
    own = {name: record[name] for name in names}
    sides = {side: {name: record[side].get(name) for name in names} for side in ("floor", "against", "floor_by_planes")}
    return {**own, **sides, "scale": record["scale"]}


def show(name: str, result: dict[str, Any]) -> None:
    """Print a table."""
    print(f"{name}: {result['invisible']:.1%} of cells cannot be seen, {result['phantoms']:.1%} others can")
    print(f"  {'':24}{'made':>10}{'halves':>10}{'brain':>10}")
    for figure in FIGURES:
        values = (result[figure], result["floor"].get(figure), result["against"].get(figure))
        print(f"  {figure:24}" + "".join(f"{'-' if v is None else f'{v:.3f}':>10}" for v in values))


if __name__ == "__main__":
    main()
