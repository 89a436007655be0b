"""Is the skill of workers what others compute, and how fast?

python benchmarks/consensus_peers.py [--data ../shared/data] [--out FOLDER]

The same answers given to Dawid and Skene's EM of crowd-kit and to STAPLE of SimpleITK (extra `bench`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.crowds import REPEAT_PX, Floats, Rows, cpu_s, drawn, keep, options
from volumetric.crowd.candidates import candidates
from volumetric.crowd.density import DensityPeaks, scatter_of
from volumetric.crowd.reliability import Answers, Estimate, Prior, expect, fit
from volumetric.crowd.workers import answers_of

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


def main() -> None:
    args = options(__doc__).parse_args()
    keep(partial(peers, args.data), args.out / "consensus_peers.json", PEERS)


if __name__ == "__main__":
    main()
