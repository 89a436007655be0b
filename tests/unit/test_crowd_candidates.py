"""Which clicks mean the same cell: laws that hold for every maker, and planted cells."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from tests.small_crowd import around, tile_of
from volumetric.crowd import density
from volumetric.crowd.candidates import Maker, assign, candidates, centres
from volumetric.crowd.clicks import TileClicks
from volumetric.crowd.clusters import Clusters
from volumetric.crowd.density import (
    LEAST_SCATTER_PX,
    USUAL_SCATTER_PX,
    DensityPeaks,
    scatter_of,
)
from volumetric.errors import InputError

MAKERS = [DensityPeaks(), DensityPeaks(1.0), Clusters(), Clusters(share=0.3)]
every_maker = pytest.mark.parametrize("maker", MAKERS, ids=str)


def crowded(seed: int = 0) -> TileClicks:
    """Twelve workers, cells in all distances, false clicks and doubles."""
    rng = np.random.default_rng(seed)
    cells = rng.uniform(5, 95, (25, 2))
    parts = [rng.normal(cells[rng.random(25) < 0.7], 1.2) for _ in range(12)]
    parts = [np.concatenate([part, rng.uniform(0, 99, (3, 2)), part[:2] + 0.3]) for part in parts]
    return tile_of(np.concatenate(parts), np.repeat(np.arange(12), [len(part) for part in parts]))


@every_maker
def test_every_click_is_in_one_candidate_or_a_repeat_of_its_worker(maker: Maker) -> None:
    tile = crowded()
    found = candidates(tile, maker)
    made = maker(tile)
    assert made.shape == (len(tile.yx),)
    np.testing.assert_array_equal(np.unique(made), np.arange(made.max() + 1))
    np.testing.assert_array_equal(np.unique(found.member[found.member >= 0]), np.arange(len(found.yx)))
    pairs = np.column_stack([found.member, tile.worker])[found.member >= 0]
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    for dropped in np.flatnonzero(found.member < 0):
        mine = tile.worker == tile.worker[dropped]
        assert made[dropped] in found.member[mine]
    for number, middle in enumerate(found.yx):
        np.testing.assert_allclose(tile.yx[found.member == number].mean(axis=0), middle)
        np.testing.assert_array_equal(np.flatnonzero(found.clicked[number]), np.unique(pairs[pairs[:, 0] == number, 1]))
    assert np.all(found.seen)
    assert found.clicked.sum() == len(pairs)


@every_maker
def test_no_clicks(maker: Maker) -> None:
    for viewer in ([], [0, 3, 4]):
        found = candidates(tile_of([], [], viewer), maker)
        assert found.yx.shape == (0, 2)
        assert found.clicked.shape == found.seen.shape == (0, len(viewer))
        assert found.member.shape == (0,)


@every_maker
def test_one_click(maker: Maker) -> None:
    found = candidates(tile_of([[5.5, 7.25]], [3], [1, 3]), maker)
    assert found.yx.tolist() == [[5.5, 7.25]]
    assert found.clicked.tolist() == [[False, True]]
    assert found.seen.tolist() == [[True, True]]


@every_maker
def test_all_clicks_at_one_place(maker: Maker) -> None:
    found = candidates(tile_of([[30, 40]] * 12, np.arange(12)), maker)
    assert found.yx.tolist() == [[30, 40]]
    assert found.clicked.all()


@every_maker
def test_one_worker_who_clicks_everywhere_alone(maker: Maker) -> None:
    tile = tile_of(np.random.default_rng(0).uniform(0, 99, (800, 2)), np.zeros(800))
    found = candidates(tile, maker)
    assert len(found.yx) == np.count_nonzero(found.member >= 0)
    assert found.clicked.all()


@pytest.mark.parametrize("maker", [DensityPeaks(), DensityPeaks(1.0)], ids=str)
def test_one_worker_who_clicks_everywhere_does_not_move_what_the_others_see(maker: Maker) -> None:
    cells = [(20.0, 20.0), (20.0, 60.0), (70.0, 40.0)]
    honest = around(cells, 10, 1.0)
    noise = np.random.default_rng(1).uniform(0, 99, (150, 2))
    both = tile_of(np.concatenate([honest.yx, noise]), np.concatenate([honest.worker, np.full(150, 10)]))
    found = candidates(both, maker)
    many = found.clicked[:, :10].sum(axis=1) >= 8
    assert many.sum() == 3
    middle = found.yx[many]
    np.testing.assert_allclose(middle[np.lexsort(middle.T[::-1])], cells, atol=1.2)


@pytest.mark.parametrize("maker", [DensityPeaks(), DensityPeaks(1.0), Clusters()], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_two_near_cells_that_all_clicked_are_two_candidates(maker: Maker, seed: int) -> None:
    tile = around([(40.0, 40.0), (40.0, 47.0), (10.0, 80.0), (80.0, 10.0)], 10, 1.0, seed)
    found = candidates(tile, maker)
    # A narrow kernel leaves far clicks, one in twenty, alone.
    many = found.clicked.sum(axis=1) >= 8
    assert many.sum() == 4
    near = found.yx[many][np.abs(found.yx[many][:, 0] - 40) < 5]
    np.testing.assert_allclose(near[np.argsort(near[:, 1])], [[40, 40], [40, 47]], atol=1.0)
    if maker != DensityPeaks(1.0):
        assert len(found.yx) == 4
        assert found.clicked.all()


@pytest.mark.parametrize("seed", range(3))
def test_a_cluster_of_several_cells_is_split_as_often_as_workers_clicked_in_it(seed: int) -> None:
    tile = around([(40.0, 40.0), (40.0, 43.0), (80.0, 80.0), (10.0, 80.0)], 10, 0.8, seed)
    whole = tile_of(tile.yx, np.arange(40))  # as if nobody had clicked twice: nothing tells that there are two
    assert len(candidates(tile, Clusters(fewest=8)).yx) == 4
    assert len(candidates(whole, Clusters(fewest=8)).yx) == 3


def test_peaks_that_move_to_the_middle_of_their_clicks_leave_fewer_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    tiles = [around([(40.0, 40.0), (40.0, 43.5)], 8, 1.0, seed) for seed in range(30)]
    moved = sum(len(candidates(tile, DensityPeaks(1.0)).yx) for tile in tiles)
    monkeypatch.setattr(density, "ROUNDS", 0)
    assert moved < sum(len(candidates(tile, DensityPeaks(1.0)).yx) for tile in tiles)


def test_where_share_sets_the_size_of_clusters_they_grow_with_the_crowd() -> None:
    """Ten of forty viewers on each of two places: no cluster where 15 clicks are needed."""
    yx = np.random.default_rng(0).normal(np.repeat([[20.0, 20.0], [70.0, 70.0]], 10, axis=0), 1)
    tile = tile_of(yx, np.tile(np.arange(10), 2), np.arange(40))
    assert len(np.unique(Clusters(share=0.2)(tile))) == 2
    assert len(np.unique(Clusters(share=0.35)(tile))) > 2
    assert len(np.unique(Clusters(share=0.5)(tile))) == 1  # too few clicks: one cluster


@pytest.mark.parametrize("settings", [{"fewest": 1}, {"share": 0.0}, {"share": 1.5}])
def test_a_cluster_of_less_than_two_clicks_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(InputError, match="a cluster has at least 2 clicks"):
        Clusters(**settings)


def test_a_scatter_that_is_not_positive_is_refused() -> None:
    for scatter in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="scatter of clicks must be positive"):
            DensityPeaks(scatter)


def test_of_two_clicks_of_a_worker_in_a_candidate_the_nearer_counts() -> None:
    tile = tile_of([[10, 10], [10, 12], [10, 13], [10, 11]], [0, 1, 1, 2])
    found = candidates(tile, lambda _: np.zeros(4, dtype=np.int64))
    assert found.member.tolist() == [0, 0, -1, 0]
    assert found.yx.tolist() == [[10, 11]]


def test_who_was_not_shown_a_candidate_said_nothing_of_it() -> None:
    """Ann (0) and Bob (1) each saw a half, Cem (2) all; Bob's click counts though the middle lies in Ann's half."""
    views = [[-0.5, 99.5, -0.5, 49.5], [-0.5, 99.5, 49.5, 99.5], [-0.5, 99.5, -0.5, 99.5]]
    tile = tile_of([[20, 48], [20, 50], [20, 49], [80, 80]], [0, 1, 2, 1], [0, 1, 2], views)
    found = candidates(tile, DensityPeaks())
    near = int(np.argmin(found.yx[:, 0]))
    assert found.clicked[near].tolist() == [True, True, True]
    assert found.seen[near].tolist() == [True, True, True]
    assert found.seen[1 - near].tolist() == [False, True, True]
    assert found.clicked[1 - near].tolist() == [False, True, False]


def directly_assigned(tile: TileClicks, places: np.ndarray, reach: float) -> tuple[int, float]:
    """(clicks with a place, their total distance): one assignment problem for each worker."""
    many, total = 0, 0.0
    for worker in np.unique(tile.worker):
        own = tile.yx[tile.worker == worker]
        distance = np.linalg.norm(own[:, None] - places[None], axis=2)
        cost = np.where(distance <= reach, distance - 1e4, 0.0)
        i, j = linear_sum_assignment(cost)
        kept = cost[i, j] < 0
        many, total = many + int(kept.sum()), total + float(distance[i, j][kept].sum())
    return many, total


@pytest.mark.parametrize("seed", range(8))
def test_clicks_are_assigned_as_by_an_assignment_problem_for_each_worker(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tile = tile_of(rng.uniform(0, 40, (60, 2)), rng.integers(0, 5, 60))
    places = rng.uniform(0, 40, (15, 2))
    member = assign(tile, places, 6.0)
    found = member >= 0
    pairs = np.column_stack([tile.worker, member])[found]
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    distance = np.linalg.norm(tile.yx[found] - places[member[found]], axis=1)
    assert np.all(distance <= 6)
    many, total = directly_assigned(tile, places, 6.0)
    assert found.sum() == many
    assert distance.sum() == pytest.approx(total)


def test_nothing_to_assign() -> None:
    tile = tile_of([[1, 1], [2, 2]], [0, 1])
    assert assign(tile, np.empty((0, 2)), 5.0).tolist() == [-1, -1]
    assert assign(tile, np.array([[50.0, 50.0]]), 5.0).tolist() == [-1, -1]
    assert assign(tile_of([], []), np.array([[1.0, 1.0]]), 5.0).shape == (0,)


def test_middles_of_groups() -> None:
    yx = np.array([[0.0, 0.0], [2.0, 4.0], [9.0, 9.0]])
    found = centres(yx, np.array([0, 0, -1]), 2)
    assert found[0].tolist() == [1, 2]
    assert np.isnan(found[1]).all()
    assert centres(np.empty((0, 2)), np.empty(0, dtype=np.int64), 0).shape == (0, 2)


@pytest.mark.parametrize("scatter", [0.7, 1.0, 1.6, 2.5])
def test_the_scatter_of_clicks_is_found(scatter: float) -> None:
    rng = np.random.default_rng(5)
    tiles = []
    for seed in range(4):
        cells = [(float(y), float(x)) for y, x in rng.uniform(10, 290, (60, 2))]
        tile = around(cells, 10, scatter, seed, shape=(300, 300))
        noise = rng.uniform(0, 299, (60, 2))
        yx = np.concatenate([tile.yx, noise])
        tiles.append(tile_of(yx, np.concatenate([tile.worker, rng.integers(0, 10, 60)]), shape=(300, 300)))
    assert scatter_of(tiles) == pytest.approx(scatter, rel=0.1)


def test_of_too_little_or_too_much_alike_no_scatter_is_told() -> None:
    assert scatter_of([]) == USUAL_SCATTER_PX
    assert scatter_of([tile_of([], []), around([(50.0, 50.0)], 5, 1.0)]) == USUAL_SCATTER_PX
    alone = tile_of(np.random.default_rng(0).uniform(0, 30, (200, 2)), np.zeros(200))
    assert scatter_of([alone]) == USUAL_SCATTER_PX  # of one worker there are no pairs
    assert scatter_of([tile_of([[5, 5]] * 40, np.arange(40))]) == pytest.approx(LEAST_SCATTER_PX)
