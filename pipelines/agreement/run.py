"""Agreement: how well a crowd's consensus agrees with experts, with and without them in it, and where the two part.

Inputs: a finished consensus; EXPERTS.csv (tile, x, y; and expert, where there are several; pixels). An expert looked at
the tiles that they marked, and, as one of the workers, at those that they were shown.

OUT/agreement.json   precision, recall, F1, AP at each tolerance, experts included and excluded; expert to expert
OUT/strata.csv       the same by crowding, signal to noise and tile, of the crowd without experts
OUT/experts.csv      F1 of each two experts
OUT/workers.csv      precision, recall and F1 of each worker against the experts
OUT/agreement.png    curves, strata, workers by how much they click

The consensus is made again with the experts as workers, and without them, in the same way. Thresholds are the best
on the very tiles that are scored, as the method has them.

Capacity: as `consensus`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field
from rich.console import Console
from rich.table import Table

from pipelines.agreement.figure import agreement_figure
from pipelines.agreement.inputs import Compared, read_compared
from pipelines.config import Settings
from pipelines.consensus.run import plan as consensus_plan
from pipelines.report.picture import render
from pipelines.stage import Stage
from volumetric.blocks.plan import Cost, Facts, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.crowd.agreement import (
    Points,
    against,
    expert_to_expert,
    places,
    scored_pairs,
    signal_to_noise,
    strata,
)
from volumetric.crowd.workers import clicks_per_tile, volume_group
from volumetric.detection.tileset import open_image
from volumetric.geometry.box import Box
from volumetric.points.curves import Curve, ScoredTile, curve, intervals
from volumetric.storage.atomic import replacing, write_json
from volumetric.storage.provenance import files_identity, versions
from volumetric.storage.sources.source import read
from volumetric.storage.tables import write_csv

VERSION = 1
CROWDING = (0, 1, 2, 4, 8, np.inf)
SNR = (-np.inf, 2, 4, 8, 16, np.inf)
SIDES = ("included", "excluded")
MEMORY = 600 * 2**20
"""Of a picture: an upper estimate."""


class Config(Settings):
    """How points are compared; the first tolerance is the main one."""

    tolerances_px: tuple[float, ...] = Field(default=(10.0, 5.0, 3.0), min_length=1)


@dataclass(frozen=True)
class Job:
    """An agreement, prepared; the consensus of each side is, or will be, in its folder."""

    compared: Compared
    sides: Mapping[str, Path]
    config: Config
    out: Path

    def measure(self) -> Facts:
        """Write all figures."""
        experts, main = self.compared.experts, self.config.tolerances_px[0]
        points = {side: self._points(side) for side in SIDES}
        by_tolerance = {
            tolerance: {side: _figures(scored_pairs(points[side], experts, tolerance)) for side in SIDES}
            for tolerance in self.config.tolerances_px
        }
        ceiling = {
            tolerance: _number(float(expert_to_expert(experts, tolerance)["f1"].mean()))
            for tolerance in self.config.tolerances_px
        }
        between = expert_to_expert(experts, main)
        found = points["excluded"].at(by_tolerance[main]["excluded"]["threshold"])
        table = places(found, experts, main)
        table["snr"] = self._signals(table)
        groups = pd.concat(
            [
                strata(table, "crowding", CROWDING),
                strata(table, "snr", SNR),
                *([strata(table, "tile")] if table["tile"].nunique() > 1 else []),
            ],
            ignore_index=True,
        )
        workers = self._workers(main)
        write_csv(self.out / "strata.csv", groups)
        write_csv(self.out / "experts.csv", between)
        write_csv(self.out / "workers.csv", workers)
        curves = {side: curve(scored_pairs(points[side], experts, main)) for side in SIDES}
        with replacing(self.out / "agreement.png") as temporary:
            temporary.write_bytes(render(agreement_figure(curves, ceiling[main], groups, workers), "png"))
        record = {
            "tolerance_px": main,
            "experts": {name: {"tiles": len(m), "marks": sum(map(len, m.values()))} for name, m in experts.items()},
            **by_tolerance[main],
            "expert_to_expert": ceiling[main],
            "tolerances": {
                f"{tolerance:g}px": {**figures, "expert_to_expert": ceiling[tolerance]}
                for tolerance, figures in by_tolerance.items()
            },
            "rejected": len(self.compared.rejected),
            "versions": versions(),
        }
        write_json(self.out / "agreement.json", record)
        return record

    def _points(self, side: str) -> Points:
        """Candidates by their log odds, or the maxima of the method's heatmap by their height."""
        by_clicks = self.compared.config.heatmap == "clicks"
        name, score = ("peaks.csv", "confidence") if by_clicks else ("candidates.csv", "log_odds")
        table = pd.read_csv(self.sides[side] / name, dtype={"tile": str})
        own = {str(tile): rows for tile, rows in table.groupby("tile")}
        none = table.iloc[:0]
        rows = {tile: own.get(tile, none) for tile in self.compared.inputs.crowd.tiles}
        return Points(
            {tile: one[["y", "x"]].to_numpy(dtype=np.float64) for tile, one in rows.items()},
            {tile: one[score].to_numpy(dtype=np.float64) for tile, one in rows.items()},
        )

    def _signals(self, table: pd.DataFrame) -> pd.Series:
        signals = pd.Series(np.nan, index=table.index)
        for tile, rows in table.groupby("tile"):
            source = open_image(self.compared.inputs.images[str(tile)])
            image = read(source, Box.of_shape(source.shape))[0]
            signals[rows.index] = signal_to_noise(image, rows[["y", "x"]].to_numpy(dtype=np.float64))
        return signals

    def _workers(self, tolerance_px: float) -> pd.DataFrame:
        """Each worker against all experts, on the tiles that both looked at."""
        crowd = self.compared.without_experts().crowd
        clicks: dict[int, dict[str, Any]] = {number: {} for number in range(len(crowd.workers))}
        for tile in crowd:
            once = tile.without_repeats(self.compared.config.double_click_px)
            for viewer in once.viewers.tolist():
                clicks[viewer][tile.tile] = once.yx[once.worker == viewer]
        rows = []
        for number, name in enumerate(crowd.workers):
            each = [against(clicks[number], marks, tolerance_px) for marks in self.compared.experts.values()]
            mean = pd.DataFrame(each).mean()
            rows.append({"worker": name, **mean.to_dict()})
        table = pd.DataFrame(rows, columns=["worker", "precision", "recall", "f1"])
        return table.assign(volume_group=volume_group(clicks_per_tile(crowd)))


