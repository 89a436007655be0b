"""Figures of detectors whose answers are known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from volumetric.detection.evaluate import Found, Scored, Tolerance
from volumetric.detection.tileset import Tile
from volumetric.errors import InputError
from volumetric.geometry.space import VoxelSpace

SPACE = VoxelSpace((5.0, 2.0, 2.0))


def tile(name: str, cells: list[list[float]], confidence: list[float] | None = None) -> Tile:
    points = np.reshape(np.asarray(cells, float), (-1, 3))
    sure = None if confidence is None else np.asarray(confidence)
    return Tile(name, name[0], np.zeros((4, 50, 50), np.uint8), SPACE, points, sure)


def found(um: list[list[float]], score: list[float], probability: list[float] | None = None) -> Found:
    chance = None if probability is None else np.asarray(probability)
    return Found(np.reshape(np.asarray(um, float), (-1, 3)), np.asarray(score), chance)


TILES = [tile("a1", [[0, 10, 10], [0, 20, 20]], [1.0, 0.4]), tile("b1", [[2, 10, 10]], [0.8]), tile("b2", [])]
FOUND = [
    found([[0, 20, 21], [0, 40, 44], [0, 80, 80]], [0.9, 0.6, 0.3], [0.95, 0.5, 0.2]),
    found([[10, 20, 20]], [0.8], [0.9]),
    found([[0, 5, 5]], [0.7], [0.4]),
]


def test_figures_at_a_threshold() -> None:
    scored = Scored(TILES, FOUND, Tolerance.parse("5um"))
    got = scored.figures(0.5)
    assert (got["precision"], got["recall"]) == (0.75, 1.0)
    assert got["f1"] == pytest.approx(6 / 7)
    assert got["f1_macro"] == pytest.approx((1 + 2 / 3) / 2)
    assert got["false_per_tile"] == pytest.approx(1 / 3)
    assert got["f1_low"] <= got["f1"] <= got["f1_high"]
    assert got["ap_low"] <= got["ap"] <= got["ap_high"]
    strict = Scored(TILES, FOUND, Tolerance.parse("1px")).figures(0.5)
    assert strict["recall"] == pytest.approx(2 / 3)


def test_pairs_confidence_and_rank() -> None:
    scored = Scored(TILES, FOUND, Tolerance.parse("5um"))
    pairs = scored.pairs(0.5)
    assert sorted(pairs["distance_um"]) == [0, 1, 4]
    assert scored.rank_correlation(0.5) == pytest.approx(1.0)
    table = scored.recall_by_confidence(0.85)
    assert table["n_truth"].tolist() == [1, 1, 1]
    assert table["recall"].tolist() == [0, 0, 1]


def test_probabilities_of_the_kept_cells_are_judged() -> None:
    scored = Scored(TILES, FOUND, Tolerance.parse("5um"))
    judged = scored.reliability(0.5)
    assert judged is not None
    said, happened = np.array([0.95, 0.5, 0.9, 0.4]), np.array([1, 1, 1, 0])
    assert judged[1]["brier"] == pytest.approx(np.mean((said - happened) ** 2))
    assert Scored(TILES[:1], [found([], [])], Tolerance.parse("5um")).reliability(0.5) is None


def test_the_sweep_asks_for_surer_truth() -> None:
    sweep = Scored(TILES, FOUND, Tolerance.parse("5um")).sweep()
    f1 = {(round(truth, 2), round(score, 2)): f1 for truth, score, f1 in sweep.itertuples(index=False)}
    assert f1[0.0, 0.5] == pytest.approx(6 / 7)
    assert f1[0.9, 0.5] == pytest.approx(2 / 5)


@pytest.mark.parametrize("text", ["5", "px", "-1um", "nanpx", "3 mm", ""])
def test_a_tolerance_has_a_unit(text: str) -> None:
    with pytest.raises(InputError, match="for example 5px"):
        Tolerance.parse(text)
