"""Evaluate: how good a detector is on tiles whose cells are known.

Inputs: a checkpoint, a folder of tiles (`volumetric.detection.tileset`), another may choose the threshold.

OUT/metrics.json           precision, recall, F1, AP with intervals at each tolerance; ECE, Brier, Spearman
OUT/candidates.parquet     all that may be a cell: tile, z_um, y_um, x_um, score
OUT/curve.csv              precision, recall and false points a tile at every threshold
OUT/counts.csv             true and expected number of each tile with its interval, from a calibrated detector
OUT/sweep.csv              F1 by the least confidence of the truth and the threshold
OUT/evaluation.png         the curves, reliability, recall by confidence, distances

Capacity: all tiles in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field
from rich.console import Console
from rich.table import Table

from pipelines.config import Settings
from pipelines.evaluate.figures import evaluation_figure
from pipelines.report.picture import render
from pipelines.scored import find, found_in, with_cells
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Cost, Facts, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.detection.evaluate import Scored, Tolerance, interval_figures
from volumetric.detection.model import Detector, load_detector
from volumetric.detection.tileset import Tile, read_tiles
from volumetric.errors import InputError
from volumetric.geometry.space import Um3
from volumetric.learn.device import choose_device
from volumetric.storage.atomic import replacing, write_json
from volumetric.storage.provenance import folder_identity, versions
from volumetric.storage.tables import write_csv

VERSION = 2
FIGURES_BYTES = 600 * 2**20
"""Of a tile's feature maps, or a picture: an upper estimate."""


