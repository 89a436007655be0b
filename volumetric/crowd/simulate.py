"""A crowd made up: what workers of known skill would click on cells that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from volumetric.crowd.candidates import assign
from volumetric.crowd.clicks import Crowd
from volumetric.errors import InputError

Floats = npt.NDArray[np.float64]

LEAST_RATE = 0.005
"""Nobody is never, or always, right."""

DOUBLE_PX = 1.0
"""Standard deviation of a double click's second place from its first."""


@dataclass(frozen=True)
class Worker:
    """How somebody clicks.

    Args:
        sensitivity: chance of a click on a cell of usual visibility.
        false_per_mpx: clicks on nothing in a megapixel.
        scatter_px: standard deviation of a click along each axis.
        double: chance that a click is made twice.
        fatigue: by which the log odds of a click fall from the first tile to the last.
        reversed_: whether they click everything but the cells.
    """

    sensitivity: float = 0.8
    false_per_mpx: float = 50.0
    scatter_px: float = 2.0
    double: float = 0.02
    fatigue: float = 0.0
    reversed_: bool = False


SPAMMER = Worker(sensitivity=0.0, false_per_mpx=800.0)
"""Clicks without looking."""

REVERSED = Worker(sensitivity=0.02, false_per_mpx=800.0, reversed_=True)
"""Clicks where there is nothing, and hardly ever on a cell."""


SKILL = (0.1, 1.9)
"""Mean and deviation, between workers, of the log odds of a click on a cell of usual visibility."""

FALSE_PER_MPX = (0.7, 120.0)
"""Shape and scale of the gamma distribution of clicks on nothing."""

SCATTER = (1.8, 0.35)
"""Mean and deviation of the scatter of clicks, px."""

VISIBILITY, DECOYS, DECOY_VISIBILITY = (2.0, 5.0), 0.15, (-2.0, 2.0)
"""Mean and deviation between cells; places that look like a cell to some, as a share of cells; and these."""


def usual_workers(count: int, rng: np.random.Generator) -> list[Worker]:
    """Workers such as those of a paid crowd, some of whom hardly look.

    Skill, false clicks and scatter as `population` tells them of 81 workers on 9 tiles with 900 planted spots.
    """
    skill, false = rng.normal(*SKILL, count), rng.gamma(*FALSE_PER_MPX, count)
    scatter = np.maximum(rng.normal(*SCATTER, count), 0.5)
    return [
        Worker(sensitivity=float(expit(one)), false_per_mpx=float(two), scatter_px=float(three))
        for one, two, three in zip(skill, false, scatter, strict=True)
    ]


@dataclass(frozen=True)
class Scene:
    """Tiles with cells, and all that a crowd may click on.

    Args:
        cells: (n, 2) y, x in pixels of each tile.
        looks: (m, 2) the same and decoys after them.
        visibility: (m,) of these.
        shapes: pixels (y, x) of each tile.
    """

    cells: Mapping[str, Floats]
    looks: Mapping[str, Floats]
    visibility: Mapping[str, Floats]
    shapes: Mapping[str, tuple[int, int]]


def usual_scene(tiles: int, cells: int, size_px: int, rng: np.random.Generator) -> Scene:
    """Tiles with cells at random places, some of them hard to see, and decoys.

    With `usual_workers` F1 within 5 px rises over 5, 10, 20 and 30 workers much as that of the real crowd does.
    """
    names = [f"t{number:03d}" for number in range(tiles)]
    decoys = round(DECOYS * cells)
    places = {name: rng.uniform(0, size_px - 1, (cells + decoys, 2)) for name in names}
    visibility = {
        name: np.concatenate([rng.normal(*VISIBILITY, cells), rng.normal(*DECOY_VISIBILITY, decoys)]) for name in names
    }
    return Scene(
        {name: yx[:cells] for name, yx in places.items()}, places, visibility, dict.fromkeys(names, (size_px, size_px))
    )


