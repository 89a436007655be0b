"""How the loss fell, and what checks said: tables for each network, one picture for a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from volumetric.learn.loop import Check
from volumetric.storage.tables import write_csv

SMOOTH_STEPS = 50


def write_checks(path: Path, checks: Sequence[Check]) -> None:
    """A table of checks: step, average_precision."""
    write_csv(path, pd.DataFrame([(c.step, c.figure) for c in checks], columns=["step", "average_precision"]))


def best_check(path: Path) -> Check:
    """The first of the best checks in a table."""
    table = pd.read_csv(path)
    best = int(table["average_precision"].argmax())
    return Check(int(table["step"].iloc[best]), float(table["average_precision"].iloc[best]))


def learning_figure(losses: Mapping[str, Path], checks: Mapping[str, Path]) -> Figure:
    """Loss over steps of some networks by name, a running mean; below, the checks of those that had any."""
    figure = Figure(figsize=(7, 7 if checks else 4), layout="constrained")
    axes = figure.subplots(2 if checks else 1, 1, sharex=True, squeeze=False)[:, 0]
    colours = {}
    for name, path in losses.items():
        loss = pd.read_csv(path)["loss"]
        smooth = loss.rolling(SMOOTH_STEPS, min_periods=1).mean()
        colours[name] = axes[0].plot(np.arange(1, len(loss) + 1), smooth, label=name)[0].get_color()
    axes[0].set(ylabel=f"loss, mean of {SMOOTH_STEPS} steps", yscale="log")
    axes[0].legend()
    for name, path in checks.items():
        table, best = pd.read_csv(path), best_check(path)
        axes[1].plot(table["step"], table["average_precision"], ".-", color=colours[name])
        axes[1].plot(best.step, best.figure, "o", color=colours[name])
        axes[1].set(ylabel="average precision on what is left out")
    axes[-1].set(xlabel="step")
    return figure
