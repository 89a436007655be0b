"""How the loss fell: a table for each network, one picture for a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from volumetric.storage.tables import write_csv

KEEP_EVERY = 100
SMOOTH_STEPS = 50


@dataclass
class LossLog:
    """Losses by step, kept in a file with which a resumed training goes on."""

    path: Path
    steps: int
    losses: list[float] = field(default_factory=list)

    def add(self, step: int, loss: float) -> None:
        """Enter the loss of a step; after an interruption, of the step with which it goes on."""
        if step != len(self.losses):
            self.losses = self._kept()[:step]
        self.losses.append(loss)
        if (step + 1) % KEEP_EVERY == 0 or step + 1 == self.steps:
            write_csv(self.path, pd.DataFrame({"loss": self.losses}))

    @property
    def last(self) -> float:
        """Mean of the last tenth; NaN before the first step."""
        losses = self.losses or self._kept()
        return float(np.mean(losses[-max(1, self.steps // 10) :])) if losses else float("nan")

    def _kept(self) -> list[float]:
        return pd.read_csv(self.path)["loss"].tolist() if self.path.is_file() else []


def learning_figure(tables: Mapping[str, Path]) -> Figure:
    """Loss over steps of some networks by name, a running mean."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for name, path in tables.items():
        loss = pd.read_csv(path)["loss"]
        smooth = loss.rolling(SMOOTH_STEPS, min_periods=1).mean()
        axes.plot(np.arange(1, len(loss) + 1), smooth, label=name)
    axes.set(xlabel="step", ylabel=f"loss, mean of {SMOOTH_STEPS} steps", yscale="log")
    axes.legend()
    return figure
