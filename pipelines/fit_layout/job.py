"""The work of `fit-layout`: each brain left out in turn, then all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipelines.config import Settings
from pipelines.fit_layout.figure import Check, Example, layout_figure
from pipelines.fit_layout.inputs import Known
from pipelines.report.picture import render
from volumetric.blocks.plan import Facts
from volumetric.storage.atomic import read_json, replacing, write_json
from volumetric.storage.provenance import versions
from volumetric.synthesis.envelopes import envelope
from volumetric.synthesis.fit_process import fit, pairs_within
from volumetric.synthesis.fitted_layout import FittedLayout, KnownTile, enough, fit_layout, write_layout
from volumetric.synthesis.layout import Layout, outline
from volumetric.synthesis.layout_check import (
    counts_of,
    drawn_counts,
    method_curves,
    process_curves,
    resampled_fits,
)
from volumetric.synthesis.marks import Marks, fit_marks
from volumetric.synthesis.method_layout import MethodLayout
from volumetric.synthesis.pair_correlation import Pattern, edges_of, pair_correlation

Floats = npt.NDArray[np.float64]

MODELS = ("fitted", "fitted counts", "with uncertainty", "method")
"""What a brain left out is compared with: the fit to the others, given the brain's own numbers of cells; the same with
numbers as it has them; the first with how well it is known; the method's sampler, given the brain's own numbers."""

RESAMPLED = 25
"""Fits to resampled tiles."""

EXAMPLES = 5
"""Tiles of each kind in the picture."""


class Config(Settings):
    """How layouts are learnt and checked."""

    every: int = Field(default=5, ge=1)
    size: int | None = Field(default=None, ge=16)
    spots_px: float | None = Field(default=None, gt=0)
    spot_levels: float = Field(default=3.0, gt=0)
    simulations: int = Field(default=299, ge=19)
    level: float = Field(default=0.95, gt=0, lt=1)
    seed: int = Field(default=1, ge=0)


@dataclass(frozen=True)
class Job:
    """A fit, prepared."""

    known: tuple[Known, ...]
    config: Config
    out: Path
    work: Path

    @property
    def brains(self) -> list[str]:
        return sorted({one.brain for one in self.known})

    @property
    def picture(self) -> Path:
        return self.out.with_suffix(".png")

    @property
    def edges(self) -> Floats:
        """Ends of the bins of distances, px."""
        return edges_of([one.tile.pattern for one in self.known])

    def without(self, brain: str) -> Facts:
        """Compare a brain's cells with a fit to the others, and with the method."""
        others = [one for one in self.known if one.brain != brain]
        own = [one.tile.pattern for one in self.known if one.brain == brain]
        reach, times, shapes = float(self.edges[-1]), self.config.simulations, [one.shape for one in own]
        observed = pair_correlation(own, self.edges)
        record: dict[str, Any] = {
            "brain": brain,
            "planes": len(own),
            "cells": sum(len(one.yx) for one in own),
            "pairs": pairs_within(own, reach),
            "models": {},
        }
        if record["pairs"] and enough([one.tile for one in others], reach):
            rng = np.random.default_rng([self.config.seed, self.brains.index(brain)])
            curves = self._curves(others, own, shapes, times, rng)
            record["observed"] = observed.tolist()
            for name, simulated in curves.items():
                found = envelope(observed, simulated, self.config.level)
                record["models"][name] = {
                    "inside": found.inside,
                    "p": found.p,
                    "low": found.low.tolist(),
                    "high": found.high.tolist(),
                }
        write_json(self._part(brain), record)
        return {}

    def publish(self) -> Facts:
        """Fit to all tiles; write the layouts and the picture."""
        tiles = [one.tile for one in self.known]
        layout = fit_layout(tiles, float(self.edges[-1]))
        tests = [read_json(self._part(brain)) for brain in self.brains] if len(self.brains) > 1 else []
        checks = [_check(one) for one in tests if one["models"]]
        with replacing(self.picture) as temporary:
            temporary.write_bytes(render(layout_figure(self.edges, checks, self._examples(layout)), "png"))
        held_out = [{**one, "models": {name: _p(m) for name, m in one["models"].items()}} for one in tests]
        made = {
            "brains": self.brains,
            "planes": len(tiles),
            "cells": sum(len(one.pattern.yx) for one in tiles),
            "measured": int(sum(np.isfinite(one.measured).all(axis=1).sum() for one in tiles)),
            "config": self.config.model_dump(mode="json"),
            "held_out": held_out,
            "versions": versions(),
        }
        write_layout(self.out, layout, made)
        return {**made, "regions": [asdict(one) for one in layout.regions]}

    def _curves(
        self,
        others: Sequence[Known],
        own: Sequence[Pattern],
        shapes: list[tuple[int, int]],
        times: int,
        rng: np.random.Generator,
    ) -> dict[str, Floats]:
        """g(r) of simulations of each of `MODELS`."""
        edges, given = self.edges, counts_of(own, times)
        reach = float(edges[-1])
        tiles = [one.tile for one in others]
        layout = fit_layout(tiles, reach)
        diameter = fit_marks(np.concatenate([one.measured for one in tiles])).diameter_px
        process = fit([one.pattern for one in tiles], reach, diameter_px=diameter)
        units = [
            [one.tile.pattern for one in others if one.unit == unit] for unit in dict.fromkeys(o.unit for o in others)
        ]
        fits = resampled_fits(units, reach, diameter, RESAMPLED, rng)
        shares = np.array_split(given, RESAMPLED)
        drawn = process_curves(process, drawn_counts(layout, shapes, times, rng), shapes, edges, rng)
        return {
            "fitted": process_curves(process, given, shapes, edges, rng),
            # A simulation without a pair shows nothing at any distance.
            "fitted counts": np.nan_to_num(drawn, nan=0.0),
            "with uncertainty": np.concatenate(
                [
                    process_curves(one, share, shapes, edges, rng)
                    for one, share in zip(fits, shares, strict=True)
                    if len(share)
                ]
            ),
            "method": method_curves(as_seen(tiles), given, shapes, edges, rng),
        }

    def _examples(self, layout: FittedLayout) -> dict[str, list[Example]]:
        """Real tiles with at least the usual number of cells, and of each sampler as many with as many cells."""
        rng = np.random.default_rng([self.config.seed, len(self.brains)])
        held = [one.tile for one in self.known if len(one.tile.pattern.yx)]
        usual = np.median([len(one.pattern.yx) for one in held])
        held = [one for one in held if len(one.pattern.yx) >= usual]  # few cells show no arrangement
        chosen = [held[k] for k in rng.choice(len(held), min(EXAMPLES, len(held)), replace=False)]
        method = as_seen([one.tile for one in self.known])
        found: dict[str, list[Example]] = {"real": [], "fitted": [], "method": []}
        for one in chosen:
            shape = one.pattern.shape
            region = layout.only(one.region).regions[0]
            found["real"].append((_real(one, region.marks, rng), shape))
            found["fitted"].append((region.of_cells(len(one.pattern.yx), shape, rng), shape))
            found["method"].append((method.of_cells(len(one.pattern.yx), shape, rng), shape))
        return found

    def _part(self, brain: str) -> Path:
        return self.work / "held-out" / f"{self.brains.index(brain):03d}.json"


