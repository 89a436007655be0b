"""How good is the detector's recipe on a brain it has not seen? Beside blob detectors at their best possible threshold.

    python benchmarks/detector_leave_one_brain_out.py --data ../shared/data/cells_cfos --seeds 1 2 3 --work WORK

Each brain is left out in turn: `train-detector` learns from the others (weights, threshold, probabilities), and the
brain that it has never met is scored in 3-D, pairs at most 8 um apart. Difference of Gaussians and Laplacian of
Gaussian get the scale and the threshold that are best for the very brain they are scored on. Then three of the brain's
volumes at a time, drawn ten times, are given to `calibrate`, and the others are scored before and after. Trainings are
resumed in WORK; two can run side by side, each with `--only` another seed. Options that this program does not know are
given to `train-detector`, for example `--synthetic 0`. With `--own-images` the brain left out gives its images, without
its cells, for the networks to teach themselves.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from pipelines.bench.run import machine
from pipelines.scored import find, found_in
from volumetric.detection.calibrate import adapted
from volumetric.detection.evaluate import Scored, Tolerance, interval_figures
from volumetric.detection.model import DetectorSettings, load_detector
from volumetric.detection.operating_point import summed
from volumetric.detection.tileset import Tile, read_tiles
from volumetric.points.curves import ScoredTile, curve, score_tile
from volumetric.points.linking import PEAK_COLUMNS, LinkSettings, link_peaks
from volumetric.points.reliability import brier_skill, reliability
from volumetric.storage.provenance import versions

VOXEL_UM = (6.0, 1.62, 1.62)
REACH = Tolerance(8.0, "um")
SCALES_PX = (1.0, 1.3, 1.6, 2.0, 2.5)
DRAWS, GIVEN = 10, 3
CLI = Path(sys.executable).parent / "volumetric"


def difference_of_gaussians(tile: Tile, scale: float) -> ScoredTile:
    """3-D maxima; grey values as they are."""
    z = scale * VOXEL_UM[1] / VOXEL_UM[0] * 1.5
    image = tile.image.astype(np.float32)
    response = ndimage.gaussian_filter(image, (z, scale, scale)) - ndimage.gaussian_filter(
        image, (2.5 * z, 2.5 * scale, 2.5 * scale)
    )
    peaks = (response == ndimage.maximum_filter(response, size=(3, 5, 5))) & (response > 0)
    return score_tile(tile.cells_um, tile.space.to_um(np.argwhere(peaks)), response[peaks], 8.0)


def laplacian_of_gaussian(tile: Tile, scale: float) -> ScoredTile:
    """2-D maxima of each slice, linked to cells as the detector's peaks are."""
    image = tile.image.astype(np.float32)
    response = np.stack([-(scale**2) * ndimage.gaussian_laplace(plane, scale) for plane in image])
    peaks = (response == ndimage.maximum_filter(response, size=(1, 5, 5))) & (response > 0)
    rows = np.zeros((int(peaks.sum()), len(PEAK_COLUMNS)))
    rows[:, :3], rows[:, 3] = np.argwhere(peaks), response[peaks]
    table = pd.DataFrame(rows, columns=list(PEAK_COLUMNS)).astype({"z_vox": np.int64})
    found = link_peaks(table, LinkSettings())
    places = tile.space.to_um(found[["z_vox", "y_vox", "x_vox"]].to_numpy())
    return score_tile(tile.cells_um, places, found["score"].to_numpy(), 8.0)


def baselines(tiles: list[Tile]) -> dict[str, dict[str, float]]:
    """Best F1 and AP of each blob detector, over scales and thresholds chosen on these very tiles."""
    best = {}
    for name, method in (("DoG, 3-D", difference_of_gaussians), ("LoG, 2-D", laplacian_of_gaussian)):
        curves = [curve([method(tile, scale) for tile in tiles]) for scale in SCALES_PX]
        f1, ap = (
            max(values) for values in ((float(c.f1.max()) for c in curves), (c.average_precision for c in curves))
        )
        best[name] = {"f1_best_possible": f1, "ap": ap}
    return best


def linked(data: Path, tiles: list[Tile], folder: Path, endings: Sequence[str] = (".tif", "_cells.csv")) -> Path:
    """A folder with nothing but these tiles."""
    folder.mkdir(parents=True, exist_ok=True)
    for tile in tiles:
        for file in (data / f"{tile.name}{ending}" for ending in endings):
            link = folder / file.name
            if not link.exists():
                link.symlink_to(file.resolve())
    return folder


def trained(tiles: list[Tile], left_out: str, seed: int, options: argparse.Namespace, extra: list[str]) -> Path:
    """The checkpoint of a training on all brains but one."""
    work: Path = options.work
    others = [tile for tile in tiles if tile.brain != left_out]
    folder, out = linked(options.data, others, work / f"without-{left_out}"), work / f"{left_out}-{seed}.safetensors"
    if options.own_images:
        own = [tile for tile in tiles if tile.brain == left_out]
        extra = [*extra, "--unlabelled", str(linked(options.data, own, work / f"images-{left_out}", [".tif"]))]
    if not out.exists():
        command = [str(CLI), "train-detector", str(folder), "--voxel-um", *map(str, VOXEL_UM), "--out", str(out)]
        subprocess.run([*command, "--seed", str(seed), *extra], check=True)
    return out


