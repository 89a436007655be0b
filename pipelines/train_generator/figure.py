"""Pictures of a training: what is made beside what is real, and how distance and penalty went."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from pipelines.report.picture import ACCENT, MUTED, plain_axes

ACROSS = 6
SMOOTH_STEPS = 50


def grid_figure(made: npt.NDArray[np.float32], real: npt.NDArray[np.float32], step: int) -> Figure:
    """Planes (n, Y, X) 0 to 1, made ones above real ones, all in one brightness."""
    rows = -(-len(made) // ACROSS)
    figure = Figure(figsize=(1.5 * ACROSS, 3 * rows + 0.6), layout="constrained")
    halves = figure.subfigures(2, 1, squeeze=False)[:, 0]
    for half, planes, name in zip(halves, (made, real), (f"made at step {step:,}", "real"), strict=True):
        half.suptitle(name, fontsize=10)
        for axes, plane in zip(half.subplots(rows, ACROSS, squeeze=False).ravel(), planes, strict=False):
            axes.imshow(plane, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        for axes in half.axes:
            axes.set_axis_off()
    return figure


def curves_figure(log: pd.DataFrame) -> Figure:
    """Estimated distance of made from real planes, and the gradient penalty, over the steps."""
    figure = Figure(figsize=(7, 5), layout="constrained")
    for axes, column, title in zip(
        figure.subplots(2, 1, sharex=True),
        ("distance", "penalty"),
        ("Wasserstein distance, as the critic sees it", "gradient penalty: mean of (|gradient| - 1)²"),
        strict=True,
    ):
        steps = np.arange(1, len(log) + 1)
        axes.plot(steps, log[column], color=MUTED, linewidth=0.3, alpha=0.5)
        axes.plot(steps, log[column].rolling(SMOOTH_STEPS, min_periods=1).mean(), color=ACCENT)
        axes.set_title(title, fontsize=10, loc="left")
        plain_axes(axes)
        if column == "penalty":
            axes.set_yscale("log")
            axes.set_xlabel(f"step; the line is the mean of {SMOOTH_STEPS} steps")
    return figure
