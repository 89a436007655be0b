"""Two sets of tiles told apart: by a classifier, and by the nearest tile of the other set.

A classifier that never saw a tile says of which set it is (Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample
tests"). Its area under the ROC curve is 1/2 where the sets cannot be told apart, and 1 where they always can. With few
groups it may lie below 1/2: what is held out lacks on the side that is learned from.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from sklearn.ensemble import RandomForestClassifier

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.str_]

FOLDS = 5
TREES = 100
RESAMPLES = 1000
COVERED = 0.95
"""Of an interval."""


def folds_of(one: Groups, other: Groups, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """A fold for each row of two sets, all rows of a group in one; None where a set has a single group.

    A group that both sets have is in one fold too. Each set is spread over as many folds as possible, at most FOLDS.
    """
    first, second = set(one.tolist()), set(other.tolist())
    count = min(FOLDS, len(first), len(second))
    if count < 2:
        return None
    rng = np.random.default_rng(seed)
    kinds = (first - second, first & second, second - first)
    dealt = [name for kind in kinds for name in rng.permutation(sorted(kind)).tolist()]
    fold = {name: number % count for number, name in enumerate(dealt)}
    of_one, of_other = (np.array([fold[name] for name in names.tolist()], dtype=np.int64) for names in (one, other))
    return of_one, of_other


def held_out_scores(
    one: Floats, other: Floats, groups: tuple[Groups, Groups], seed: int
) -> tuple[Floats, Floats] | None:
    """How much each row looks like one of the first set to classifiers that saw none of its group.

    A random forest (Breiman 2001) a fold, both sets weighing as much. Equal rows have equal scores, and no score
    depends on the order of the rows.

    Args:
        one: (n, k) features of the first set.
        other: (m, k) of the second.
        groups: of the rows of each: rows of one group are not independent.
        seed: of folds and forests.

    Returns (n,) and (m,), or None where a set has a single group.
    """
    folds = folds_of(*groups, seed)
    if folds is None:
        return None
    order, count = _in_order(one, other, groups), len(one)
    rows = np.concatenate([one, other])[order]
    fold = np.concatenate(folds)[order]
    label = order < count
    score = np.zeros(len(rows))
    for held in range(int(fold.max()) + 1):
        forest = RandomForestClassifier(
            TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed + held, n_jobs=1
        )
        forest.fit(rows[fold != held], label[fold != held])
        score[fold == held] = forest.predict_proba(rows[fold == held])[:, 1]
    back = np.empty_like(score)
    back[order] = score
    return back[:count], back[count:]


def _in_order(one: Floats, other: Floats, groups: tuple[Groups, Groups]) -> npt.NDArray[np.int64]:
    """An order of all rows that does not depend on the order given."""
    rows = np.concatenate([one, other])
    second = np.repeat([0, 1], [len(one), len(other)])
    order: npt.NDArray[np.int64] = np.lexsort([*rows.T, np.concatenate(groups), second])
    return order


def area_under_curve(one: Floats, other: Floats) -> float:
    """How often a score of the first set is above one of the second; ties count half."""
    return _area(one, other, np.ones(len(one)), np.ones(len(other)))


def _area(one: Floats, other: Floats, weight: Floats, other_weight: Floats) -> float:
    """The same where scores count more than once, or not."""
    steps, place = np.unique(np.concatenate([one, other]), return_inverse=True)
    at = np.bincount(place[: len(one)], weight, len(steps))
    other_at = np.bincount(place[len(one) :], other_weight, len(steps))
    below = np.cumsum(other_at) - other_at / 2
    return float(at @ below / (weight.sum() * other_weight.sum()))


def area_interval(
    one: Floats, other: Floats, groups: tuple[Groups, Groups], seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """The 95% interval of the area: percentiles of a bootstrap over the groups of each set (Efron 1979)."""
    rng = np.random.default_rng(seed)
    numbers = [np.unique(names, return_inverse=True)[1] for names in groups]
    areas = []
    for _ in range(resamples):
        weights = []
        for number in numbers:
            size = int(number.max()) + 1
            weights.append(rng.multinomial(size, np.full(size, 1 / size))[number].astype(np.float64))
        areas.append(_area(one, other, weights[0], weights[1]))
    low, high = np.quantile(areas, ((1 - COVERED) / 2, (1 + COVERED) / 2))
    return float(low), float(high)


def nearest(one: Floats, other: Floats, unit: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Of each row of the first set, distance to and number of the nearest row of the second.

    Args:
        one: (n, k).
        other: (m, k).
        unit: (k,) standard deviations that features are divided by (z-scores; the means cancel). A feature that does
            not vary counts as it is.
    """
    scale = np.where(unit > 0, unit, 1.0)
    distance, number = cKDTree(other / scale).query(one / scale)
    return np.asarray(distance), np.asarray(number, dtype=np.int64)