def of_brain(tiles: list[Tile], model: Path, work: Path, rng: np.random.Generator) -> tuple[dict[str, object], Scored]:
    """All figures of a brain that the model never saw."""
    detector = load_detector(model)
    table = work / f"{model.stem}.parquet"
    if not table.exists():
        find(tiles, detector, table)
    settings = detector.settings
    scored = Scored(tiles, found_in(tiles, table, settings), REACH)
    figures = scored.figures(settings.threshold)
    judged = scored.reliability(settings.threshold)
    counts = scored.counts(settings.threshold, settings.counts) if settings.counts else None
    if judged is None or counts is None:
        raise SystemExit(f"{model} is not calibrated")
    before, after, held, honest = [], [], [], []
    for _ in range(DRAWS):
        given = set(rng.permutation(len(tiles))[:GIVEN].tolist())
        known, rest = ([t for i, t in enumerate(scored.scored) if (i in given) == want] for want in (True, False))
        if not any(t.hit.any() for t in known):
            continue
        one, moved = curve(rest), adapted(settings, known)
        before.append(one.at(settings.threshold)["f1"])
        after.append(one.at(moved.threshold)["f1"])
        held += [_held(moved, tile) for tile in rest]
        honest.append(_honest(moved, rest))
    return {
        **figures,
        **judged[1],
        "counts": counts.drop(columns="tile").to_dict(orient="list"),
        "volumes": counts["tile"].tolist(),
        "f1_of_the_rest": float(np.mean(before)),
        "f1_of_the_rest_calibrated": float(np.mean(after)),
        "ece_calibrated": float(np.mean([ece for ece, _ in honest])),
        "brier_skill_calibrated": float(np.mean([skill for _, skill in honest])),
        "counts_covered_calibrated": float(np.mean([inside for inside, _ in held])),
        "counts_median_width_calibrated": float(np.median([width for _, width in held])),
    }, scored


def _honest(settings: DetectorSettings, tiles: list[ScoredTile]) -> tuple[float, float]:
    """Expected calibration error and Brier skill of the probabilities of what is kept."""
    if settings.calibration is None:
        raise SystemExit("the detector has no calibration")
    score, hit = (np.concatenate([getattr(tile, name) for tile in tiles]) for name in ("score", "hit"))
    kept = score >= settings.threshold
    said = settings.calibration(score[kept])
    return reliability(said, hit[kept]).expected_error, brier_skill(said, hit[kept])


def _held(settings: DetectorSettings, tile: ScoredTile) -> tuple[bool, float]:
    """Whether the interval of the expected number holds the true one, and its width as a share of that."""
    if settings.counts is None:
        raise SystemExit("the detector has no model of counts")
    low, high = (float(end[0]) for end in settings.counts.interval(summed(settings, [tile])))
    return low <= tile.n_truth <= high, (high - low) / max(tile.n_truth, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", type=int, help="train this seed and write nothing")
    parser.add_argument("--name", default="detector_leave_one_brain_out", help="of the file of results")
    parser.add_argument("--own-images", action="store_true", help="the brain left out gives its images, unlabelled")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options, extra = parser.parse_known_args()
    tiles = read_tiles(options.data, VOXEL_UM)
    brains = sorted({tile.brain for tile in tiles})
    began = time.time()
    runs: list[dict[str, object]] = []
    for seed in [options.only] if options.only else options.seeds:
        micro: list[npt.NDArray[np.float64]] = []
        for brain in brains:
            model = trained(tiles, brain, seed, options, extra)
            if options.only:
                continue
            own = [tile for tile in tiles if tile.brain == brain]
            figures, scored = of_brain(own, model, options.work, np.random.default_rng([seed, len(runs)]))
            threshold = float(figures["threshold"])
            hits = sum(int(t.hit[t.score >= threshold].sum()) for t in scored.scored)
            found = sum(int((t.score >= threshold).sum()) for t in scored.scored)
            micro.append(np.array([hits, found, sum(t.n_truth for t in scored.scored)]))
            runs.append({"seed": seed, "brain": brain, **figures})
            print(seed, brain, {k: round(v, 3) for k, v in figures.items() if isinstance(v, float)}, flush=True)
        if micro:
            hits, found, true = np.sum(micro, axis=0)
            runs.append({"seed": seed, "brain": "micro", "f1": 2 * hits / (found + true)})
    if options.only:
        return
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions(),
        "options": [*(["--own-images"] if options.own_images else []), *extra],
        "seconds_without_finished_trainings": round(time.time() - began),
        "baselines": {b: baselines([tile for tile in tiles if tile.brain == b]) for b in brains},
        "summary": summary(runs, brains),
        "runs": runs,
    }
    path = options.out / f"{options.name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({"baselines": record["baselines"], "summary": record["summary"]}, indent=1))


def summary(runs: list[dict[str, object]], brains: list[str]) -> dict[str, object]:
    """Means over seeds, with their extremes; macro is the mean over brains."""
    table = pd.DataFrame([{k: v for k, v in run.items() if not isinstance(v, dict | list)} for run in runs])
    columns = ["f1", "ap", "f1_best_possible", "ece", "brier_skill", "f1_of_the_rest", "f1_of_the_rest_calibrated"]
    columns += ["ece_calibrated", "brier_skill_calibrated"]
    columns += ["counts_covered_calibrated", "counts_median_width_calibrated"]
    by_brain = table[table["brain"] != "micro"]
    macro = by_brain.groupby("seed")[columns].mean()
    micro = table.loc[table["brain"] == "micro", "f1"]
    counts = pd.concat([pd.DataFrame(run["counts"]) for run in runs if "counts" in run])
    figures = interval_figures(counts)
    return {
        "brains": {
            brain: {c: _spread(by_brain.loc[by_brain["brain"] == brain, c]) for c in columns} for brain in brains
        },
        "macro": {c: _spread(macro[c]) for c in columns},
        "micro_f1": _spread(micro),
        "counts_covered": figures["covered"],
        "counts_median_width": figures["median_width"],
    }


def _spread(values: pd.Series) -> list[float]:
    return [round(float(v), 4) for v in (values.mean(), values.min(), values.max())]


if __name__ == "__main__":
    main()
