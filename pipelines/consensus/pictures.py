"""Pictures of a consensus: the workers, and the steps from clicks to ground truth on a tile."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from pipelines.report.picture import ALARM, INK, LEFT, MUTED, RIGHT, plain_axes
from volumetric.crowd.candidates import Candidates

Floats = npt.NDArray[np.float64]

GROUPS = {"below": LEFT, "mixed": MUTED, "above": RIGHT}
"""Colours of workers who click less than others, now this now that, and more."""

FAINT = 0.02
"""Of a heatmap, below which the tile itself is seen."""

FEWEST = 3
"""Workers from which a correlation means anything."""


def workers_figure(workers: pd.DataFrame) -> Figure:
    """Six panels: skill, weights, clicks against sensitivity, specificity and weight, clicks by group (figures 15-18).

    `workers` is the table of a consensus; those who took no part are left out.
    """
    told = workers[~workers["excluded"].astype(bool)]
    figure = Figure(figsize=(13, 8), layout="constrained")
    axes = figure.subplots(2, 3)
    _skill(axes[0, 0], told)
    _scatter(axes[0, 1], told, "weight_positive", "weight_negative")
    _groups(axes[0, 2], told)
    for ax, column in zip(axes[1], ("sensitivity", "specificity", "weight_positive"), strict=True):
        _scatter(ax, told, "n_clicks", column)
    for ax in axes.flat:
        plain_axes(ax)
    return figure


def _skill(ax: Axes, told: pd.DataFrame) -> None:
    x, y = 1 - told["specificity"], told["sensitivity"]
    ax.errorbar(
        x,
        y,
        xerr=_ends(told, "specificity")[::-1],
        yerr=_ends(told, "sensitivity"),
        fmt="none",
        ecolor="#c9d2dc",
        elinewidth=0.8,
        zorder=1,
    )
    ax.scatter(x, y, c=told["volume_group"].map(GROUPS).fillna(MUTED), s=18, zorder=2)
    top = float(max(x.max(), (1 - told["specificity_low"]).max(), 0.05)) if len(told) else 1.0
    ax.plot([0, min(top, 1)], [0, min(top, 1)], color=MUTED, linewidth=0.8, linestyle=":")
    ax.set(xlabel="1 - specificity", ylabel="sensitivity", ylim=(0, 1.02), title="skill, with 95% intervals")
    for name, colour in GROUPS.items():
        ax.scatter([], [], color=colour, s=18, label=f"clicks {_WORDS[name]} than others")
    for doubtful in np.flatnonzero(told["reason"].astype(object).fillna("") != ""):
        name = str(told["worker"].iloc[doubtful])
        ax.annotate(name, (float(x.iloc[doubtful]), float(y.iloc[doubtful])), fontsize=6, color=ALARM)
    ax.legend(frameon=False, fontsize=7, loc="center right")


_WORDS = {"below": "less", "mixed": "now less, now more", "above": "more"}


_NAMES = {
    "n_clicks": "clicks",
    "weight_positive": "weight of a click",
    "weight_negative": "weight of no click",
}


def _ends(told: pd.DataFrame, name: str) -> list[Floats]:
    """Lengths of the error bars; an estimate may lie outside its interval by chance."""
    low, high = told[name] - told[f"{name}_low"], told[f"{name}_high"] - told[name]
    return [np.maximum(each.to_numpy(dtype=np.float64), 0) for each in (low, high)]


def _scatter(ax: Axes, told: pd.DataFrame, across: str, up: str) -> None:
    x_label, y_label = (_NAMES.get(name, name) for name in (across, up))
    x, y = (told[name].to_numpy(dtype=np.float64) for name in (across, up))
    ax.scatter(x, y, c=told["volume_group"].map(GROUPS).fillna(MUTED), s=18)
    title = f"{y_label} by {x_label}"
    if len(x) >= FEWEST and np.ptp(x) > 0 and np.ptp(y) > 0:
        slope, level = np.polyfit(x, y, 1)
        ends = np.array([x.min(), x.max()])
        ax.plot(ends, slope * ends + level, color=ALARM, linewidth=1, linestyle="--")
        r, rho = stats.pearsonr(x, y), stats.spearmanr(x, y)
        title += f"\nPearson r = {r.statistic:.2f} (p = {r.pvalue:.2g}), Spearman {rho.statistic:.2f}"
    ax.set(xlabel=x_label, ylabel=y_label)
    ax.set_title(title, fontsize=9, color=INK)


def _groups(ax: Axes, told: pd.DataFrame) -> None:
    rates = told["n_clicks"] / told["n_shown"].where(told["n_shown"] > 0)
    names = [name for name in GROUPS if (told["volume_group"] == name).any()]
    data = [rates[told["volume_group"] == name].dropna().to_numpy() for name in names]
    if names:
        ax.boxplot(data, widths=0.5, showfliers=False, medianprops={"color": INK})
    rng = np.random.default_rng(0)
    for place, (name, values) in enumerate(zip(names, data, strict=True), start=1):
        ax.scatter(place + rng.uniform(-0.12, 0.12, len(values)), values, color=GROUPS[name], s=12, zorder=2)
    labels = [f"{_WORDS[name]}\n{len(values)} of {len(told)}" for name, values in zip(names, data, strict=True)]
    ax.set_xticks(range(1, len(names) + 1), labels)
    ax.set(ylabel="clicks a tile", ylim=(0, None), title="who clicks less or more than others")


def steps_figure(
    image: npt.NDArray[Any], found: Candidates, posterior: Floats, heatmap: npt.NDArray[np.float32]
) -> Figure:
    """Four panels of one tile: the tile itself, its clicks by candidate, which are cells, the heatmap."""
    figure = Figure(figsize=(13, 13.4 * image.shape[0] / image.shape[1]), layout="constrained")
    axes = figure.subplots(2, 2)
    low, high = np.percentile(image, [1, 99.8])
    for ax in axes.flat:
        ax.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1))
        ax.set_axis_off()
    tile, kept, sure = found.tile, found.member >= 0, posterior >= 0.5
    axes[0, 0].set_title(tile.tile, fontsize=10)
    shuffled = np.random.default_rng(0).permutation(max(len(found.yx), 1))
    hue = colormaps["hsv"](shuffled / len(shuffled))
    yx = tile.yx[kept]
    axes[0, 1].scatter(yx[:, 1], yx[:, 0], s=6, c=hue[found.member[kept]] if len(yx) else None, linewidths=0)
    axes[0, 1].set_title(
        f"{len(tile.yx):,} clicks of {len(tile.viewers)} viewers; of one colour, one of {len(found.yx):,} candidates",
        fontsize=10,
    )
    axes[1, 0].scatter(found.yx[~sure, 1], found.yx[~sure, 0], s=3, color=MUTED, linewidths=0, alpha=0.7)
    axes[1, 0].scatter(
        found.yx[sure, 1], found.yx[sure, 0], s=30, facecolors="none", edgecolors="#ffd400", linewidths=1
    )
    axes[1, 0].set_title(
        f"{sure.sum():,} candidates that are more likely cells than not; grey: the others", fontsize=10
    )
    shown = axes[1, 1].imshow(np.where(heatmap < FAINT, np.nan, heatmap), cmap="plasma", vmin=0, vmax=1, alpha=0.75)
    axes[1, 1].set_title("heatmap", fontsize=10)
    figure.colorbar(shown, ax=axes[1, 1], shrink=0.7, location="right")
    return figure