def simulate(
    cells: Mapping[str, Floats],
    shapes: Mapping[str, tuple[int, int]],
    workers: Sequence[Worker],
    *,
    coverage: float = 1.0,
    visibility: Mapping[str, Floats] | None = None,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clicks and who was shown what, as `clicks.checked` reads them.

    Args:
        cells: (n, 2) y, x in pixels of each tile.
        shapes: pixels (y, x) of each tile.
        workers: named w000, w001 and so on.
        coverage: share of the tiles that each is shown.
        visibility: (n,) of each tile, added to the log odds of a click; 0 is usual.
        seed: the same for the same result; what a worker clicks does not depend on those named later.
    """
    if not 0 < coverage <= 1:
        raise InputError(f"workers are shown a share of the tiles from 0 to 1, got {coverage}")
    tiles = sorted(cells)
    clicks, shown = [], []
    for j, worker in enumerate(workers):
        order = np.random.default_rng([seed, j]).permutation(len(tiles))
        for turn, i in enumerate(order[: max(1, round(coverage * len(tiles)))].tolist()):
            tile = tiles[i]
            tired = worker.fatigue * turn / max(len(tiles) - 1, 1)
            easy = np.zeros(len(cells[tile])) if visibility is None else visibility[tile]
            rng = np.random.default_rng([seed, j, i + 1])
            yx = _clicks(cells[tile], shapes[tile], worker, easy - tired, rng)
            shown.append({"tile": tile, "worker": f"w{j:03d}"})
            clicks.append(
                pd.DataFrame(
                    {"tile": tile, "worker": f"w{j:03d}", "order": np.arange(len(yx)), "x": yx[:, 1], "y": yx[:, 0]}
                )
            )
    columns = ["tile", "worker", "order", "x", "y"]
    empty = pd.DataFrame(
        {
            name: pd.Series(dtype=kind)
            for name, kind in zip(columns, ["object", "object", "int64", "float64", "float64"], strict=True)
        }
    )
    made = [part for part in clicks if len(part)]
    return pd.concat(made, ignore_index=True) if made else empty, pd.DataFrame(shown, columns=["tile", "worker"])


def _clicks(cells: Floats, shape: tuple[int, int], worker: Worker, easy: Floats, rng: np.random.Generator) -> Floats:
    chance = expit(logit(np.clip(worker.sensitivity, LEAST_RATE, 1 - LEAST_RATE)) + easy)
    hit = cells[rng.random(len(cells)) < chance]
    hit = hit + rng.normal(0, worker.scatter_px, hit.shape)
    miss = rng.uniform(-0.5, np.asarray(shape) - 0.5, (rng.poisson(worker.false_per_mpx * np.prod(shape) / 1e6), 2))
    if worker.reversed_ and len(cells) and len(miss):
        near = np.linalg.norm(miss[:, None] - cells[None], axis=2).min(axis=1) < 4 * worker.scatter_px
        miss = miss[~near]
    yx = rng.permutation(np.concatenate([hit, miss]))
    again = yx[rng.random(len(yx)) < worker.double]
    yx = np.concatenate([yx, again + rng.normal(0, DOUBLE_PX, again.shape)])
    clipped: Floats = np.clip(yx, -0.5, np.asarray(shape) - 0.5001)
    return clipped


def population(crowd: Crowd, cells: Mapping[str, Floats], reach_px: float) -> list[Worker]:
    """Workers as the real ones of a crowd are, one for each, told from tiles whose cells are known.

    Args:
        crowd: its clicks.
        cells: (n, 2) y, x of each tile.
        reach_px: largest distance of a click from the cell that it means.
    """
    n = len(crowd.workers)
    asked, found, false, area, twice, clicked, square, axes = np.zeros((8, n))
    for tile in crowd:
        true = cells[tile.tile]
        once = tile.without_repeats(reach_px / 2)
        member = assign(once, true, reach_px)
        hit = member >= 0
        y0, y1, x0, x1 = tile.views.T
        np.add.at(asked, tile.viewers, tile.seen(true).sum(axis=0))
        np.add.at(area, tile.viewer, (y1 - y0) * (x1 - x0) / 1e6)
        np.add.at(found, once.worker[hit], 1)
        np.add.at(false, once.worker[~hit], 1)
        np.add.at(clicked, once.worker, 1)
        np.add.at(twice, tile.worker, 1)
        np.add.at(square, once.worker[hit], ((once.yx[hit] - true[member[hit]]) ** 2).sum(axis=1))
        np.add.at(axes, once.worker[hit], 2)
    usual = float(np.sqrt(square.sum() / max(axes.sum(), 1))) or Worker().scatter_px
    return [
        replace(
            Worker(),
            sensitivity=float((found[j] + 1) / (asked[j] + 2)),
            false_per_mpx=float(false[j] / area[j]) if area[j] else 0.0,
            # Of few clicks the spread is told together with everybody's.
            scatter_px=float(np.sqrt((square[j] + 10 * usual**2) / (axes[j] + 10))),
            double=float((twice[j] - clicked[j] + 0.02) / (clicked[j] + 1)),
        )
        for j in range(n)
    ]
