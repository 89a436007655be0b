"""One picture of an agreement."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.report.picture import ALARM, INK, LEFT, MUTED, RIGHT, plain_axes
from volumetric.points.curves import Curve

COLOURS = {"included": LEFT, "excluded": RIGHT}
FAR = 60.0
"""Log odds beyond which thresholds are drawn at the edge."""

GROUPS = {"below": LEFT, "mixed": MUTED, "above": RIGHT}
WORDS = {"below": "clicks less than others", "mixed": "now less, now more", "above": "clicks more than others"}


def agreement_figure(
    curves: Mapping[str, Curve], ceiling: float | None, table: pd.DataFrame, workers: pd.DataFrame
) -> Figure:
    """Six panels: precision and recall, F1 by threshold, FROC, two strata, and workers beside the experts.

    Args:
        curves: with the experts included and excluded.
        ceiling: mean F1 of two experts, or None.
        table: of `crowd.agreement.strata`.
        workers: columns worker, precision, recall, volume_group.
    """
    figure = Figure(figsize=(13, 8), layout="constrained")
    axes = figure.subplots(2, 3)
    for side, one in curves.items():
        colour, best = COLOURS[side], int(np.argmax(one.f1)) if len(one.f1) else None
        label = f"experts {side}, AP {one.average_precision:.3f}"
        axes[0, 0].plot(one.recall, one.precision, color=colour, label=label)
        axes[0, 1].plot(np.clip(one.threshold, -FAR, FAR), one.f1, color=colour, label=f"experts {side}")
        axes[0, 2].plot(one.false_per_tile, one.recall, color=colour)
        if best is not None:
            axes[0, 0].plot(one.recall[best], one.precision[best], "o", color=colour, markersize=5)
            axes[0, 1].plot(np.clip(one.threshold[best], -FAR, FAR), one.f1[best], "o", color=colour, markersize=5)
    axes[0, 0].set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02), title="against experts")
    axes[0, 0].legend(frameon=False, fontsize=8, loc="lower left")
    axes[0, 1].set(xlabel="threshold of the score", ylabel="F1", ylim=(0, 1.02), title="F1 by threshold")
    if ceiling is not None and np.isfinite(ceiling):
        axes[0, 1].axhline(ceiling, color=ALARM, linewidth=1, linestyle="--")
        axes[0, 1].annotate("two experts", (0.02, ceiling), xycoords=("axes fraction", "data"), color=ALARM, fontsize=8)
    axes[0, 2].set(xlabel="points a tile that no expert marked", ylabel="recall", ylim=(0, 1.02), title="FROC")
    axes[0, 2].set_xscale("symlog", linthresh=1)
    axes[0, 2].set_xlim(left=0)
    for ax, by, title in ((axes[1, 0], "crowding", "other marks within 20 px"), (axes[1, 1], "snr", "signal to noise")):
        _bars(ax, table[table["by"] == by], title)
    _workers(axes[1, 2], workers)
    for ax in axes.flat:
        plain_axes(ax)
    return figure


def _bars(ax: Axes, rows: pd.DataFrame, title: str) -> None:
    place = np.arange(len(rows))
    for shift, name, colour in ((-0.2, "recall", LEFT), (0.2, "precision", RIGHT)):
        ax.bar(place + shift, rows[name].fillna(0), width=0.36, color=colour, label=name)
    labels = [f"{group}\n{marks} marks" for group, marks in zip(rows["group"], rows["marks"], strict=True)]
    ax.set_xticks(place, labels, fontsize=7)
    ax.set(ylim=(0, 1.02), title=f"by {title}, experts excluded")
    ax.legend(fontsize=8, loc="lower center", ncols=2, framealpha=0.9, edgecolor="none")


def _workers(ax: Axes, workers: pd.DataFrame) -> None:
    for name, colour in GROUPS.items():
        own = workers[workers["volume_group"] == name]
        ax.scatter(own["recall"], own["precision"], color=colour, s=16, label=f"{WORDS[name]} ({len(own)})")
    ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02), title="each worker against the experts")
    ax.title.set_color(INK)
    ax.legend(frameon=False, fontsize=7, loc="lower left")
