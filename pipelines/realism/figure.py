"""The picture of a comparison: distributions, spectra, and synthetic tiles beside their nearest real ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from pipelines.realism.inputs import LABELS, Shown
from pipelines.report.picture import ALARM, INK, LEFT, MUTED, RIGHT, plain_axes, thousands
from volumetric.synthesis.brightness import BINS
from volumetric.synthesis.realism import FIGURES
from volumetric.synthesis.texture import FEATURES, WHITE
from volumetric.synthesis.two_sample import nearest

COLOURS = {"real": LEFT, "synthetic": RIGHT, "against": MUTED}
TITLES = {
    "mean": ("mean brightness", "grey value"),
    "contrast": ("contrast", "standard deviation, grey values"),
    "laplacian_variance": ("Laplacian variance", "grey values squared"),
    "gradient": ("gradient", "grey values a pixel"),
    "entropy": ("entropy", "bits"),
}
SHORT = {
    "js_histogram": "brightness",
    "js_background": "background",
    "log_power_mae": "log power",
    "signal_difference": "light of cells,\nless that of real",
    "nearest_distance_median": "nearest tile",
}
"""Figures that are distances, as the bars name them."""

SHOWN = 0.998
"""Quantile of the pixels of a pair that is shown as white."""

STEPS = 24
"""Bins of a distribution over planes."""

ROWS, PAIRS, GAP = 2, 6, 0.06
WIDTH_IN, UPPER_IN, LOWER_IN = 15.0, 6.2, 3.6

Sets = Mapping[str, Shown]


def realism_figure(sets: Sets, record: Mapping[str, Any]) -> Figure:
    """Ten panels above, pairs of tiles below.

    Args:
        sets: synthetic, real and perhaps against.
        record: what `realism.json` holds.
    """
    figure = Figure(figsize=(WIDTH_IN, UPPER_IN + LOWER_IN), layout="constrained")
    upper, lower = np.asarray(figure.subfigures(2, 1, height_ratios=[UPPER_IN, LOWER_IN]))
    axes = upper.subplots(2, 5)
    _histogram(axes[0, 0], sets, "histogram", f"pixels: {_beside(record, 'js_histogram')}")
    _histogram(axes[0, 1], sets, "background", f"background: {_beside(record, 'js_background')}")
    _power(axes[0, 2], sets, record)
    _signal(axes[0, 3], sets)
    _ratios(axes[0, 4], record)
    for ax, (number, name) in zip(axes[1], enumerate(FEATURES), strict=True):
        _distribution(ax, {key: one.measured.features[:, number] for key, one in sets.items()})
        title, unit = TITLES[name]
        ax.set(xlabel=unit, title=title)
    axes[0, 0].legend(frameon=False, fontsize=8)
    for ax in axes.flat:
        plain_axes(ax)
        ax.title.set(fontsize=9.5, color=INK)
        ax.xaxis.label.set_fontsize(8)
        ax.yaxis.label.set_fontsize(8)
    for ax in (axes[0, 0], axes[0, 1], axes[0, 3], *axes[1]):
        ax.set_yticks([])
    upper.suptitle(_headline(record), fontsize=11, color=INK)
    _pairs(lower, sets)
    return figure


def _headline(record: Mapping[str, Any]) -> str:
    area, usual = record["classifier_auc"], record["floor"]["classifier_auc"]
    told = "" if area is None else f"; told apart by a classifier: AUC {area:.2f}"
    told += "" if area is None or usual is None else f" (two halves of the real ones: {usual:.2f})"
    planes = record["n_planes"]
    return f"{planes['synthetic']:,} synthetic and {planes['real']:,} real planes, scale {record['scale']}{told}"


def _beside(record: Mapping[str, Any], name: str) -> str:
    value, least = record[name], record["floor"][name]
    if value is None:
        return "cells not known"
    return f"JS {value:.3f}" + (f" (halves {least:.3f})" if least is not None else "")


def _histogram(ax: Axes, sets: Sets, kind: str, title: str) -> None:
    """Share of the pixels by brightness."""
    edges = np.linspace(0, WHITE, BINS + 1)
    for name, one in sets.items():
        counts = getattr(one.measured, kind).sum(axis=0)
        if counts.any():
            ax.stairs(counts / counts.sum(), edges, color=COLOURS[name], label=LABELS[name], linewidth=1.4)
    ax.set(xlabel="grey value", ylabel="share of pixels", title=title, xlim=(0, WHITE), ylim=(0, None))


def _power(ax: Axes, sets: Sets, record: Mapping[str, Any]) -> None:
    """Mean power by frequency, and where nine in ten real planes lie."""
    cycles = np.arange(1, sets["real"].measured.power.shape[1] + 1) / record["px"]
    low, high = np.quantile(sets["real"].measured.power, (0.05, 0.95), axis=0)
    ax.fill_between(cycles, low, high, color=COLOURS["real"], alpha=0.15, linewidth=0)
    for name, one in sets.items():
        ax.plot(cycles, one.measured.power.mean(axis=0), color=COLOURS[name], linewidth=1.4)
    value, least = record["log_power_mae"], record["floor"]["log_power_mae"]
    title = f"log10 power: {value:.2f} (halves {least:.2f})"
    ax.set(xscale="log", yscale="log", xlabel="cycles a pixel; shaded: 9 in 10 real planes", title=title)


def _signal(ax: Axes, sets: Sets) -> None:
    """How far cells stand above the background."""
    known = {name: one.measured.signal[np.isfinite(one.measured.signal)] for name, one in sets.items()}
    known = {name: values for name, values in known.items() if len(values)}
    ax.set(xlabel="grey values above background", title="light of cells: cells not known")
    if known:
        _distribution(ax, known)
        means = ", ".join(f"{name} {known[name].mean():+.0f}" for name in ("synthetic", "real") if name in known)
        ax.set_title(f"light of cells: {means}")
        ax.axvline(0, color=MUTED, linewidth=0.8, linestyle=":")


def _distribution(ax: Axes, values: Mapping[str, npt.NDArray[np.float64]]) -> None:
    """Of one figure over the planes of each set; a stroke marks the mean."""
    whole = np.concatenate(list(values.values()))
    edges = np.histogram_bin_edges(whole, STEPS)
    for name, own in values.items():
        counts = np.histogram(own, edges)[0] / len(own)
        ax.stairs(counts, edges, color=COLOURS[name], fill=True, alpha=0.18)
        ax.stairs(counts, edges, color=COLOURS[name], linewidth=1.4)
        ax.axvline(float(own.mean()), color=COLOURS[name], linewidth=1, linestyle="--")
    ax.set(ylabel="share of planes", ylim=(0, None))


def _ratios(ax: Axes, record: Mapping[str, Any]) -> None:
    """How many times farther than two halves of the real tiles."""
    sides = {"synthetic": record["ratio"], **({"against": record["against"]["ratio"]} if record["against"] else {})}
    names = [name for name in FIGURES if name in SHORT and record["ratio"][name] is not None]
    height = 0.8 / len(sides)
    for number, (side, ratio) in enumerate(sides.items()):
        values = [ratio[name] or 0.0 for name in names]
        at = np.arange(len(names)) + (number - (len(sides) - 1) / 2) * height
        ax.barh(at, values, height=0.9 * height, color=COLOURS[side])
        for place, value in zip(at, values, strict=True):
            ax.text(value, place, f" {value:.1f}", va="center", fontsize=7.5, color=INK)
    ax.set_yticks(range(len(names)), [SHORT[name] for name in names])
    ax.invert_yaxis()
    ax.axvline(1, color=ALARM, linewidth=1, linestyle="--")
    ax.set(xlim=(0, 1.2 * max(1.2, ax.get_xlim()[1])), xlabel="times what two real halves differ by")
    ax.set_title("ratio to the floor")
    ax.xaxis.set_major_formatter(thousands)


def _pairs(figure: SubFigure, sets: Sets) -> None:
    """Synthetic planes, from the nearest to a real one to the farthest, each with it on its right."""
    synthetic, real = sets["synthetic"], sets["real"]
    distance, number = nearest(synthetic.measured.features, real.measured.features, real.measured.features.std(axis=0))
    order = np.argsort(distance, kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(ROWS * PAIRS, len(order))).round().astype(int)]
    grid = figure.subplots(ROWS, 3 * PAIRS, squeeze=False, width_ratios=[1, 1, GAP] * PAIRS)
    for ax in grid.flat:
        ax.set_axis_off()
    for place, at in enumerate(chosen):
        white = max(1.0, float(np.quantile([synthetic.images[at], real.images[number[at]]], SHOWN)))
        row, column = divmod(place, PAIRS)
        left, right = grid[row, 3 * column], grid[row, 3 * column + 1]
        for ax, image, name in (
            (left, synthetic.images[at], "synthetic"),
            (right, real.images[number[at]], "real"),
        ):
            ax.imshow(image, cmap="gray", vmin=0, vmax=white)
            ax.set_title(name, fontsize=8, color=COLOURS[name], pad=3)
        left.set_title(f"synthetic, {distance[at]:.1f} sd", fontsize=8, color=COLOURS["synthetic"], pad=3)
    figure.suptitle(
        "synthetic tiles, from the nearest to a real one to the farthest, each with that real tile on its right\n"
        "sd: distance in standard deviations of the five features; both of a pair in the same brightness",
        fontsize=9,
        color=MUTED,
    )
