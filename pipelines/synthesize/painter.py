"""What paints a tile: a trained generator, or optics and noise alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from volumetric.learn.device import choose_device, use_threads
from volumetric.synthesis.layout import Layout, Sampler
from volumetric.synthesis.model import GeneratorSettings, Model, load_generator
from volumetric.synthesis.physics import Optics
from volumetric.synthesis.sample import Variation, draw, make_plane, visibility_of
from volumetric.synthesis.visibility import Visibility

Floats = npt.NDArray[np.float32]

PHYSICS = "physics"
"""Name of optics and noise alone, in place of a checkpoint."""

PHYSICS_PX = 512


@dataclass(frozen=True)
class Painter:
    """Paints tiles; small, so that it can be sent to another process.

    Args:
        checkpoint: of a generator; None for optics and noise.
        variation: beyond what was learned.
        device: of the generator.
    """

    checkpoint: Path | None
    variation: Variation
    device: str

    def paint(self, sampler: Sampler, px: int, rng: np.random.Generator) -> tuple[Floats, Layout]:
        """A plane (px, px) 0 to 1, and its cells; the same whatever other tiles are painted beside it."""
        if self.checkpoint is None:
            drawn = draw(sampler, (px, px), "lit", rng, self.visibility(sampler))
            return Optics().paint(drawn, rng), drawn.layout
        use_threads(1)
        return make_plane(self.model, sampler, (px, px), rng, self.variation)

    @property
    def model(self) -> Model:
        """The generator, read once a process."""
        if self.checkpoint is None:
            raise ValueError("optics and noise are no generator")
        path = self.checkpoint.resolve()
        return _load(path, path.stat().st_mtime_ns, choose_device(self.device))

    @property
    def settings(self) -> GeneratorSettings | None:
        """Of the generator, if it is one."""
        return self.model.settings if self.checkpoint else None

    def visibility(self, sampler: Sampler) -> Visibility:
        """From when a cell is seen."""
        settings = self.settings
        return settings.visibility if settings else visibility_of(sampler, PHYSICS_PX, "lit", 0)


@lru_cache(maxsize=2)
def _load(path: Path, written_ns: int, device: torch.device) -> Model:
    # The time of writing is part of the cache's key alone: a new file at the same place is read anew.
    return load_generator(path, device)
