"""What paints a tile: a trained generator, or optics and noise alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from volumetric.errors import InputError
from volumetric.learn.device import choose_device, use_threads
from volumetric.synthesis.layout import Layout, Sampler
from volumetric.synthesis.model import Model, load_generator
from volumetric.synthesis.physics import Optics
from volumetric.synthesis.sample import Variation, draw, make_plane
from volumetric.synthesis.visibility import Visibility

Floats = npt.NDArray[np.float32]

PHYSICS = "physics"
"""Name of optics and noise alone, in place of a checkpoint."""


@dataclass(frozen=True)
class Painter:
    """Paints tiles; small, so that it can be sent to another process.

    Args:
        checkpoint: of a generator; None for optics and noise.
        variation: beyond what was learned.
        device: of the generator.
        visibility: from when a cell is seen.
    """

    checkpoint: Path | None
    variation: Variation
    device: str
    visibility: Visibility

    def paint(self, sampler: Sampler, px: int, rng: np.random.Generator) -> tuple[Floats, Layout]:
        """A plane (px, px) 0 to 1, and its cells; the same whatever other tiles are painted beside it."""
        if self.checkpoint is None:
            drawn = draw(sampler, (px, px), "lit", rng, self.visibility)
            return Optics().paint(drawn, rng), drawn.layout
        use_threads(1)
        return make_plane(model_of(self.checkpoint, self.device), sampler, (px, px), rng, self.variation)


def model_of(checkpoint: Path, device: str) -> Model:
    """The generator of a checkpoint, read once a process; raises `InputError` where there is none."""
    path = checkpoint.resolve()
    if not path.is_file():
        raise InputError(
            f"there is no checkpoint at {checkpoint}: expected a .safetensors file of `train-generator`, or {PHYSICS}"
        )
    return _load(path, path.stat().st_mtime_ns, choose_device(device))


@lru_cache(maxsize=2)
def _load(path: Path, written_ns: int, device: torch.device) -> Model:
    # The time of writing is part of the cache's key alone: a new file at the same place is read anew.
    return load_generator(path, device)
