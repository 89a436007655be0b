"""A consensus, prepared: its settings, its crowd, and each step of the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from pipelines.consensus.config import Config
from pipelines.consensus.inputs import Inputs
from pipelines.consensus.pictures import steps_figure, workers_figure
from pipelines.consensus.tables import CANDIDATE_COLUMNS, candidate_rows, worker_rows
from pipelines.report.picture import render
from volumetric.blocks.plan import Facts
from volumetric.crowd.candidates import Candidates, candidates, from_members
from volumetric.crowd.clicks import TileClicks
from volumetric.crowd.consensus import clicks_heatmap, posterior_heatmap
from volumetric.crowd.density import scatter_of
from volumetric.crowd.skill import with_items
from volumetric.crowd.workers import answers_of, intervals
from volumetric.detection.tileset import HEATMAP, open_image
from volumetric.geometry.box import Box
from volumetric.imaging.maxima import local_maxima
from volumetric.storage.atomic import read_json, replacing, write_json
from volumetric.storage.heatmaps import HeatmapStore
from volumetric.storage.sources.source import read
from volumetric.storage.tables import read_table, write_csv, write_table
from volumetric.storage.tiff import write_tiff

Floats = npt.NDArray[np.float64]

SCATTER_TILES = 200
"""Evenly among all, from which the scatter of clicks is told."""

LEAST_PEAK = 0.05
"""Of a heatmap: lower ones are nobody's cell (the method's least peak)."""

BATCH = 20
"""Tiles a task."""

NEAR_PX = 1
"""Around a candidate's pixel, where its confidence is read off the heatmap."""


