"""Calibrate: a detector's threshold and probabilities adapted to a new brain, from a few of its tiles.

Inputs: a checkpoint, a folder of tiles of the new brain, their cells beside them or in another folder.
Output: the checkpoint with the same network, its threshold and calibration moved (`volumetric.detection.calibrate`).

It is also told how many tiles were enough: each number of them is tried on the others.

Capacity: all tiles in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field
from rich.console import Console
from rich.table import Table

from pipelines.config import Settings
from pipelines.scored import find, found_in, with_cells
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Cost, Facts, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.detection.calibrate import adapted
from volumetric.detection.evaluate import Scored, Tolerance
from volumetric.detection.model import Detector, load_detector, save_adapted
from volumetric.detection.tileset import Tile, read_tiles
from volumetric.errors import InputError
from volumetric.geometry.space import Um3
from volumetric.learn.device import choose_device
from volumetric.points.curves import ScoredTile, curve
from volumetric.storage.provenance import folder_identity

VERSION = 1
DRAWS = 20
ENOUGH = 0.01
"""F1 from which more tiles are not worth the work."""

TILE_BYTES = 600 * 2**20
"""Of a tile's feature maps: an upper estimate."""


class Config(Settings):
    """How tiles are compared."""

    tolerance: str = "8um"
    seed: int = Field(default=1, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass(frozen=True)
class Job:
    """A calibration, prepared."""

    model: Path | None
    tiles: tuple[Tile, ...]
    config: Config
    out: Path
    work: Path

    @property
    def detector(self) -> Detector:
        """The network, loaded once a process."""
        return load_detector(self.model, choose_device(self.config.device))

    @property
    def table(self) -> Path:
        return self.work / "candidates.parquet"

    def detect(self) -> Facts:
        """Find the candidates of all tiles."""
        find(self.tiles, self.detector, self.table)
        return {}

    def publish(self) -> Facts:
        """Adapt, and write the checkpoint."""
        detector = self.detector
        found = found_in(self.tiles, self.table, detector.settings)
        tiles = Scored(self.tiles, found, Tolerance.parse(self.config.tolerance)).scored
        settings = adapted(detector.settings, tiles)
        facts = {
            "tiles": [tile.name for tile in self.tiles],
            "cells": sum(tile.n_truth for tile in tiles),
            "threshold_before": detector.settings.threshold,
            "threshold": settings.threshold,
            "f1_before": curve(tiles).at(detector.settings.threshold)["f1"],
            "f1": curve(tiles).at(settings.threshold)["f1"],
            "by_number": self._by_number(tiles),
        }
        facts["sha256"] = save_adapted(self.out, detector, settings, self.model, facts)
        return facts

    def _by_number(self, tiles: list[ScoredTile]) -> list[dict[str, float]]:
        """F1 of the other tiles, adapted with some; means over draws."""
        rng, before = np.random.default_rng(self.config.seed), self.detector.settings
        rows = []
        for number in range(1, len(tiles)):
            figures = []
            for _ in range(DRAWS):
                order = rng.permutation(len(tiles))
                some, others = [tiles[i] for i in order[:number]], [tiles[i] for i in order[number:]]
                if any(tile.hit.any() for tile in some) and any(tile.n_truth for tile in others):
                    rest = curve(others)
                    figures.append([rest.at(s.threshold)["f1"] for s in (before, adapted(before, some))])
            if figures:
                mean = np.mean(figures, axis=0)
                rows.append({"tiles": number, "f1_before": float(mean[0]), "f1": float(mean[1])})
        return rows


def plan(
    model: Path | None,
    folder: Path,
    out: Path,
    work: Path,
    config: Config,
    *,
    voxel_um: Um3 | None = None,
    truth: Path | None = None,
) -> Plan:
    """The work of a calibration; raises `InputError` for tiles that cannot be used."""
    if out.suffix != ".safetensors":
        raise InputError(f"a checkpoint is a .safetensors file, got {out}")
    tiles = tuple(with_cells(tile) for tile in read_tiles(folder, voxel_um, truth))
    job = Job(model, tiles, config, out, work)
    Tolerance.parse(config.tolerance)
    return Plan(
        stage="calibrate",
        version=VERSION,
        config=config.model_dump(mode="json", exclude={"device"}),
        inputs={
            "model": job.detector.sha256,
            "tiles": [folder_identity(path) for path in (folder, truth) if path],
            "voxel_um": voxel_um,
        },
        passes=(
            Reduction("detect", job.detect, Cost(0, 2**20, TILE_BYTES)),
            Reduction("publish", job.publish, Cost(0, 2**24, TILE_BYTES)),
        ),
        outputs=(out,),
        held_bytes=8 * sum(tile.image.size for tile in tiles),
    )


def print_summary(out: Path, ledger: Ledger, console: Console) -> None:
    """Say what changed, and how many tiles are enough."""
    facts = ledger.facts()["publish"]
    rows = facts["by_number"]
    if rows:
        table = Table(
            box=None, pad_edge=False, header_style="bold", title="F1 of the other tiles", title_justify="left"
        )
        for column in ("tiles labelled", "as it was", "adapted"):
            table.add_column(column, justify="right")
        for row in rows:
            table.add_row(str(row["tiles"]), f"{row['f1_before']:.3f}", f"{row['f1']:.3f}")
        console.print(table)
        best = max(row["f1"] for row in rows)
        enough = next(row["tiles"] for row in rows if row["f1"] >= best - ENOUGH)
        console.print(f"{enough} labelled tile{'s' * (enough != 1)} would have been enough", highlight=False)
    console.print(
        f"[bold]{out}[/]: threshold {facts['threshold']:.3f} (was {facts['threshold_before']:.3f}), "
        f"from {facts['cells']:,} cells",
        highlight=False,
        soft_wrap=True,
    )
