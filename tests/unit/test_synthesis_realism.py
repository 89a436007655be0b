"""Sets of tiles compared: classifiers that never saw a volume, nearest tiles, halves of whole tiles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.synthesis import two_sample
from volumetric.synthesis.realism import (
    FIGURES,
    Measured,
    Sides,
    compare,
    floor_of,
    groups_of,
    measure,
    planes_of,
    ratios,
)
from volumetric.synthesis.two_sample import (
    FOLDS,
    area_interval,
    area_under_curve,
    folds_of,
    held_out_scores,
    nearest,
)


@pytest.fixture(autouse=True, scope="module")
def small_forests() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_sample, "TREES", 25)
        yield


names = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=20).map(np.array)


@given(names, names, st.integers(0, 5))
def test_a_group_is_in_one_fold_and_no_fold_takes_a_whole_set(one: np.ndarray, other: np.ndarray, seed: int) -> None:
    folds = folds_of(one, other, seed)
    count = min(FOLDS, len(set(one)), len(set(other)))
    if count < 2:
        assert folds is None
        return
    fold_of: dict[str, set[int]] = {}
    for group, fold in zip([*one, *other], np.concatenate(folds), strict=True):
        fold_of.setdefault(group, set()).add(int(fold))
    assert all(len(found) == 1 for found in fold_of.values())
    for own in folds:
        assert set(own.tolist()) == set(range(count))


def planes(seed: int, shift: float = 0.0, tiles: int = 6, each: int = 4) -> tuple[np.ndarray, list, list]:
    """Noise with discs, the cells known; tiles differ a little in brightness."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[:32, :32]
    stack, cells, tile = [], [], []
    for number in range(tiles):
        level = 0.3 + shift + rng.normal(0, 0.02)
        for _ in range(each):
            plane, centres = rng.normal(level, 0.05, (32, 32)), rng.uniform(6, 26, (2, 2))
            for y, x in centres:
                plane[(rows - y) ** 2 + (columns - x) ** 2 <= 12] += 0.3
            stack.append(np.clip(plane, 0, 1))
            cells.append(centres)
            tile.append(f"t{number}")
    return np.array(stack, np.float32), cells, tile


def made(seed: int, shift: float = 0.0, **size: int) -> Measured:
    return measure(*planes(seed, shift, **size))


@pytest.fixture(scope="module")
def real() -> Measured:
    return made(1)


def figures(one: Measured, other: Measured, seed: int = 0) -> dict[str, float | None]:
    return compare(Sides.of(one, other), other.features.std(axis=0), seed)


def test_a_set_is_like_itself(real: Measured) -> None:
    found = figures(real, real)
    assert {found[name] for name in ("js_histogram", "js_background", "log_power_mae", "signal_difference")} == {0}
    assert found["nearest_distance_median"] == found["nearest_distance_mean"] == 0
    assert found["classifier_auc"] == 0.5  # equal planes share a fold and have equal scores
    assert 60 < found["signal_minus_background"] < 90  # 0.3 of 255, some of it cut off by neighbours


def test_nothing_depends_on_the_order_of_tiles_and_chance_is_seeded(real: Measured) -> None:
    other = made(2, 0.01)
    found = figures(other, real)
    rng = np.random.default_rng(0)
    shuffled = figures(other[rng.permutation(len(other))], real[rng.permutation(len(real))])
    assert shuffled == pytest.approx(found, rel=1e-9)
    assert 0.3 < found["classifier_auc"] < 0.9
    assert figures(other, real, seed=5)["classifier_auc"] != found["classifier_auc"]
    halves = Sides.halves(real, groups_of(real), (3, 1))
    order = rng.permutation(len(real))
    again = Sides.halves(real[order], groups_of(real[order]), (3, 1))
    assert set(again.one.tile) == set(halves.one.tile)
    by_plane = Sides.halves(real, planes_of(real), (3, 1)).one.features
    same = Sides.halves(real[order], planes_of(real[order]), (3, 1)).one.features
    np.testing.assert_array_equal(np.sort(by_plane, axis=0), np.sort(same, axis=0))


def test_what_is_brighter_is_seen(real: Measured) -> None:
    found = figures(made(2, 0.3), real)
    assert found["js_histogram"] > 0.5
    assert found["js_background"] > 0.5
    assert found["classifier_auc"] == 1
    assert found["nearest_distance_median"] > 5
    assert found["log_power_mae"] < 0.2  # the mean is no power


def test_a_classifier_knows_no_volume_that_it_learned_from() -> None:
    """Each volume has a mark of its own, which says nothing of other volumes."""
    rng = np.random.default_rng(7)
    marks = rng.normal(size=(40, 3))
    groups = np.repeat([f"v{number}" for number in range(40)], 5)
    rows = np.repeat(marks, 5, axis=0) + rng.normal(0, 1e-3, (200, 3))
    one, other = np.arange(200) < 100, np.arange(200) >= 100
    scores = held_out_scores(rows[one], rows[other], (groups[one], groups[other]), 0)
    assert area_under_curve(*scores) < 0.7
    planes = np.arange(200).astype(str)
    seen = held_out_scores(rows[one], rows[other], (planes[one], planes[other]), 0)
    assert area_under_curve(*seen) > 0.99  # were planes of a volume on both sides


