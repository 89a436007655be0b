"""How good and how fast is the consensus of a crowd, and is it what others compute?

python benchmarks/consensus.py --real --data ../shared/data [--peers --simulated --million] [--out FILE]

--real       81 workers on 900 planted spots: what each way to make candidates and to tell skill finds, from 5 to 30
             workers a tile (drawn by chance, four times)
--peers      the same answers given to Dawid and Skene's EM of crowd-kit and to STAPLE of SimpleITK (extra `bench`)
--simulated  how often 95% intervals hold what the workers really did, and what one bad worker among ten costs
--million    a million clicks of 100 workers on 2,000 tiles, from files to files

Each part replaces its own table in FILE.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.console import Console
from rich.table import Table

from pipelines.bench.run import machine
from pipelines.consensus.config import Config
from pipelines.consensus.job import LEAST_PEAK
from volumetric.crowd.candidates import Candidates, candidates
from volumetric.crowd.clicks import Crowd, TileClicks, checked
from volumetric.crowd.consensus import clicks_heatmap
from volumetric.crowd.density import DensityPeaks, scatter_of
from volumetric.crowd.difficulty import fit_difficulty
from volumetric.crowd.reliability import USUAL, Answers, Estimate, Prior, expect, fit
from volumetric.crowd.simulate import REVERSED, SPAMMER, Worker, simulate
from volumetric.crowd.workers import answers_of, intervals, weights_of
from volumetric.imaging.maxima import local_maxima
from volumetric.points.curves import ScoredTile, curve, score_tile
from volumetric.points.matching import match_points
from volumetric.points.reliability import reliability
from volumetric.storage.atomic import read_json, write_json
from volumetric.storage.png import write_png
from volumetric.storage.provenance import versions

Floats = npt.NDArray[np.float64]
Rows = list[dict[str, Any]]

TOLERANCES_PX = (3.0, 5.0, 10.0)
REPEAT_PX = 3.0
CROWDS, DRAWS = (5, 10, 20, 30), 4

WAYS = {
    "density, difficulty": Config(difficulty=True),
    "density": Config(difficulty=False),
    "density, ml": Config(difficulty=False, prior="ml"),
    "hdbscan, difficulty": Config(candidates="hdbscan", difficulty=True),
    "hdbscan": Config(candidates="hdbscan", difficulty=False),
    "hdbscan-fixed": Config(candidates="hdbscan-fixed", difficulty=False),
    "method": Config(mode="method"),
}
"""What is compared; by default it is `density`, with difficulty from ten viewers on. `method` is with maximum
likelihood, and the peaks of its heatmap are a row of their own: their "probability" is the confidence."""


def cpu_s(who: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def real(data: Path) -> Rows:
    clicks, shown, truth = (pd.read_csv(data / "crowd_clicks" / f"{name}.csv") for name in ("clicks", "shown", "truth"))
    cells = {str(tile): own[["y", "x"]].to_numpy(np.float64) for tile, own in truth.groupby("tile")}
    found = []
    for workers in CROWDS:
        # 30 are all there are.
        for draw in range(DRAWS if workers < max(CROWDS) else 1):
            crowd = drawn(clicks, shown, workers, draw)
            for way, config in WAYS.items():
                found += [{"workers": workers, "way": name, **row} for name, row in measured(crowd, cells, way, config)]
    keys = ["workers", "way", "tolerance_px"]
    means = pd.DataFrame(found).groupby(keys, sort=False).mean().round(3).reset_index()
    return means.sort_values(["tolerance_px", "workers"], kind="stable").to_dict("records")


def drawn(clicks: pd.DataFrame, shown: pd.DataFrame, workers: int, draw: int) -> Crowd:
    rng = np.random.default_rng(draw)
    some = [
        pd.DataFrame({"tile": tile, "worker": rng.permutation(sorted(own["worker"]))[:workers]})
        for tile, own in shown.groupby("tile")
    ]
    kept = pd.concat(some, ignore_index=True)
    shapes = dict.fromkeys(shown["tile"].unique(), (300, 300))
    return checked(clicks.merge(kept, on=["tile", "worker"]), kept, shapes)[0]


def measured(crowd: Crowd, cells: dict[str, Floats], way: str, config: Config) -> list[tuple[str, dict[str, float]]]:
    """Figures of a way at each tolerance; of the method also those of its heatmap's peaks."""
    whole = config.whole(False, crowd.viewers)
    tiles = [tile.without_repeats(REPEAT_PX) for tile in crowd]
    found = [candidates(tile, whole.maker(scatter_of(tiles))) for tile in tiles]
    answers, tile_of_item = answers_of(found, len(crowd.workers))
    estimate, _ = whole.skill(answers)
    own = [tile_of_item == number for number in range(len(found))]
    points = [(one.yx, estimate.log_odds[at], estimate.cell[at]) for one, at in zip(found, own, strict=True)]
    names = [tile.tile for tile in tiles]
    rows = [(way, row) for row in figures(names, cells, points, 0.0)]
    if whole.heatmap == "clicks":
        weight = weights_of(estimate.sensitivity, estimate.specificity).positive
        peaks = [peaks_of(tile, weight) for tile in crowd]
        rows += [(f"{way}, heatmap", row) for row in figures(names, cells, peaks, 0.5)]
    return rows