def _figures(tiles: list[ScoredTile]) -> dict[str, float]:
    """Figures at the best threshold of these tiles, with 95% intervals over tiles."""
    one = curve(tiles)
    best = one.best_threshold

    def at_best(drawn: Curve) -> dict[str, float]:
        return {"f1": drawn.at(best)["f1"], "ap": drawn.average_precision}

    ends = intervals(tiles, at_best)
    own = one.at(best)
    return {
        **{name: own[name] for name in ("precision", "recall", "f1")},
        "f1_low": ends["f1"][0],
        "f1_high": ends["f1"][1],
        "ap": one.average_precision,
        "ap_low": ends["ap"][0],
        "ap_high": ends["ap"][1],
        "threshold": best,
    }


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def prepare(consensus: Path, experts: Path, out: Path, config: Config) -> list[Stage]:
    """The stages of an agreement: the consensus with and without the experts, and the comparison."""
    compared = read_compared(consensus, experts)
    whole = compared.config.model_copy(update={"pictures": 0})
    given = {"experts": experts, "consensus": consensus / "consensus.json"}
    work = out / ".work"
    sides = {"included": compared.with_experts(), "excluded": compared.without_experts()}
    stages = [
        Stage(consensus_plan(inputs, given, work / side, work / side / "work", whole), work / side / "work")
        for side, inputs in sides.items()
    ]
    job = Job(compared, {side: work / side for side in SIDES}, config, out)
    own = Plan(
        stage="agreement",
        version=VERSION,
        config=config.model_dump(mode="json"),
        inputs={
            **{name: files_identity([path]) for name, path in given.items()},
            "sides": [stage.plan.identity for stage in stages],
        },
        passes=(Reduction("measure", job.measure, Cost(0, 2**22, MEMORY)),),
        outputs=tuple(out / f"{name}" for name in ("agreement.json", "strata.csv", "workers.csv", "agreement.png")),
    )
    return [*stages, Stage(own, work / "agreement")]


def print_summary(out: Path, stages: list[Stage], console: Console) -> None:
    """Say how well the crowd does."""
    record = stages[-1].ledger.facts()["measure"]
    say = partial(console.print, highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("within", "experts", "precision", "recall", "F1", "AP", "threshold"):
        table.add_column(column, justify="left" if column in ("within", "experts") else "right")
    for tolerance, figures in record["tolerances"].items():
        for side in SIDES:
            one = figures[side]
            shown = (f"{one[name]:.3f}" for name in ("precision", "recall", "f1", "ap", "threshold"))
            table.add_row(tolerance, side, *shown)
        if figures["expert_to_expert"] is not None:
            table.add_row(tolerance, "to each other", "", "", f"{figures['expert_to_expert']:.3f}", "", "")
    console.print(table)
    if record["rejected"]:
        say(f"[bold red]warning:[/] {record['rejected']} of the experts' marks make no sense and were left out")
    say(f"figures: {out / 'agreement.json'}, {out / 'strata.csv'}; look at {out / 'agreement.png'}")