def as_seen(tiles: Sequence[KnownTile]) -> MethodLayout:
    """The method's sampler with cells as large and bright as those of tiles."""
    known = np.concatenate([one.measured for one in tiles])
    known = known[np.isfinite(known).all(axis=1)]
    radius, light = known.T
    return MethodLayout(
        radius_px=(float(radius.mean()), float(radius.std()), float(radius.min()), float(radius.max())),
        light=(float(light.min()), float(light.max())),
    )


def _real(tile: KnownTile, marks: Marks, rng: np.random.Generator) -> Layout:
    """A real tile as a layout; cells that could not be measured are drawn as usual ones, odd ones less odd."""
    usual = np.exp(marks.mean)
    low, high = np.transpose([marks.radius_px, marks.light])
    measured = np.clip(np.where(np.isfinite(tile.measured), tile.measured, usual), low, high)
    outlines = tuple(outline(yx, float(r), rng) for yx, r in zip(tile.pattern.yx, measured[:, 0], strict=True))
    return Layout(tile.pattern.yx, measured[:, 0], measured[:, 1], outlines)


def _check(record: dict[str, Any]) -> Check:
    models = {
        name: (np.asarray(m["low"]), np.asarray(m["high"]), float(m["p"])) for name, m in record["models"].items()
    }
    return Check(record["brain"], np.asarray(record["observed"]), models)


def _p(model: dict[str, Any]) -> dict[str, Any]:
    return {"inside": model["inside"], "p": model["p"]}
