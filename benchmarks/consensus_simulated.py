"""How often do intervals hold what workers really did, and what does a careless worker cost?

python benchmarks/consensus_simulated.py [--runs 200] [--out FOLDER]

Made-up crowds of nine workers, and the same with a tenth who clicks at random, or all but the cells.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.crowds import REPEAT_PX, Floats, Rows, crowd_of, keep, options
from volumetric.crowd.candidates import Candidates, candidates
from volumetric.crowd.clicks import checked
from volumetric.crowd.density import DensityPeaks, scatter_of
from volumetric.crowd.difficulty import fit_difficulty
from volumetric.crowd.reliability import USUAL, Answers, Estimate, fit
from volumetric.crowd.simulate import REVERSED, SPAMMER, Worker, simulate
from volumetric.crowd.workers import answers_of, intervals
from volumetric.points.curves import ScoredTile, curve, score_tile
from volumetric.points.matching import match_points

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


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    args = parser.parse_args()
    keep(partial(simulated, args.runs), args.out / "consensus_simulated.json")


if __name__ == "__main__":
    main()