def test_areas_and_their_intervals() -> None:
    assert area_under_curve(np.array([2.0, 3]), np.array([0.0, 1])) == 1
    assert area_under_curve(np.array([0.0, 1]), np.array([2.0, 3])) == 0  # below chance is said as it is
    assert area_under_curve(np.array([1.0, 1]), np.array([1.0, 1, 1])) == 0.5
    rng = np.random.default_rng(0)
    # Ten planes of a volume have the same score: only volumes count.
    one, other = np.repeat(rng.normal(1, 1, 12), 10), np.repeat(rng.normal(0, 1, 12), 10)
    volumes = np.repeat([f"v{number}" for number in range(12)], 10)
    low, high = area_interval(one, other, (volumes, volumes), resamples=300)
    every = np.arange(120).astype(str)
    low_each, high_each = area_interval(one, other, (every, every), resamples=300)
    assert low < area_under_curve(one, other) < high
    assert high - low > 1.5 * (high_each - low_each)
    assert area_interval(one, other, (volumes, volumes), resamples=300) == (low, high)


@given(st.integers(0, 1000))
def test_the_nearest_is_the_nearest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other, unit = rng.normal(size=(5, 3)), rng.normal(size=(7, 3)), np.array([1.0, 2.0, 0.0])
    distance, number = nearest(one, other, unit)
    whole = np.linalg.norm((one[:, None] - other[None]) / (1, 2, 1), axis=2)
    np.testing.assert_allclose(distance, whole.min(axis=1))
    np.testing.assert_array_equal(number, whole.argmin(axis=1))


@given(st.integers(0, 10**6), st.integers(2, 9))
def test_halves_are_of_whole_tiles(seed: int, tiles: int) -> None:
    tile = np.repeat([f"t{number}" for number in range(tiles)], 3)
    nothing = np.zeros((len(tile), 64), np.int64)
    whole = Measured(
        tile,
        np.arange(5.0 * len(tile)).reshape(-1, 5),
        np.ones((len(tile), 8)),
        nothing,
        nothing,
        np.full(len(tile), np.nan),
    )
    halves = Sides.halves(whole, groups_of(whole), (seed,))
    assert not set(halves.one.tile) & set(halves.other.tile)
    assert halves.one.tiles == tiles // 2
    assert len(halves.one) + len(halves.other) == len(whole)
    by_planes = Sides.halves(whole, planes_of(whole), (seed,))
    assert abs(len(by_planes.one) - len(by_planes.other)) <= 1
    assert set(by_planes.groups[0]) <= set(tile)  # a classifier still learns from other volumes


def test_a_single_volume_is_halved_by_its_planes() -> None:
    whole = made(3, tiles=1, each=8)
    assert len(set(groups_of(whole))) == 8
    halves = Sides.halves(whole, groups_of(whole), (0,))
    assert (len(halves.one), len(halves.other)) == (4, 4)


def test_cells_that_are_not_known_and_groups_too_few() -> None:
    stack, cells, tile = planes(4, tiles=2)
    real = measure(stack, [None] * len(stack), tile)
    found = figures(measure(stack, cells, tile), real)
    assert found["js_background"] is None
    assert found["signal_difference"] is None
    assert found["signal_minus_background"] > 0
    half = Sides.halves(real, groups_of(real), (0,))
    assert compare(half, real.features.std(axis=0), 0)["classifier_auc"] is None  # one volume a half


def test_a_plane_without_cells_is_background() -> None:
    stack, _, tile = planes(5, tiles=1, each=4)
    none = measure(stack, [np.empty((0, 2))] * 4, tile)
    np.testing.assert_array_equal(none.background, none.histogram)
    assert none.mean_signal is None
    assert none.summary()["signal_minus_background"] is None


def test_floors_and_ratios() -> None:
    usual = dict.fromkeys(FIGURES, 2.0)
    splits = [{**usual, "signal_difference": -3.0}, {**usual, "signal_difference": 1.0, "classifier_auc": None}]
    floor, ranges = floor_of(splits)
    assert floor == {**usual, "signal_difference": 2.0}
    assert ranges["signal_difference"] == [1, 3]
    found = ratios({**dict.fromkeys(FIGURES, 3.0), "signal_difference": -8.0, "js_background": None}, floor)
    assert found["js_histogram"] == 1.5
    assert found["signal_difference"] == 4
    assert found["js_background"] is None
    assert ratios(usual, dict.fromkeys(FIGURES, 0.0)) == dict.fromkeys(FIGURES)


def test_planes_that_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="squares of one size"):
        measure(np.zeros((2, 16, 20), np.float32), [None] * 2, ["a", "b"])
    with pytest.raises(InputError, match="0 to 1"):
        measure(np.full((2, 16, 16), 7.0, np.float32), [None] * 2, ["a", "b"])