class Config(Settings):
    """What is measured."""

    tolerances: tuple[str, ...] = Field(default=("3px", "5px", "7px"), min_length=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass(frozen=True)
class Job:
    """An evaluation, prepared."""

    model: Path | None
    tiles: tuple[Tile, ...]
    validation: tuple[Tile, ...]
    config: Config
    out: Path
    work: Path
    split: str = field(default="")

    @property
    def detector(self) -> Detector:
        """The network, loaded once a process."""
        return load_detector(self.model, choose_device(self.config.device))

    @cached_property
    def tolerances(self) -> tuple[Tolerance, ...]:
        """As they are written, in order."""
        return tuple(Tolerance.parse(text) for text in self.config.tolerances)

    def detect(self) -> Facts:
        """Find the candidates of all tiles."""
        self.out.mkdir(parents=True, exist_ok=True)
        find(self.tiles, self.detector, self.out / "candidates.parquet")
        if self.validation:
            find(self.validation, self.detector, self.work / "validation.parquet")
        return {}

    def scored(self, tolerance: Tolerance) -> Scored:
        """The tiles compared with what was found."""
        found = found_in(self.tiles, self.out / "candidates.parquet", self.detector.settings)
        return Scored(self.tiles, found, tolerance)

    def threshold(self, tolerance: Tolerance) -> float:
        """The best of the validation tiles, or the checkpoint's."""
        if not self.validation:
            return self.detector.settings.threshold
        found = found_in(self.validation, self.work / "validation.parquet", self.detector.settings)
        return Scored(self.validation, found, tolerance).curve.best_threshold

    def measure(self) -> Facts:
        """Write all figures."""
        main = self.tolerances[len(self.tolerances) // 2]
        scored, threshold = self.scored(main), self.threshold(main)
        judged = scored.reliability(threshold)
        pairs = scored.pairs(threshold)
        metrics = {
            "split": self.split,
            "n_tiles": len(self.tiles),
            "n_truth": sum(len(tile.cells_um) for tile in self.tiles),
            "stride_px": self.detector.settings.stride,
            "tolerances": {str(t): self.scored(t).figures(self.threshold(t)) for t in self.tolerances},
            "main_tolerance": str(main),
            "ece": None,
            "brier": None,
            "brier_skill": None,
            **(judged[1] if judged else {}),
            "counts": self.counts(scored),
            "spearman": _number(scored.rank_correlation(threshold)),
            "median_distance_um": _number(float(pairs["distance_um"].median())),
            "brains": {brain: Scored(*_of_brain(scored, brain), main).figures(threshold) for brain in scored.brains},
            "model": self.detector.sha256,
            "versions": versions(),
        }
        curve = scored.curve
        write_csv(self.out / "curve.csv", pd.DataFrame({**vars(curve), "f1": curve.f1}))
        sweep = scored.sweep()
        write_csv(self.out / "sweep.csv", sweep)
        figure = evaluation_figure(scored, threshold, judged[0] if judged else None, sweep)
        with replacing(self.out / "evaluation.png") as temporary:
            temporary.write_bytes(render(figure, "png"))
        write_json(self.out / "metrics.json", metrics)
        return metrics

    def counts(self, scored: Scored) -> dict[str, float] | None:
        """How honest the expected numbers are; None from a detector that has none, or with another threshold."""
        model = self.detector.settings.counts
        table = scored.counts(self.detector.settings.threshold, model) if model and not self.validation else None
        if table is None:
            return None
        write_csv(self.out / "counts.csv", table)
        return interval_figures(table)


def plan(
    model: Path | None,
    folder: Path,
    out: Path,
    work: Path,
    config: Config,
    *,
    voxel_um: Um3 | None = None,
    truth: Path | None = None,
    validation: Path | None = None,
) -> Plan:
    """The work of an evaluation; raises `InputError` for tiles that cannot be used."""
    tiles = tuple(with_cells(tile) for tile in read_tiles(folder, voxel_um, truth))
    chosen_on = tuple(with_cells(tile) for tile in read_tiles(validation, voxel_um)) if validation else ()
    shared = {tile.brain for tile in tiles} & {tile.brain for tile in chosen_on}
    if shared:
        raise InputError(f"the threshold must not be chosen on brains that are scored: {', '.join(sorted(shared))}")
    split = f"test: {folder.name}; threshold: {validation.name if validation else 'of the checkpoint'}"
    job = Job(model, tiles, chosen_on, config, out, work, split)
    _ = job.tolerances
    voxels = sum(tile.image.size for tile in (*tiles, *chosen_on))
    return Plan(
        stage="evaluate",
        version=VERSION,
        config=config.model_dump(mode="json", exclude={"device"}),
        inputs={
            "model": job.detector.sha256,
            "tiles": [folder_identity(path) for path in (folder, truth, validation) if path],
            "voxel_um": voxel_um,
        },
        passes=(
            Reduction("detect", job.detect, Cost(0, 2**20, FIGURES_BYTES)),
            Reduction("measure", job.measure, Cost(0, 2**20, FIGURES_BYTES)),
        ),
        outputs=(out / "metrics.json", out / "evaluation.png"),
        held_bytes=8 * voxels,
    )


def print_summary(out: Path, ledger: Ledger, console: Console) -> None:
    """Say how good it is."""
    metrics = ledger.facts()["measure"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("tolerance", "precision", "recall", "F1", "95%", "AP", "95%", "mean of brains: F1", "AP"):
        table.add_column(column, justify="right")
    for name, one in metrics["tolerances"].items():
        table.add_row(
            name,
            *(f"{one[key]:.3f}" for key in ("precision", "recall", "f1")),
            f"{one['f1_low']:.2f}-{one['f1_high']:.2f}",
            f"{one['ap']:.3f}",
            f"{one['ap_low']:.2f}-{one['ap_high']:.2f}",
            f"{one['f1_macro']:.3f}",
            f"{one['ap_macro']:.3f}",
        )
    console.print(table)
    console.print(f"{metrics['n_truth']:,} cells in {metrics['n_tiles']} tiles; {metrics['split']}", highlight=False)
    if metrics["ece"] is not None:
        console.print(
            f"probabilities: expected calibration error {metrics['ece']:.3f}, Brier skill {metrics['brier_skill']:.2f}",
            highlight=False,
        )
    if metrics["counts"]:
        console.print(
            f"expected numbers: the 95% interval holds the true one in {metrics['counts']['covered']:.0%} of tiles; "
            f"its median width is {metrics['counts']['median_width']:.0%} of the number",
            highlight=False,
        )
    console.print(f"pictures: {out / 'evaluation.png'}", highlight=False, soft_wrap=True)


def _of_brain(scored: Scored, brain: str) -> tuple[list[Tile], list[Any]]:
    own = [(tile, found) for tile, found in zip(scored.tiles, scored.found, strict=True) if tile.brain == brain]
    return [tile for tile, _ in own], [found for _, found in own]


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return value if value == value else None  # noqa: PLR0124