def peaks_of(tile: TileClicks, weight: Floats) -> tuple[Floats, Floats, Floats]:
    heatmap = clicks_heatmap(tile, weight)
    at = local_maxima(heatmap, LEAST_PEAK)
    confidence = heatmap[tuple(at.T)]
    return at.astype(np.float64), confidence, confidence


def figures(
    tiles: Sequence[str], cells: dict[str, Floats], points: list[tuple[Floats, Floats, Floats]], half: float
) -> Rows:
    """`points` are places, scores and probabilities of each tile; `half` is the score of an even chance."""
    rows = []
    for tolerance in TOLERANCES_PX:
        scored = [
            score_tile(cells[tile], yx, score, tolerance) for tile, (yx, score, _) in zip(tiles, points, strict=True)
        ]
        result, hit = curve(scored), np.concatenate([one.hit for one in scored])
        said = np.clip(np.concatenate([chance for _, _, chance in points]), 0, 1)
        rows.append(
            {
                "tolerance_px": tolerance,
                "average_precision": result.average_precision,
                "best_f1": float(result.f1.max()),
                "f1_at_half": result.at(half)["f1"],
                "ece": reliability(said, hit.astype(np.float64)).expected_error,
            }
        )
    return rows


LABELS, ITEMS, ITERATIONS = 1_000_000, 50_000, 100
"""The iterations are crowd-kit's usual ones; its own way to tell that it rests does not always wait for it."""

UNTIL_REST = 1000
PEERS = ("crowd-kit", "simpleitk")


