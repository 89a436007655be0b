"""Made-up crowds: the same for the same seed, and as skilled as they were told to be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from volumetric.crowd.clicks import checked
from volumetric.crowd.simulate import REVERSED, SPAMMER, Worker, population, simulate
from volumetric.errors import InputError

SHAPE = (300, 300)


def planted(tiles: int = 6, cells: int = 40, seed: int = 0) -> dict[str, np.ndarray]:
    """Cells at least 20 px from each other."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(14), np.arange(14)), axis=-1).reshape(-1, 2) * 21.0 + 13
    return {f"t{i}": rng.choice(grid, cells, replace=False) for i in range(tiles)}


CELLS = planted()
SHAPES = dict.fromkeys(CELLS, SHAPE)


def test_the_same_seed_gives_the_same_clicks_and_another_other_ones() -> None:
    crowd = [Worker(), Worker(fatigue=1.0), SPAMMER, REVERSED]
    first, again, other = (simulate(CELLS, SHAPES, crowd, coverage=0.5, seed=seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(first[0], again[0])
    pd.testing.assert_frame_equal(first[1], again[1])
    assert not first[0].equals(other[0])


def test_clicks_of_a_worker_do_not_depend_on_who_else_is_simulated() -> None:
    two = simulate(CELLS, SHAPES, [Worker(), Worker(0.6)], coverage=0.7, seed=1)
    three = simulate(CELLS, SHAPES, [REVERSED, Worker(0.6), SPAMMER], coverage=0.7, seed=1)
    for table, other in zip(two, three, strict=True):
        mine, same = (each[each["worker"] == "w001"].reset_index(drop=True) for each in (table, other))
        assert len(mine) > 0
        pd.testing.assert_frame_equal(mine, same)


def test_what_is_simulated_is_a_crowd_without_a_row_that_makes_no_sense() -> None:
    edge = {"t": np.array([[-0.5, -0.5], [299.4, 299.4], [0, 150.0]])}
    workers = [Worker(scatter_px=8.0, double=0.5)] * 20 + [SPAMMER]
    crowd, rejected = checked(*simulate(edge, {"t": SHAPE}, workers), {"t": SHAPE})
    assert len(rejected) == 0
    assert crowd.workers == tuple(f"w{j:03d}" for j in range(21))


@pytest.mark.parametrize(
    ("cells", "workers"), [({"t": np.empty((0, 2))}, [Worker(false_per_mpx=0.0)]), ({}, [Worker()]), (CELLS, [])]
)
def test_nobody_and_nothing(cells: dict[str, np.ndarray], workers: list[Worker]) -> None:
    shapes = dict.fromkeys(cells, SHAPE)
    clicks, shown = simulate(cells, shapes, workers)
    assert len(clicks) == 0
    crowd, _ = checked(clicks, shown, shapes)
    assert [len(tile.yx) for tile in crowd] == [0] * len(cells)


def test_each_is_shown_a_share_of_the_tiles() -> None:
    _, shown = simulate(CELLS, SHAPES, [Worker()] * 30, coverage=0.5, seed=2)
    assert (shown.groupby("worker")["tile"].nunique() == 3).all()
    assert shown["tile"].nunique() == 6  # not the same for all
    assert len(simulate(CELLS, SHAPES, [Worker()], coverage=0.01)[1]) == 1
    for coverage in (0.0, 1.2):
        with pytest.raises(InputError, match="share of the tiles"):
            simulate(CELLS, SHAPES, [Worker()], coverage=coverage)


def clicks_of(worker: Worker, count: int = 10, **settings: object) -> tuple[float, float]:
    """Shares of cells, and clicks in a megapixel further than 8 px from any."""
    clicks, shown = simulate(CELLS, SHAPES, [worker] * count, **settings)
    hit = false = 0
    for (tile, _), own in clicks.groupby(["tile", "worker"]):
        distance = np.linalg.norm(own[["y", "x"]].to_numpy()[:, None] - CELLS[tile][None], axis=2)
        hit += int((distance.min(axis=0) < 8).sum())
        false += int((distance.min(axis=1) >= 8).sum())
    return hit / (40 * len(shown)), false / (len(shown) * 0.09)


def test_rates_are_as_told() -> None:
    found, false = clicks_of(Worker(sensitivity=0.7, false_per_mpx=0.0, double=0.0))
    assert found == pytest.approx(0.7, abs=0.03)
    assert false == 0
    far = 1 - 40 * np.pi * 64 / 9e4
    assert clicks_of(SPAMMER)[1] == pytest.approx(800 * far, rel=0.1)
    assert clicks_of(REVERSED)[0] < 0.05
    faint = {tile: np.full(40, -2.0) for tile in CELLS}
    found, _ = clicks_of(Worker(sensitivity=0.7, false_per_mpx=0.0), visibility=faint)
    assert found == pytest.approx(1 / (1 + np.exp(2) * 3 / 7), abs=0.03)


def test_the_tired_find_less() -> None:
    fresh, tired = (clicks_of(Worker(fatigue=fatigue, false_per_mpx=0.0))[0] for fatigue in (0.0, 3.0))
    assert tired < fresh - 0.1


def test_a_population_is_told_from_its_clicks() -> None:
    rng = np.random.default_rng(9)
    workers = [
        Worker(float(p), float(rate), float(scatter), 0.05)
        for p, rate, scatter in zip(
            rng.uniform(0.4, 0.95, 12), rng.uniform(5, 150, 12), rng.uniform(0.8, 2.0, 12), strict=True
        )
    ]
    cells = planted(20)
    shapes = dict.fromkeys(cells, SHAPE)
    crowd, _ = checked(*simulate(cells, shapes, workers, coverage=0.8, seed=5), shapes)
    found = population(crowd, cells, 6.0)
    for name, within in (("sensitivity", 0.05), ("false_per_mpx", 30), ("scatter_px", 0.2), ("double", 0.04)):
        told, true = (np.array([getattr(worker, name) for worker in each]) for each in (found, workers))
        np.testing.assert_allclose(told, true, atol=within, err_msg=name)


def test_a_population_that_did_nothing_is_like_any() -> None:
    cells = {"t": np.empty((0, 2))}
    crowd, _ = checked(*simulate(cells, {"t": SHAPE}, [Worker(false_per_mpx=0.0)] * 2), {"t": SHAPE})
    for worker in population(crowd, cells, 5.0):
        assert worker.sensitivity == 0.5
        assert worker.false_per_mpx == 0
        assert worker.scatter_px == pytest.approx(Worker().scatter_px)
        assert worker.double == pytest.approx(Worker().double)
