"""How good are the cells found in tiles whose cells are known (method, sections 2.7.2 and 3.5).

Pairs are one to one and at most a tolerance apart (`points.matching`). Thresholds are given, never chosen on the tiles
that are scored; intervals are of a bootstrap over tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import spearmanr

from volumetric.detection.tileset import Tile
from volumetric.errors import InputError
from volumetric.geometry.space import Points, VoxelSpace
from volumetric.points.curves import Curve, ScoredTile, curve, intervals, score_tile
from volumetric.points.expected import CountModel
from volumetric.points.matching import match_points
from volumetric.points.reliability import Reliability, brier_score, brier_skill, reliability

Floats = npt.NDArray[np.float64]

TRUTH_THRESHOLDS = np.linspace(0, 0.9, 10)
PREDICTION_THRESHOLDS = np.linspace(0.05, 0.95, 19)


@dataclass(frozen=True)
class Found:
    """What a detector found in a tile, however unsure.

    Args:
        points_um: (m, 3).
        score: (m,) 0 to 1.
        probability: (m,) 0 to 1, or None from a detector that is not calibrated.
    """

    points_um: Points
    score: Floats
    probability: Floats | None = None


@dataclass(frozen=True)
class Tolerance:
    """The largest distance of a pair: `5px` is five pixels of the slice, `8um` eight micrometres."""

    value: float
    unit: str

    @classmethod
    def parse(cls, text: str) -> Tolerance:
        """Raises `InputError` for what is no such text."""
        unit = text[-2:]
        try:
            value = float(text[:-2])
        except ValueError:
            value = float("nan")
        if unit not in ("px", "um") or not (np.isfinite(value) and value > 0):
            raise InputError(f"a tolerance is a number with px or um, for example 5px or 8um, got {text!r}")
        return cls(value, unit)

    def __str__(self) -> str:
        return f"{self.value:g}{self.unit}"

    def um(self, space: VoxelSpace) -> float:
        """In micrometres, where voxels are such."""
        _, y, x = space.spacing_um
        return self.value * ((y + x) / 2 if self.unit == "px" else 1.0)


@dataclass(frozen=True)
class Scored:
    """Tiles with what was found in them, compared at one tolerance."""

    tiles: Sequence[Tile]
    found: Sequence[Found]
    tolerance: Tolerance

    @cached_property
    def scored(self) -> list[ScoredTile]:
        """Hits of each tile at every threshold."""
        return [
            score_tile(tile.cells_um, found.points_um, found.score, self.tolerance.um(tile.space))
            for tile, found in zip(self.tiles, self.found, strict=True)
        ]

    @property
    def brains(self) -> list[str]:
        """In order, each once."""
        return list(dict.fromkeys(tile.brain for tile in self.tiles))

    def of_brain(self, brain: str) -> list[ScoredTile]:
        """The tiles of one brain."""
        return [one for tile, one in zip(self.tiles, self.scored, strict=True) if tile.brain == brain]

    @cached_property
    def curve(self) -> Curve:
        """Of all tiles taken together."""
        return curve(self.scored)

    def figures(self, threshold: float) -> dict[str, Any]:
        """Precision, recall, F1 and average precision with intervals; the means over brains beside them."""
        at = self.curve.at(threshold)
        ends = intervals(self.scored, lambda c: {"f1": c.at(threshold)["f1"], "ap": c.average_precision})
        each = [curve(self.of_brain(brain)) for brain in self.brains]
        return {
            "precision": at["precision"],
            "recall": at["recall"],
            "f1": at["f1"],
            "ap": self.curve.average_precision,
            "threshold": threshold,
            "f1_low": ends["f1"][0],
            "f1_high": ends["f1"][1],
            "ap_low": ends["ap"][0],
            "ap_high": ends["ap"][1],
            "f1_macro": float(np.mean([c.at(threshold)["f1"] for c in each])),
            "ap_macro": float(np.mean([c.average_precision for c in each])),
            "false_per_tile": at["false_per_tile"],
            "f1_best_possible": float(self.curve.f1.max(initial=0.0)),
        }

    def pairs(self, threshold: float) -> pd.DataFrame:
        """One row a pair at a threshold: tile, distance_um, confidence of the true cell, score of the found one."""
        parts = []
        for tile, found in zip(self.tiles, self.found, strict=True):
            kept = found.score >= threshold
            points, score = found.points_um[kept], found.score[kept]
            true = tile.cells_um
            matched = match_points(true, points, self.tolerance.um(tile.space))
            confidence = np.ones(len(true)) if tile.confidence is None else tile.confidence
            parts.append(
                pd.DataFrame(
                    {
                        "tile": tile.name,
                        "distance_um": np.linalg.norm(true[matched[:, 0]] - points[matched[:, 1]], axis=1),
                        "confidence": confidence[matched[:, 0]],
                        "score": score[matched[:, 1]],
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    def recall_by_confidence(self, threshold: float) -> pd.DataFrame:
        """Share of the true cells that were found, by tenths of their confidence; bins that hold none are left out."""
        sure = np.concatenate([_confidence(tile) for tile in self.tiles])
        edges = np.linspace(0, 1, 11)
        n = np.histogram(sure, edges)[0]
        hit = np.histogram(self.pairs(threshold)["confidence"], edges)[0]
        table = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n_truth": n, "recall": hit / np.maximum(n, 1)})
        return table[n > 0].reset_index(drop=True)

    def sweep(self) -> pd.DataFrame:
        """F1 for each threshold of the truth's confidence and of the score; long table."""
        rows = []
        for least in TRUTH_THRESHOLDS:
            scored = [
                score_tile(
                    tile.cells_um[_confidence(tile) >= least],
                    found.points_um,
                    found.score,
                    self.tolerance.um(tile.space),
                )
                for tile, found in zip(self.tiles, self.found, strict=True)
            ]
            one = curve(scored)
            rows += [{"truth": least, "score": t, "f1": one.at(t)["f1"]} for t in PREDICTION_THRESHOLDS]
        return pd.DataFrame(rows)

    def reliability(self, threshold: float) -> tuple[Reliability, dict[str, float]] | None:
        """Diagram, and ECE, Brier score and skill, of the probabilities of cells that are kept; None without them."""
        if any(found.probability is None for found in self.found):
            return None
        kept = [found.score >= threshold for found in self.found]
        said = np.concatenate(
            [f.probability[k] for f, k in zip(self.found, kept, strict=True) if f.probability is not None]
        )
        happened = np.concatenate([s.hit[k] for s, k in zip(self.scored, kept, strict=True)])
        diagram = reliability(said, happened)
        return diagram, {
            "ece": diagram.expected_error,
            "brier": brier_score(said, happened),
            "brier_skill": brier_skill(said, happened),
        }

    def counts(self, threshold: float, model: CountModel) -> pd.DataFrame | None:
        """True and expected number of each tile with its 95% interval; None from a detector without probabilities.

        Columns tile, true, counted, expected, low, high.
        """
        if any(found.probability is None for found in self.found):
            return None
        kept = [found.score >= threshold for found in self.found]
        summed = np.array(
            [f.probability[k].sum() for f, k in zip(self.found, kept, strict=True) if f.probability is not None]
        )
        low, high = model.interval(summed)
        return pd.DataFrame(
            {
                "tile": [tile.name for tile in self.tiles],
                "true": [len(tile.cells_um) for tile in self.tiles],
                "counted": [int(k.sum()) for k in kept],
                "expected": model.mean(summed),
                "low": low,
                "high": high,
            }
        )

    def rank_correlation(self, threshold: float) -> float:
        """Spearman's, of the score with the confidence of the true cell, over pairs; NaN where all are equally sure."""
        pairs = self.pairs(threshold)
        if pairs["confidence"].nunique() < 2 or pairs["score"].nunique() < 2:
            return float("nan")
        return float(spearmanr(pairs["confidence"], pairs["score"]).statistic)


def interval_figures(counts: pd.DataFrame) -> dict[str, float]:
    """Of a table of `Scored.counts`: share of intervals with the true number in them, their median width over it."""
    inside = (counts["low"] <= counts["true"]) & (counts["true"] <= counts["high"])
    width = (counts["high"] - counts["low"]) / counts["true"].clip(lower=1)
    return {"covered": float(inside.mean()), "median_width": float(width.median())}


def _confidence(tile: Tile) -> Floats:
    return np.ones(len(tile.cells_um)) if tile.confidence is None else tile.confidence