def peers(data: Path) -> Rows:
    clicks, shown = (pd.read_csv(data / "crowd_clicks" / f"{name}.csv") for name in ("clicks", "shown"))
    crowd = drawn(clicks, shown, 30, 0)
    tiles = [tile.without_repeats(REPEAT_PX) for tile in crowd]
    maker = DensityPeaks(scatter_of(tiles))
    asked = answers_of([candidates(tile, maker) for tile in tiles], len(crowd.workers))[0]
    complete = answers_at_random(2_000, 7, 7)
    million = answers_at_random(ITEMS, 100, LABELS // ITEMS)
    return [
        {"against": "crowd-kit", "answers": "real clicks", **crowd_kit(asked, UNTIL_REST)},
        {"against": "crowd-kit", "answers": "simulated, all saw all", **crowd_kit(complete, UNTIL_REST)},
        {"against": "STAPLE", "answers": "simulated, all saw all", **staple(complete)},
        {"against": "STAPLE", "answers": "a million, all saw all", **staple(answers_at_random(ITEMS, 20, 20))},
        {"against": "crowd-kit", "answers": "a million, numbers", **crowd_kit(million, ITERATIONS)},
        {"against": "crowd-kit", "answers": "a million, names", **crowd_kit(million, ITERATIONS, named=True)},
    ]


def answers_at_random(items: int, workers: int, each: int, seed: int = 0) -> Answers:
    """Of workers of different skill, as the model has it; every item is shown to `each` of them."""
    rng = np.random.default_rng(seed)
    cell = rng.random(items) < 0.3
    p, q = rng.beta(6, 2.5, workers), rng.beta(12, 1.5, workers)
    worker = rng.random((items, workers)).argsort(axis=1)[:, :each]
    click = rng.random((items, each)) < np.where(cell[:, None], p[worker], 1 - q[worker])
    item = np.repeat(np.arange(items), each)
    return Answers(item, worker.ravel().astype(np.int64), click.ravel().astype(np.int64), items, workers)


def crowd_kit(answers: Answers, iterations: int, named: bool = False) -> dict[str, Any]:
    """Begun from votes, maximum likelihood, as many iterations of both.

    `named` gives items and workers as text, as people have them; ours then has to number them first.
    """
    from crowdkit.aggregation import DawidSkene

    table = pd.DataFrame({"task": answers.item, "worker": answers.worker, "label": answers.label})
    if named:
        table["task"], table["worker"] = (table[name].map("{:06d}".format) for name in ("task", "worker"))
    theirs = DawidSkene(n_iter=iterations, tol=-np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, of pandas
        seconds, _ = timed(lambda: theirs.fit(table))
    ours_s, ours = timed(lambda: of_table(table, iterations))
    errors = theirs.errors_.unstack("label").sort_index()
    return {
        **differences(ours, errors[(1, 1)].to_numpy(), errors[(0, 0)].to_numpy()),
        **compared(ours_s, ours.steps, seconds, iterations),
    }


def of_table(table: pd.DataFrame, iterations: int) -> Estimate:
    """Workers in the order of their names, or numbers."""
    item, items = pd.factorize(table["task"])
    worker, workers = pd.factorize(table["worker"], sort=True)
    answers = Answers(item, worker, table["label"].to_numpy(), len(items), len(workers))
    return fit(answers, Prior.none(), start=answers.votes, steps=iterations, gain=-np.inf)


def staple(answers: Answers) -> dict[str, Any]:
    """An image a worker, a pixel an item.

    STAPLE keeps the share of cells at the mean of the answers and begins with p = q = .99999: ours is held there by a
    prior, and begins likewise.
    """
    import SimpleITK

    said = np.zeros((answers.n_workers, answers.n_items), dtype=np.uint8)
    said[answers.worker, answers.item] = answers.label
    images = [SimpleITK.GetImageFromArray(row[None]) for row in said]
    theirs = SimpleITK.STAPLEImageFilter()
    theirs.SetForegroundValue(1)
    seconds, _ = timed(lambda: theirs.Execute(images))
    share = np.array([1 - said.mean(), said.mean()])
    sure = np.tile([[0.99999, 0.00001], [0.00001, 0.99999]], (answers.n_workers, 1, 1))
    held = Prior(np.zeros((2, 2)), share * answers.n_items * 1e6)
    steps = theirs.GetElapsedIterations()

    def work() -> Estimate:
        start = np.exp(expect(answers, share, sure)[0])
        return fit(answers, held, start=start, steps=steps, gain=-np.inf)

    ours_s, ours = timed(work)
    return {
        **differences(ours, np.array(theirs.GetSensitivity()), np.array(theirs.GetSpecificity())),
        **compared(ours_s, ours.steps, seconds, steps),
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, and the result."""
    began = cpu_s()
    result = work()
    return cpu_s() - began, result


def differences(ours: Estimate, sensitivity: Floats, specificity: Floats) -> dict[str, Any]:
    return {
        f"largest_{name}_difference": float(f"{np.nanmax(np.abs(mine - theirs)):.2g}")
        for name, mine, theirs in (
            ("sensitivity", ours.sensitivity, sensitivity),
            ("specificity", ours.specificity, specificity),
        )
    }


def compared(ours_s: float, our_steps: int, theirs_s: float, their_steps: int) -> dict[str, Any]:
    return {
        "cpu_s": round(ours_s, 3),
        "steps": our_steps,
        "their_cpu_s": round(theirs_s, 3),
        "their_steps": their_steps,
        "times_as_fast": round(theirs_s / ours_s, 1),
    }


RUNS = 200
GOOD, TILES, CELLS, EDGE = 9, 12, 12, 160
NEAR_PX = 5.0


def simulated(runs: int) -> Rows:
    """Crowds of nine and twelve small tiles, and the same with a tenth worker."""
    rows = []
    for spread in (0.0, 0.7):
        kept: dict[bool, list[tuple[Any, ...]]] = {False: [], True: []}
        f1: dict[str, list[float]] = {"alone": [], "spammer": [], "reversed": []}
        for run in range(runs):
            made = {name: one_crowd(run, spread, bad) for name, bad in _BAD.items()}
            for name, (cells, found, answers, tile) in made.items():
                estimate = fit(answers, USUAL)
                f1[name].append(best_f1(cells, found, estimate))
                if name != "alone":
                    continue
                for difficulty in (False, True):
                    told = fit_difficulty(answers, estimate, USUAL) if difficulty else estimate
                    ends = intervals(answers, tile, told, seed=run)
                    kept[difficulty].append((realised(cells, found, answers), ends))
        for difficulty, pairs in kept.items():
            covered = {
                name: coverage(pairs, number, name) for number, name in enumerate(("sensitivity", "specificity"))
            }
            losses = {f"f1_{name}": round(float(np.mean(values)), 4) for name, values in f1.items()}
            row = {"visibility": spread, "difficulty": difficulty, **covered}
            rows.append({**row, **(losses if not difficulty else dict.fromkeys(losses))})
    return rows


_BAD = {"alone": None, "spammer": SPAMMER, "reversed": REVERSED}


def one_crowd(
    run: int, spread: float, bad: Worker | None
) -> tuple[dict[str, Floats], list[Candidates], Answers, npt.NDArray[np.int64]]:
    rng = np.random.default_rng([7, run])
    cells = {f"t{i:02d}": rng.uniform(3, EDGE - 4, (CELLS, 2)) for i in range(TILES)}
    seen = {tile: rng.normal(0, spread, CELLS) for tile in cells}
    workers = [*crowd_of(rng, GOOD), *([bad] if bad else [])]
    shapes = dict.fromkeys(cells, (EDGE, EDGE))
    crowd, _ = checked(*simulate(cells, shapes, workers, visibility=seen, seed=run), shapes)
    tiles = [tile.without_repeats(REPEAT_PX) for tile in crowd]
    maker = DensityPeaks(scatter_of(tiles))
    found = [candidates(tile, maker) for tile in tiles]
    return cells, found, *answers_of(found, len(crowd.workers))


def crowd_of(rng: np.random.Generator, number: int) -> list[Worker]:
    return [
        Worker(
            sensitivity=float(rng.beta(6, 2.5)),
            false_per_mpx=float(rng.gamma(2, 8)),
            scatter_px=float(rng.uniform(1, 2.2)),
        )
        for _ in range(number)
    ]


def best_f1(cells: dict[str, Floats], found: list[Candidates], estimate: Estimate) -> float:
    scored: list[ScoredTile] = []
    first = 0
    for one in found:
        score = estimate.log_odds[first : first + len(one.yx)]
        scored.append(score_tile(cells[one.tile.tile], one.yx, score, NEAR_PX))
        first += len(one.yx)
    return float(curve(scored).f1.max())


def realised(cells: dict[str, Floats], found: list[Candidates], answers: Answers) -> Floats:
    """(2, n_workers) share of the candidates at cells that each clicked, and of the others that they did not."""
    true = []
    for one in found:
        hit = np.zeros(len(one.yx), dtype=np.bool_)
        hit[match_points(cells[one.tile.tile], one.yx, NEAR_PX)[:, 1]] = True
        true.append(hit)
    cell = np.concatenate(true)[answers.item]
    right = answers.label == cell
    counts = [
        [np.bincount(answers.worker, of & good, answers.n_workers) for good in (right, np.ones_like(right))]
        for of in (cell, ~cell)
    ]
    with np.errstate(invalid="ignore"):
        return np.array([good / every for good, every in counts])


def coverage(pairs: list[tuple[Any, ...]], number: int, name: str) -> float:
    truth = np.concatenate([rates[number] for rates, _ in pairs])
    low, high = np.concatenate([getattr(ends, name) for _, ends in pairs]).T
    known = np.isfinite(truth)
    return round(float(np.mean((truth >= low)[known] & (truth <= high)[known])), 3)


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


def show(part: str, rows: Rows) -> None:
    table = Table(title=part)
    for name in rows[0]:
        table.add_column(name.replace("_", " "))
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console(width=200).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for part in ("real", "peers", "simulated", "million"):
        parser.add_argument(f"--{part}", action="store_true")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=int, default=RUNS, help="of --simulated")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "consensus.json")
    args = parser.parse_args()
    parts: dict[str, Callable[[], Rows]] = {
        "real": partial(real, args.data),
        "peers": partial(peers, args.data),
        "simulated": partial(simulated, args.runs),
        "million": million,
    }
    for part, measure in parts.items():
        if not getattr(args, part):
            continue
        began, before, load = time.monotonic(), cpu_s() + cpu_s(resource.RUSAGE_CHILDREN), os.getloadavg()[0]
        rows = measure()
        found = {
            "date": str(date.today()),
            "machine": machine(),
            "versions": {**versions(), **{name: metadata.version(name) for name in PEERS if part == "peers"}},
            "load_before": round(load, 1),
            "load_after": round(os.getloadavg()[0], 1),
            "seconds": round(time.monotonic() - began, 1),
            "cpu_seconds": round(cpu_s() + cpu_s(resource.RUSAGE_CHILDREN) - before, 1),
            "rows": rows,
        }
        show(part, rows)
        write_json(args.out, {**(read_json(args.out) if args.out.is_file() else {}), part: found})


if __name__ == "__main__":
    main()
