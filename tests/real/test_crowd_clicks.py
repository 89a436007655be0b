"""Real clicks of 81 workers on 900 planted spots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from volumetric.crowd.candidates import candidates
from volumetric.crowd.clicks import checked
from volumetric.crowd.density import DensityPeaks, scatter_of
from volumetric.crowd.reliability import USUAL, fit
from volumetric.crowd.workers import answers_of
from volumetric.points.curves import curve, score_tile

TOLERANCE_PX = 5.0
REPEAT_PX = 3.0


@pytest.fixture(scope="module")
def folder(data_dir: Path) -> Path:
    return data_dir / "crowd_clicks"


def quality(folder: Path, workers: int, draw: int = 0) -> tuple[float, float]:
    """Average precision and best F1 from so many workers a tile, drawn by chance."""
    clicks, shown, truth = (pd.read_csv(folder / f"{name}.csv") for name in ("clicks", "shown", "truth"))
    rng = np.random.default_rng(draw)
    some = [
        pd.DataFrame({"tile": tile, "worker": rng.permutation(sorted(own["worker"]))[:workers]})
        for tile, own in shown.groupby("tile")
    ]
    kept = pd.concat(some, ignore_index=True)
    crowd, rejected = checked(
        clicks.merge(kept, on=["tile", "worker"]), kept, dict.fromkeys(shown["tile"].unique(), (300, 300))
    )
    assert len(rejected) == 0
    tiles = [tile.without_repeats(REPEAT_PX) for tile in crowd]
    maker = DensityPeaks(scatter_of(tiles))
    assert maker.scatter_px == pytest.approx(2.0, abs=0.3)
    found = [candidates(tile, maker) for tile in tiles]
    answers, tile_of_item = answers_of(found, len(crowd.workers))
    estimate = fit(answers, USUAL)
    assert estimate.converged
    scored = []
    for number, one in enumerate(found):
        true = truth.loc[truth["tile"] == one.tile.tile, ["y", "x"]]
        scored.append(score_tile(true, one.yx, estimate.log_odds[tile_of_item == number], TOLERANCE_PX))
    result = curve(scored)
    return result.average_precision, float(result.f1.max())


@pytest.fixture(scope="module")
def whole(folder: Path) -> tuple[float, float]:
    return quality(folder, 30)


def test_a_whole_crowd_finds_what_was_planted(whole: tuple[float, float]) -> None:
    average_precision, f1 = whole
    assert average_precision >= 0.83
    assert f1 >= 0.87


def test_more_workers_do_no_harm(folder: Path, whole: tuple[float, float]) -> None:
    few, more = (np.mean([quality(folder, workers, draw)[1] for draw in range(2)]) for workers in (10, 20))
    assert more >= few - 0.01
    assert whole[1] >= more - 0.01
    assert whole[1] > few
