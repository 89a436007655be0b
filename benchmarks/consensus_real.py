"""How good is the consensus of a real crowd?

python benchmarks/consensus_real.py [--data ../shared/data] [--out FOLDER]

81 workers on 900 planted spots: what each way to make candidates and to tell skill finds, from 5 to 30 workers a tile
(drawn by chance, four times).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.crowds import REPEAT_PX, Floats, Rows, drawn, keep, options
from pipelines.consensus.config import Config
from pipelines.consensus.job import LEAST_PEAK
from volumetric.crowd.candidates import candidates
from volumetric.crowd.clicks import Crowd, TileClicks
from volumetric.crowd.consensus import clicks_heatmap
from volumetric.crowd.density import scatter_of
from volumetric.crowd.workers import answers_of, weights_of
from volumetric.imaging.maxima import local_maxima
from volumetric.points.curves import curve, score_tile
from volumetric.points.reliability import reliability

TOLERANCES_PX = (3.0, 5.0, 10.0)
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


def main() -> None:
    args = options(__doc__).parse_args()
    keep(partial(real, args.data), args.out / "consensus_real.json")


if __name__ == "__main__":
    main()
