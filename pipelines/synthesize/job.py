"""Tiles that are made up, prepared."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.layouts import Named
from pipelines.report.picture import render
from pipelines.synthesize.config import Config
from pipelines.synthesize.figure import overview_figure
from pipelines.synthesize.painter import PHYSICS, Floats, Painter, model_of
from volumetric.blocks.plan import Facts
from volumetric.detection.targets import make_targets
from volumetric.storage.atomic import read_json, replacing, write_json
from volumetric.storage.png import write_png
from volumetric.storage.provenance import versions
from volumetric.storage.tables import write_csv
from volumetric.storage.tiff import write_tiff
from volumetric.synthesis.layout import Layout
from volumetric.synthesis.model import Model
from volumetric.synthesis.scale import Scale, grey8, grey16
from volumetric.synthesis.visibility import Seen

BRAIN = "synthetic"
SHOWN = 12


@dataclass(frozen=True)
class Job:
    """What to make, and where.

    Args:
        painter: of tiles.
        layout: sampler of layouts.
        config: settings.
        px: edge of a tile.
        out: folder.
        work: for what is known of each batch until the end.
    """

    painter: Painter
    layout: Named
    config: Config
    px: int
    out: Path
    work: Path

    def make(self, numbers: range) -> Facts:
        """Paint some tiles; each depends on the seed and its own number alone."""
        for number in numbers:
            plane, layout = self.painted(number)
            self._write(self.name(number), plane, layout)
            seen = self.painter.visibility.judged(plane, layout.yx)
            write_json(self._part(number), {"radius_px": layout.radius_px.tolist(), **vars(seen)})
        return {}

    def painted(self, number: int) -> tuple[Floats, Layout]:
        """Tile number so and so: its plane, and its cells whose centres lie in it."""
        rng = np.random.default_rng([self.config.seed, number])
        plane, layout = self.painter.paint(self.layout.sampler, self.px, rng)
        return plane, layout.kept(np.all((layout.yx >= -0.5) & (layout.yx < self.px - 0.5), axis=1))

    def publish(self) -> Facts:
        """Write the table of tiles, what they are made from and how well their cells are seen, and a picture."""
        parts = [read_json(self._part(number)) for number in range(self.config.count)]
        names = [self.name(number) for number in range(self.config.count)]
        write_csv(self.out / "tiles.csv", pd.DataFrame({"tile": names, "brain": BRAIN}))
        seen = sum((Seen(part["cells"], part["invisible"], part["phantoms"]) for part in parts), Seen(0, 0, 0))
        shown = [self.painted(number) for number in range(min(SHOWN, self.config.count))]
        figure = overview_figure(shown)
        with replacing(self.picture) as temporary:
            temporary.write_bytes(render(figure, "png"))
        radius = np.concatenate([part["radius_px"] for part in parts])
        facts: Facts = {
            "painter": self._model.sha256 if self._model else PHYSICS,
            "tiles": len(parts),
            "cells": seen.cells,
            "invisible": seen.invisible / max(seen.cells, 1),
            "phantoms": seen.phantoms / max(seen.cells, 1),
            "radius_px": {str(q): float(np.quantile(radius, q)) for q in (0.1, 0.5, 0.9)} if len(radius) else {},
        }
        record = {
            "scale": self.scale,
            "px": self.px,
            "layout": self.layout.name,
            "visibility": asdict(self.painter.visibility),
            "config": self.config.model_dump(mode="json"),
            "versions": versions(),
            **facts,
        }
        write_json(self.out / "synthesis.json", record)
        return facts

    @property
    def picture(self) -> Path:
        """Of some tiles, beside the folder: in it, it would be a tile."""
        return self.out.with_name(f"{self.out.name}.png")

    @property
    def scale(self) -> Scale:
        """Of the planes."""
        return self._model.settings.scale if self._model else "contrast"

    @property
    def _model(self) -> Model | None:
        checkpoint = self.painter.checkpoint
        return model_of(checkpoint, self.painter.device) if checkpoint else None

    def name(self, number: int) -> str:
        """Of a tile."""
        return f"{BRAIN}_{number:06d}"

    def _write(self, name: str, plane: Floats, layout: Layout) -> None:
        """The image, its cells and their heatmap (eq. 15 of the method), as high as a cell is sure."""
        if self.scale == "brain":
            write_png(self.out / f"{name}.png", grey8(plane))
        else:
            write_tiff(self.out / f"{name}.tif", grey16(plane))
        places = {"y": layout.yx[:, 0], "x": layout.yx[:, 1]}
        look = {"radius_px": layout.radius_px, "light": layout.light, "confidence": layout.sure}
        write_csv(self.out / f"{name}_cells.csv", pd.DataFrame({**places, **look}))
        heatmap = make_targets(plane.shape, layout.yx, layout.radius_px, 1, height=layout.sure).heatmap
        write_tiff(self.out / f"{name}_heatmap.tif", heatmap)

    def _part(self, number: int) -> Path:
        return self.work / "seen" / f"{number:06d}.json"
