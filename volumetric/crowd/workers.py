"""What is known of each worker: sensitivity and specificity with intervals, weights, and whom not to trust."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.crowd.candidates import Candidates
from volumetric.crowd.clicks import Crowd
from volumetric.crowd.reliability import Answers, Estimate, answer_counts, fit, over_classes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CAP = float(np.log(1000))
"""No answer of one worker makes a cell more than a thousand times as likely, or as unlikely."""

RESAMPLES = 100
COVERED = 0.95

RESAMPLE_GAIN = 1e-3
"""Of the log posterior for each worker, at which EM of a resample rests: a thousandth of what chance makes of it."""


def answers_of(tiles: Sequence[Candidates], n_workers: int) -> tuple[Answers, Ints]:
    """What was said of all candidates, tile after tile, and (n_items,) the tile of each.

    Who saw a candidate and did not click it has answered 0; who was not shown it has not answered.
    """
    first = np.cumsum([0, *(len(tile.yx) for tile in tiles)])
    parts = [np.nonzero(tile.seen) for tile in tiles]
    none = np.empty(0, dtype=np.int64)
    item = [none, *(row + start for (row, _), start in zip(parts, first, strict=False))]
    worker = [none, *(tile.tile.viewers[column] for (_, column), tile in zip(parts, tiles, strict=True))]
    label = [none, *(tile.clicked[place].astype(np.int64) for place, tile in zip(parts, tiles, strict=True))]
    answers = Answers(np.concatenate(item), np.concatenate(worker), np.concatenate(label), int(first[-1]), n_workers)
    return answers, np.repeat(np.arange(len(tiles)), np.diff(first))


@dataclass(frozen=True)
class Weights:
    """Evidence for a cell in an answer, log likelihood ratios (equations 6 and 7), none beyond `CAP`.

    Args:
        positive: (n_workers,) of a click, log p / (1 - q).
        negative: (n_workers,) of seeing it and not clicking, log (1 - p) / q.
        capped: (n_workers,) whether either was beyond.
    """

    positive: Floats
    negative: Floats
    capped: Bools


def weights_of(sensitivity: Floats, specificity: Floats) -> Weights:
    """The weights of (n_workers,) sensitivities and specificities, 0 to 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        positive = np.log(sensitivity) - np.log1p(-specificity)
        negative = np.log1p(-sensitivity) - np.log(specificity)
    # 0 of 0: never seen to click, right or wrong; a click of theirs would say nothing.
    positive, negative = (np.nan_to_num(each, nan=0.0, posinf=np.inf, neginf=-np.inf) for each in (positive, negative))
    capped = (np.abs(positive) > CAP) | (np.abs(negative) > CAP)
    return Weights(np.clip(positive, -CAP, CAP), np.clip(negative, -CAP, CAP), capped)


@dataclass(frozen=True)
class Intervals:
    """Lower and upper ends, (n_workers, 2) each."""

    sensitivity: Floats
    specificity: Floats


def intervals(
    answers: Answers, tile: Ints, estimate: Estimate, *, resamples: int = RESAMPLES, seed: int = 0
) -> Intervals:
    """95% intervals of sensitivity and specificity from a bootstrap over tiles.

    Each resample weighs the tiles by chance, evenly on the simplex (Rubin 1981: no tile is lost, so that a worker of
    few tiles keeps an interval), and EM goes on from where the whole came to rest. A worker's own rates are then drawn
    from the Beta distribution of the answers that were counted: tiles that agree do not make three clicks certain.

    Args:
        answers: of the crowd.
        tile: (n_items,) of each item.
        estimate: from these answers.
        resamples: how many.
        seed: of these.
    """
    rng = np.random.default_rng(seed)
    number = int(tile.max(initial=-1)) + 1
    drawn = np.empty((resamples, 2, answers.n_workers))
    first, count = _alike(answers, tile)
    kinds, start, own = answers.of_items(first), estimate.posterior[first], tile[first]
    rests = RESAMPLE_GAIN * answers.n_workers
    for one in range(resamples):
        weight = rng.dirichlet(np.ones(number)) * number if number else np.empty(0)
        again = fit(kinds, estimate.prior, start=start, weight=weight[own] * count, gain=rests)
        drawn[one] = _rates(kinds, again, again.posterior * count[:, None], rng)
    ends = np.quantile(drawn, [(1 - COVERED) / 2, (1 + COVERED) / 2], axis=0)
    return Intervals(ends[:, 0].T, ends[:, 1].T)


