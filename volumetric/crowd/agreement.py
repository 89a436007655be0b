"""How well points agree with what experts marked, and where the two part (method, section 3.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage
from scipy.spatial import KDTree

from volumetric.errors import InputError
from volumetric.points.curves import ScoredTile, score_tile
from volumetric.points.matching import match_points

Floats = npt.NDArray[np.float64]
Marks = Mapping[str, Floats]
"""(n, 2) y, x in pixels of each tile that somebody looked at, also where they marked nothing."""

CROWDED_PX = 20.0
"""Around a place, in which other marks make it crowded."""

SPOT_PX, AROUND_PX = 1.5, 6.0
"""Standard deviations of the Gaussians whose difference is the signal of a cell."""


@dataclass(frozen=True)
class Points:
    """What is compared with experts: points of each tile with their scores."""

    yx: Marks
    score: Mapping[str, Floats]

    def at(self, threshold: float) -> Marks:
        """Those of a score of at least the threshold."""
        return {tile: yx[self.score[tile] >= threshold] for tile, yx in self.yx.items()}


def scored_pairs(points: Points, experts: Mapping[str, Marks], tolerance_px: float) -> list[ScoredTile]:
    """Each tile of each expert scored by itself; taken together they are the micro average.

    Raises `InputError` for a tile of an expert that the points know nothing of.
    """
    scored = []
    for name, marks in experts.items():
        for tile, true in marks.items():
            if tile not in points.yx:
                raise InputError(f"expert {name} marked tile {tile}, which the crowd was not shown")
            scored.append(score_tile(true, points.yx[tile], points.score[tile], tolerance_px))
    return scored


def against(found: Marks, true: Marks, tolerance_px: float) -> dict[str, float]:
    """Precision, recall and F1 of points without scores on the tiles that both know, micro average.

    NaN where there are no such tiles, or nothing was marked by either.
    """
    pairs = found_count = true_count = 0
    for tile in sorted(set(found) & set(true)):
        pairs += len(match_points(true[tile], found[tile], tolerance_px))
        found_count += len(found[tile])
        true_count += len(true[tile])
    return {
        "precision": pairs / found_count if found_count else float("nan"),
        "recall": pairs / true_count if true_count else float("nan"),
        "f1": 2 * pairs / (found_count + true_count) if found_count + true_count else float("nan"),
    }


def expert_to_expert(experts: Mapping[str, Marks], tolerance_px: float) -> pd.DataFrame:
    """F1 of each two experts, columns first, second, tiles, f1; F1 does not depend on which of them is right."""
    names = list(experts)
    rows = [
        {
            "first": one,
            "second": other,
            "tiles": len(set(experts[one]) & set(experts[other])),
            "f1": against(experts[one], experts[other], tolerance_px)["f1"],
        }
        for i, one in enumerate(names)
        for other in names[i + 1 :]
    ]
    return pd.DataFrame(rows, columns=["first", "second", "tiles", "f1"])


def places(points: Marks, experts: Mapping[str, Marks], tolerance_px: float) -> pd.DataFrame:
    """All marks and all points, each with whether the other side has it too.

    Columns: expert, tile, y, x, side (`expert` or `crowd`), agreed, crowding (other marks of the expert within
    `CROWDED_PX`).
    """
    parts = [pd.DataFrame(columns=["expert", "tile", "y", "x", "side", "agreed", "crowding"])]
    for name, marks in experts.items():
        for tile, true in marks.items():
            found = points.get(tile, np.empty((0, 2)))
            pairs = match_points(true, found, tolerance_px)
            for side, yx, agreed in (("expert", true, pairs[:, 0]), ("crowd", found, pairs[:, 1])):
                if not len(yx):
                    continue
                has = np.isin(np.arange(len(yx)), agreed)
                near = _near(yx, true)
                # A mark is no neighbour of itself, nor of the point that means it.
                parts.append(
                    pd.DataFrame(
                        {
                            "expert": name,
                            "tile": tile,
                            "y": yx[:, 0],
                            "x": yx[:, 1],
                            "side": side,
                            "agreed": has,
                            "crowding": near - (1 if side == "expert" else has.astype(np.int64)),
                        }
                    )
                )
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _near(yx: Floats, marks: Floats) -> npt.NDArray[np.int64]:
    if not len(marks):
        return np.zeros(len(yx), dtype=np.int64)
    return np.asarray(KDTree(marks).query_ball_point(yx, CROWDED_PX, return_length=True), dtype=np.int64)


def signal_to_noise(image: npt.NDArray[np.generic], yx: Floats) -> Floats:
    """(n,) how far each place rises above its surroundings, in robust standard deviations of the tile.

    A difference of Gaussians of `SPOT_PX` and `AROUND_PX`; noise is 1.4826 median absolute deviations of it.
    """
    values = image.astype(np.float64)
    signal = ndimage.gaussian_filter(values, SPOT_PX) - ndimage.gaussian_filter(values, AROUND_PX)
    noise = 1.4826 * float(np.median(np.abs(signal - np.median(signal))))
    at = np.clip(np.rint(yx), 0, np.asarray(image.shape) - 1).astype(np.int64)
    return np.asarray(signal[tuple(at.T)] / max(noise, 1e-12))


def strata(table: pd.DataFrame, by: str, edges: Sequence[float] | None = None) -> pd.DataFrame:
    """Precision, recall and F1 in groups of `places`: by a column, or by its values from an edge to below the next.

    Columns: by, group, marks, points, precision, recall, f1. Precision is of points in the group, recall of marks.
    """
    group = table[by].astype(str)
    if edges is not None:
        names = [_between(low, high) for low, high in pairwise(edges)]
        group = pd.cut(table[by].astype(float), list(edges), right=False, labels=names)
    rows = []
    for name, own in table.groupby(group, observed=True, sort=True):
        marks, points = own[own["side"] == "expert"], own[own["side"] == "crowd"]
        precision, recall = (
            float(side["agreed"].astype(float).mean()) if len(side) else float("nan") for side in (points, marks)
        )
        both = precision + recall
        f1 = 2 * precision * recall / both if both > 0 else (0.0 if both == 0 else float("nan"))
        rows.append((by, str(name), len(marks), len(points), precision, recall, f1))
    return pd.DataFrame(rows, columns=["by", "group", "marks", "points", "precision", "recall", "f1"])


def _between(low: float, high: float) -> str:
    if np.isinf(low):
        return f"below {high:g}"
    return f"{low:g} or more" if np.isinf(high) else f"{low:g} to {high:g}"
