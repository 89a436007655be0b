"""One picture of an evaluation: what a reader would rather look at than read."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from volumetric.detection.evaluate import Scored
from volumetric.points.curves import Curve, curve
from volumetric.points.reliability import Reliability

MOST_BRAINS = 12
INK, SOFT, MARK = "#1f77b4", "#b8cfe5", "#d62728"


def evaluation_figure(scored: Scored, threshold: float, diagram: Reliability | None, sweep: pd.DataFrame) -> Figure:
    """Six panels: precision and recall, F1, FROC, reliability, recall by confidence, distances or the sweep."""
    figure = Figure(figsize=(13, 8), layout="constrained")
    axes = figure.subplots(2, 3)
    _precision_recall(axes[0, 0], scored, threshold)
    _f1(axes[0, 1], scored, threshold)
    _froc(axes[0, 2], scored, threshold)
    _reliability(axes[1, 0], diagram)
    _recall_by_confidence(axes[1, 1], scored, threshold, sweep)
    _distances(axes[1, 2], scored, threshold)
    figure.suptitle(
        f"{len(scored.tiles)} tiles, pairs within {scored.tolerance}, threshold {threshold:.2f}", fontsize=11
    )
    return figure


def _curves(scored: Scored) -> list[tuple[str, Curve]]:
    return [(brain, curve(scored.of_brain(brain))) for brain in scored.brains[:MOST_BRAINS]]


def _precision_recall(axes: Axes, scored: Scored, threshold: float) -> None:
    for _, one in _curves(scored):
        axes.plot(one.recall, one.precision, color=SOFT, lw=1)
    whole = scored.curve
    axes.plot(whole.recall, whole.precision, color=INK)
    at = whole.at(threshold)
    axes.plot([at["recall"]], [at["precision"]], "o", color=MARK)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.set_title(f"average precision {whole.average_precision:.3f}; a thin line a brain", fontsize=9)


def _f1(axes: Axes, scored: Scored, threshold: float) -> None:
    for brain, one in _curves(scored):
        axes.plot(one.threshold, one.f1, color=SOFT, lw=1)
        if len(one.threshold):
            best = int(np.argmax(one.f1))
            axes.annotate(brain, (one.threshold[best], one.f1[best]), fontsize=7, color="#555555")
    axes.plot(scored.curve.threshold, scored.curve.f1, color=INK)
    axes.axvline(threshold, color=MARK, lw=1)
    axes.set(xlabel="threshold", ylabel="F1", xlim=(0, 1), ylim=(0, 1.02))
    axes.set_title(f"F1 {scored.curve.at(threshold)['f1']:.3f} at the threshold", fontsize=9)


def _froc(axes: Axes, scored: Scored, threshold: float) -> None:
    whole = scored.curve
    axes.plot(np.maximum(whole.false_per_tile, 1e-2), whole.recall, color=INK)
    at = whole.at(threshold)
    axes.plot([max(at["false_per_tile"], 1e-2)], [at["recall"]], "o", color=MARK)
    axes.set(xscale="log", xlabel="false points a tile", ylabel="recall", ylim=(0, 1.02))
    axes.set_title("free-response curve", fontsize=9)


def _reliability(axes: Axes, diagram: Reliability | None) -> None:
    axes.plot([0, 1], [0, 1], color="#999999", lw=1)
    axes.set(xlabel="probability said", ylabel="share that were cells", xlim=(0, 1), ylim=(0, 1.02))
    if diagram is None:
        axes.set_title("this detector says no probabilities", fontsize=9)
        return
    axes.plot(diagram.said, diagram.happened, "o-", color=INK)
    axes.set_title(f"expected calibration error {diagram.expected_error:.3f}", fontsize=9)


def _recall_by_confidence(axes: Axes, scored: Scored, threshold: float, sweep: pd.DataFrame) -> None:
    table = scored.recall_by_confidence(threshold)
    if len(table) > 1:
        axes.bar((table["low"] + table["high"]) / 2, table["recall"], width=0.09, color=INK)
        axes.set(xlabel="confidence of the true cell", ylabel="recall", xlim=(0, 1), ylim=(0, 1.02))
        truth, score, f1 = sweep.to_numpy(dtype=np.float64)[int(sweep["f1"].to_numpy().argmax())]
        axes.set_title(f"best F1 {f1:.2f}: truth from {truth:.1f}, score from {score:.2f}", fontsize=9)
        return
    counts = [(one.n_truth, int((one.score >= threshold).sum())) for one in scored.scored]
    true, found = np.array(counts).T
    axes.plot(true, found, "o", color=INK, ms=4)
    axes.axline((1, 1), slope=1, color="#999999", lw=1)
    axes.set(xscale="symlog", yscale="symlog", xlabel="cells marked in a tile", ylabel="cells found in it")
    axes.set_title("counts of the tiles", fontsize=9)


def _distances(axes: Axes, scored: Scored, threshold: float) -> None:
    distance = scored.pairs(threshold)["distance_um"]
    axes.hist(distance, bins=20, color=INK)
    axes.set(xlabel="distance of a pair, um", ylabel="pairs")
    middle = f"median {distance.median():.1f} um" if len(distance) else "no pairs"
    axes.set_title(f"where cells are found: {middle}", fontsize=9)