def _alike(answers: Answers, tile: Ints) -> tuple[Bools, Ints]:
    """Items of a tile of which the same was said are one kind: (n_items,) whether the first of it, and how many each.

    Clicks of one worker alone are most candidates: there are far fewer kinds than items.
    """
    table, kinds = answers.table, dict[tuple[int, bytes, bytes], int]()
    table.sort_indices()
    rows = zip(tile.tolist(), table.indptr[:-1].tolist(), table.indptr[1:].tolist(), strict=True)
    said = ((one, table.indices[a:b].tobytes(), table.data[a:b].tobytes()) for one, a, b in rows)
    kind = np.array([kinds.setdefault(key, len(kinds)) for key in said], dtype=np.int64)
    first = np.diff(np.maximum.accumulate(kind), prepend=-1) > 0
    return first, np.bincount(kind, minlength=len(kinds))


def _rates(answers: Answers, again: Estimate, posterior: Floats, rng: np.random.Generator) -> Floats:
    """Sensitivity and specificity (2, n_workers), drawn given what the items are thought to be, with the prior."""
    counts = answer_counts(answers, posterior) + again.prior.answers
    clicks = rng.beta(counts[..., 1] + 0.5, counts[..., 0] + 0.5)
    return np.stack([over_classes(again.classes[1:], clicks[:, 1:]), 1 - clicks[:, 0]])


def false_rate(tiles: Sequence[Candidates], posterior: Floats, n_workers: int) -> Floats:
    """(n_workers,) clicks that mean no cell, per megapixel shown; NaN for who was shown nothing.

    A property of the worker alone: specificity depends on which candidates there are to be wrong about.

    Args:
        tiles: candidates of each.
        posterior: (n_items,) that a candidate is a cell, tile after tile.
        n_workers: of the crowd.
    """
    wrong, area, first = np.zeros(n_workers), np.zeros(n_workers), 0
    for tile in tiles:
        chance = 1 - posterior[first : first + len(tile.yx)]
        first += len(tile.yx)
        wrong[tile.tile.viewers] += chance @ tile.clicked
        y0, y1, x0, x1 = tile.tile.views.T
        np.add.at(area, tile.tile.viewer, (y1 - y0) * (x1 - x0))
    rate: Floats = np.divide(wrong, area / 1e6, out=np.full(n_workers, np.nan), where=area > 0)
    return rate


def clicks_per_tile(crowd: Crowd) -> Floats:
    """(n_workers, n_tiles) clicks each worker made; NaN where a tile was not shown to them."""
    count = np.full((len(crowd.workers), len(crowd.tiles)), np.nan)
    count[crowd.shown["worker"], crowd.shown["tile"]] = 0
    np.add.at(count, (crowd.clicks["worker"].to_numpy(), crowd.clicks["tile"].to_numpy()), 1)
    return count


def volume_group(clicks: Floats) -> list[str]:
    """Whether each worker clicks less than others, more, or now this now that: `below`, `above`, `mixed`.

    The share of their tiles on which they clicked more than the mean of its viewers is at most a fifth, at least four
    fifths, or between (method, section 3.2 and figure 17); `none` for who was shown nothing.

    Args:
        clicks: of `clicks_per_tile`, on quality-control tiles where there are any.
    """
    shown = np.isfinite(clicks)
    viewers = shown.sum(axis=0)
    mean = np.divide(np.nansum(clicks, axis=0), viewers, out=np.zeros(clicks.shape[1]), where=viewers > 0)
    above = (np.where(shown, clicks, -1.0) > mean).sum(axis=1)
    seen = shown.sum(axis=1)
    share = np.divide(above, seen, out=np.full(len(clicks), np.nan), where=seen > 0)
    words = np.where(share <= 0.2, "below", np.where(share >= 0.8, "above", "mixed"))
    return [str(word) if number else "none" for word, number in zip(words, seen, strict=True)]