@dataclass(frozen=True)
class Job:
    """A consensus, prepared; `config` is whole."""

    inputs: Inputs
    config: Config
    out: Path
    work: Path

    def scatter(self) -> Facts:
        """Tell how far clicks on one cell scatter."""
        count = len(self.inputs.crowd.tiles)
        chosen = np.unique(np.linspace(0, count - 1, min(count, SCATTER_TILES)).astype(np.int64)).tolist()
        found = self.config.scatter_px or scatter_of(self._tile(number) for number in chosen)
        write_json(self.work / "scatter.json", {"scatter_px": found})
        return {"scatter_px": found}

    def form(self, numbers: range) -> Facts:
        """Put the clicks of some tiles into candidates."""
        maker = self.config.maker(read_json(self.work / "scatter.json")["scatter_px"])
        parts = [
            pd.DataFrame({"tile": number, "member": candidates(self._tile(number), maker).member}) for number in numbers
        ]
        write_table(self._part("members", numbers), pd.concat(parts, ignore_index=True))
        return {}

    def skill(self, batches: Sequence[range]) -> Facts:
        """Tell the workers' skill and what is true."""
        crowd, config = self.inputs.crowd, self.config
        found = [one for numbers in batches for one in self._formed(numbers)]
        answers, tile = answers_of(found, len(crowd.workers))
        asked, asked_tile = answers, tile
        if config.qc_only:
            among = np.isin(tile, [crowd.tiles.index(name) for name in self.inputs.quality_control])
            asked, asked_tile = answers.of_items(among), tile[among]
        estimate, starts = config.skill(asked)
        number = np.unique(asked_tile, return_inverse=True)[1].astype(np.int64)
        ends = intervals(asked, number, estimate, resamples=config.resamples, seed=config.seed)
        whole = with_items(estimate, answers) if config.qc_only else estimate
        workers = worker_rows(self.inputs, found, whole, ends)
        self.heatmaps.create()
        write_csv(self.out / "workers.csv", workers)
        write_table(self.work / "candidates.parquet", candidate_rows(found, whole))
        told = workers[~workers["excluded"]]
        return {
            "prior": 1 - float(estimate.classes[0]),
            "starts": [round(value, 6) for value in starts],
            "best": max(starts),
            "steps": estimate.steps,
            "converged": estimate.converged,
            "switched": estimate.switched if len(crowd.workers) else False,
            "capped": int(told["weight_capped"].sum()),
            "doubtful": {
                str(reason): names.tolist() for reason, names in told[told["reason"] != ""].groupby("reason")["worker"]
            },
        }

    def draw(self, numbers: range) -> Facts:
        """Write the heatmaps of some tiles, and what is read off them."""
        peaks, confident = [], []
        for found in self._formed(numbers):
            posterior = self._posterior(found)
            heatmap = self._heatmap(found, posterior)
            self.heatmaps.write(found.tile.tile, heatmap)
            write_tiff(self.out / "truth" / f"{found.tile.tile}{HEATMAP}.tif", heatmap)
            confident.append(_highest_near(heatmap, found.yx))
            at = local_maxima(heatmap, LEAST_PEAK)
            peaks.append(
                pd.DataFrame(
                    {"tile": found.tile.tile, "x": at[:, 1], "y": at[:, 0], "confidence": heatmap[tuple(at.T)]}
                )
            )
        write_table(self._part("peaks", numbers), pd.concat(peaks, ignore_index=True))
        write_table(self._part("confidence", numbers), pd.DataFrame({"confidence": np.concatenate(confident)}))
        return {}

    def publish(self, batches: Sequence[range]) -> Facts:
        """Write the tables that come from all tiles, and the pictures."""
        table = read_table(self.work / "candidates.parquet")
        table["confidence"] = pd.concat([read_table(self._part("confidence", numbers)) for numbers in batches])[
            "confidence"
        ].to_numpy()
        write_csv(self.out / "candidates.csv", table[list(CANDIDATE_COLUMNS)])
        peaks = pd.concat([read_table(self._part("peaks", numbers)) for numbers in batches], ignore_index=True)
        write_csv(self.out / "peaks.csv", peaks)
        write_csv(self.out / "rejected.csv", self.inputs.rejected)
        workers = pd.read_csv(self.out / "workers.csv", dtype={"worker": str})
        self._picture(self.out / "workers.png", workers_figure(workers))
        for number in self._shown_in_pictures(table):
            self._picture(self.out / "steps" / f"{self.inputs.crowd.tiles[number]}.png", self._steps(number))
        return {
            "candidates": len(table),
            "cells": int((table["posterior"] >= 0.5).sum()),
            "expected": float(table["posterior"].sum()),
            "peaks": len(peaks),
        }

    @cached_property
    def heatmaps(self) -> HeatmapStore:
        """Where they are written."""
        return HeatmapStore(self.out / "heatmaps")

    def _heatmap(self, found: Candidates, posterior: Floats) -> npt.NDArray[np.float32]:
        if self.config.heatmap == "clicks":
            return clicks_heatmap(self.inputs.crowd.of_tile(self._number[found.tile.tile]), self._weight).astype(
                np.float32
            )
        return posterior_heatmap(found, posterior).astype(np.float32)

    @cached_property
    def _number(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.inputs.crowd.tiles)}

    @cached_property
    def _weight(self) -> Floats:
        """Of a click, by number of the worker."""
        told = pd.read_csv(self.out / "workers.csv", dtype={"worker": str}).set_index("worker")["weight_positive"]
        return told.loc[list(self.inputs.crowd.workers)].to_numpy(dtype=np.float64)

    def _posterior(self, found: Candidates) -> Floats:
        """Of the candidates of a tile."""
        return self._posteriors.get(found.tile.tile, np.empty(0))

    @cached_property
    def _posteriors(self) -> dict[str, Floats]:
        rows = read_table(self.work / "candidates.parquet", ["tile", "posterior"])
        return {str(tile): own.to_numpy(dtype=np.float64) for tile, own in rows.groupby("tile")["posterior"]}

    def _shown_in_pictures(self, table: pd.DataFrame) -> list[int]:
        """Tiles from few cells to many, evenly."""
        expected = table.groupby("tile")["posterior"].sum().sort_values(kind="stable")
        if expected.empty or not self.config.pictures:
            return []
        count = min(self.config.pictures, len(expected))
        chosen = np.linspace(0, len(expected) - 1, count).round().astype(np.int64)
        return [self._number[str(name)] for name in expected.index[chosen]]

    def _steps(self, number: int) -> Figure:
        name = self.inputs.crowd.tiles[number]
        source = open_image(self.inputs.images[name])
        image = read(source, Box.of_shape(source.shape))[0]
        found = self._formed(range(number, number + 1))[0]
        return steps_figure(image, found, self._posterior(found), self.heatmaps.read(name))

    def _picture(self, path: Path, figure: Figure) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(render(figure, "png"))

    def _tile(self, number: int) -> TileClicks:
        return self.inputs.crowd.of_tile(number).without_repeats(self.config.double_click_px)

    def _formed(self, numbers: range) -> list[Candidates]:
        """The candidates of some tiles; `numbers` is a batch, or within one."""
        first = numbers.start // BATCH * BATCH
        members = read_table(self.work / "members" / f"{first:08d}.parquet")
        own = {int(str(tile)): rows.to_numpy() for tile, rows in members.groupby("tile")["member"]}
        none = np.empty(0, dtype=np.int64)
        return [from_members(self._tile(number), own.get(number, none)) for number in numbers]

    def _part(self, name: str, numbers: range) -> Path:
        return self.work / name / f"{numbers.start:08d}.parquet"


def _highest_near(heatmap: npt.NDArray[np.float32], yx: Floats) -> Floats:
    """(n,) highest value within `NEAR_PX` of each place."""
    at = np.rint(yx).astype(np.int64)
    last = np.asarray(heatmap.shape) - 1
    steps = range(-NEAR_PX, NEAR_PX + 1)
    values = [heatmap[tuple(np.clip(at + np.array([dy, dx]), 0, last).T)] for dy in steps for dx in steps]
    return np.asarray(np.max(values, axis=0), dtype=np.float64)
