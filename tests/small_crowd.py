"""Small crowds for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from volumetric.crowd.clicks import TileClicks
from volumetric.crowd.reliability import Answers

NONE = np.empty(0, dtype=np.int64)


def tile_of(
    yx: npt.ArrayLike,
    worker: npt.ArrayLike,
    viewer: npt.ArrayLike | None = None,
    views: npt.ArrayLike | None = None,
    shape: tuple[int, int] = (100, 100),
) -> TileClicks:
    """A tile that all who clicked, or all viewers, saw as a whole unless views say otherwise."""
    clicks = np.asarray(yx, dtype=np.float64).reshape(-1, 2)
    makers = np.asarray(worker, dtype=np.int64).reshape(-1)
    saw = np.unique(makers) if viewer is None else np.asarray(viewer, dtype=np.int64)
    whole = np.tile([-0.5, shape[0] - 0.5, -0.5, shape[1] - 0.5], (len(saw), 1))
    shown = whole if views is None else np.asarray(views, dtype=np.float64)
    return TileClicks("tile", shape, clicks, makers, shown, saw)


def around(
    cells: Sequence[tuple[float, float]], workers: int, scatter: float, seed: int = 0, **tile: tuple[int, int]
) -> TileClicks:
    """Everybody clicks every cell once."""
    rng = np.random.default_rng(seed)
    yx = np.repeat(np.asarray(cells, dtype=np.float64), workers, axis=0)
    return tile_of(rng.normal(yx, scatter), np.tile(np.arange(workers), len(cells)), **tile)


def answers_from(table: npt.ArrayLike, n_labels: int = 2) -> Answers:
    """From (n_items, n_workers) labels, -1 where a worker was not asked."""
    labels = np.asarray(table, dtype=np.int64)
    item, worker = np.nonzero(labels >= 0)
    return Answers(item, worker, labels[item, worker], *labels.shape, n_labels)


def drawn_answers(
    seed: int, items: int, p: Sequence[float], q: Sequence[float], share: float = 0.4, asked: float = 1.0
) -> tuple[Answers, npt.NDArray[np.bool_]]:
    """Answers of workers with sensitivities p and specificities q, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.random(items) < share
    clicks = rng.random((items, len(p))) < np.where(truth[:, None], p, 1 - np.asarray(q))
    return answers_from(np.where(rng.random(clicks.shape) < asked, clicks, -1)), truth
