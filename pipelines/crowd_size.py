"""Crowd size: how many people must see each tile? Told by crowds that are made up, on cells that are known.

Inputs: how many cells a tile has, how large it is. Workers are such as those of a real paid crowd, and so is what they
see (`volumetric.crowd.simulate`).

OUT/crowd-size.csv   one row a number of workers and draw: AP, F1 and what is expected
OUT/crowd-size.png   F1 by number of workers

    simulate   one task for each number of workers and draw: clicks, candidates, skill, score
    publish    one step

Capacity: the clicks of one crowd for each worker process.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field
from rich.console import Console
from rich.table import Table

from pipelines.config import Settings
from pipelines.consensus.config import Config as ConsensusConfig
from pipelines.report.picture import ACCENT, MUTED, plain_axes, render
from volumetric.blocks.batches import Batches
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Cost, Facts, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.crowd.candidates import candidates
from volumetric.crowd.clicks import checked
from volumetric.crowd.density import scatter_of
from volumetric.crowd.simulate import simulate, usual_scene, usual_workers
from volumetric.crowd.workers import answers_of
from volumetric.points.curves import curve, score_tile
from volumetric.storage.atomic import replacing
from volumetric.storage.tables import read_table, write_csv, write_table

VERSION = 1
ENOUGH = 0.01
"""F1 that more workers must bring to be worth asking."""

BYTES_PER_CLICK = 3000
FIGURES = ("ap", "f1", "f1_at_half", "expected")


class Config(Settings):
    """What crowds are made up of."""

    cells: int = Field(default=60, ge=1)
    size: int = Field(default=500, ge=50)
    tiles: int = Field(default=8, ge=1)
    workers: tuple[int, ...] = Field(default=(3, 5, 10, 15, 20, 30), min_length=1)
    draws: int = Field(default=5, ge=1)
    tolerance_px: float = Field(default=5.0, gt=0)
    seed: int = Field(default=1, ge=0)
    consensus: ConsensusConfig = Field(default_factory=ConsensusConfig)


@dataclass(frozen=True)
class Job:
    """A study of crowds, prepared."""

    config: Config
    out: Path
    work: Path

    @property
    def crowds(self) -> list[tuple[int, int]]:
        """Number of workers and draw of each."""
        return [(count, draw) for count in self.config.workers for draw in range(self.config.draws)]

    def simulate(self, numbers: range) -> Facts:
        """Make crowds up and score what they agree on."""
        for number in numbers:
            count, draw = self.crowds[number]
            write_table(self._part(number), pd.DataFrame([self._scored(count, draw)]))
        return {}

    def publish(self) -> Facts:
        """Write the table and the picture."""
        table = pd.concat([read_table(self._part(number)) for number in range(len(self.crowds))], ignore_index=True)
        write_csv(self.out / "crowd-size.csv", table)
        with replacing(self.out / "crowd-size.png") as temporary:
            temporary.write_bytes(render(_figure(table), "png"))
        means = table.groupby("workers")[list(FIGURES)].mean().reset_index()
        return {"rows": means.to_dict(orient="records"), "cells": self.config.cells * self.config.tiles}

    def _scored(self, count: int, draw: int) -> dict[str, float]:
        config = self.config
        rng = np.random.default_rng([config.seed, count, draw])
        scene = usual_scene(config.tiles, config.cells, config.size, rng)
        clicks, shown = simulate(
            scene.looks,
            scene.shapes,
            usual_workers(count, rng),
            visibility=scene.visibility,
            seed=int(rng.integers(2**31)),
        )
        crowd, _ = checked(clicks, shown, scene.shapes)
        consensus = config.consensus.whole(False, crowd.viewers)
        tiles = [tile.without_repeats(consensus.double_click_px) for tile in crowd]
        maker = consensus.maker(consensus.scatter_px or scatter_of(tiles))
        found = [candidates(tile, maker) for tile in tiles]
        answers, tile = answers_of(found, len(crowd.workers))
        estimate, _ = consensus.skill(answers)
        scored = [
            score_tile(scene.cells[one.tile.tile], one.yx, estimate.log_odds[tile == number], config.tolerance_px)
            for number, one in enumerate(found)
        ]
        whole = curve(scored)
        return {
            "workers": count,
            "draw": draw,
            "ap": whole.average_precision,
            "f1": float(whole.f1.max(initial=0.0)),
            "f1_at_half": whole.at(0.0)["f1"],
            "expected": float(estimate.cell.sum()),
        }

    def _part(self, number: int) -> Path:
        return self.work / "crowds" / f"{number:05d}.parquet"


def _figure(table: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for column, colour, name in (("f1", MUTED, "best F1"), ("f1_at_half", ACCENT, "F1 of what is more likely a cell")):
        mean = table.groupby("workers")[column].mean()
        axes.plot(mean.index, mean, color=colour, marker="o", markersize=4, label=f"{name}; crosses: each crowd")
        axes.plot(table["workers"], table[column], "x", color=colour, markersize=4, alpha=0.6)
    axes.set(xlabel="workers who see a tile", ylabel="F1", ylim=(0, 1))
    axes.legend(frameon=False)
    plain_axes(axes)
    return figure


def plan(out: Path, work: Path, config: Config) -> Plan:
    """The work of a study."""
    job = Job(config, out, work)
    memory = BYTES_PER_CLICK * max(config.workers) * config.tiles * (config.cells + 100)
    return Plan(
        stage="crowd-size",
        version=VERSION,
        config=config.model_dump(mode="json"),
        inputs={},
        passes=(
            Batches("simulate", len(job.crowds), 1, job.simulate, Cost(0, 2**12, memory)),
            Reduction("publish", job.publish, Cost(0, 2**20, 400 * 2**20)),
        ),
        outputs=(out / "crowd-size.csv", out / "crowd-size.png"),
    )


def print_summary(out: Path, ledger: Ledger, console: Console) -> None:
    """Say how many workers are enough."""
    facts: dict[str, Any] = dict(ledger.facts()["publish"])
    say = partial(console.print, highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("workers", "AP", "best F1", "F1 at 1/2", f"expected of {facts['cells']:,} cells"):
        table.add_column(column, justify="right")
    for row in facts["rows"]:
        figures = (f"{row[name]:.3f}" for name in FIGURES[:3])
        table.add_row(str(row["workers"]), *figures, f"{row['expected']:,.0f}")
    console.print(table)
    rows = facts["rows"]
    best = max(row["f1_at_half"] for row in rows)
    enough = next(row["workers"] for row in rows if row["f1_at_half"] >= best - ENOUGH)
    if enough < rows[-1]["workers"]:
        say(f"{enough} workers a tile do as well as more: these bring no {ENOUGH:g} of F1 at 1/2")
    elif len(rows) > 1:
        say(f"F1 at 1/2 still rises at {enough} workers a tile: try more with --people")
    say("F1 at 1/2 is of what is more likely a cell than not; the best F1 takes a threshold that only truth can tell")
    say(f"look at {out / 'crowd-size.png'}")
