"""The settings of a training, and the two ways: the published one, and ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from pipelines.config import Settings
from volumetric.synthesis.appearance import Appearance
from volumetric.synthesis.scale import Scale

Mode = Literal["best", "method"]


@dataclass(frozen=True)
class Recipe:
    """What a mode stands for.

    Args:
        scale: on which tiles are learned.
        appearance: of cells.
        style: numbers of a style, 0 for chance from the mask alone.
        whole: whether the critic judges the plane as a whole too.
        average: decay of the running mean of the generator's weights.
        visibility: weight of the loss of cells that cannot be seen and of others that can.
        resized: whether images are made smaller until they fit; otherwise windows are cut from them and turned.
    """

    scale: Scale
    appearance: Appearance
    style: int
    whole: bool
    average: float
    visibility: float
    resized: bool


RECIPES: Mapping[Mode, Recipe] = {
    "best": Recipe("contrast", "lit", 16, whole=True, average=0.999, visibility=5.0, resized=False),
    "method": Recipe("brain", "white", 0, whole=False, average=0.0, visibility=0.0, resized=True),
}


class Config(Settings):
    """What changes the checkpoint, besides the tiles."""

    mode: Mode = "best"
    steps: int = Field(default=20000, ge=1)
    px: int = Field(default=512, ge=16)
    batch: int = Field(default=4, ge=1)
    seed: int = Field(default=1, ge=0)
    channels: tuple[int, ...] = (32, 64, 128, 256)
    critic_channels: tuple[int, ...] = (64, 128, 256)
    critic_steps: int = Field(default=2, ge=1)
    generator_rate: float = Field(default=1e-4, gt=0)
    critic_rate: float = Field(default=2e-4, gt=0)
    penalty: float = Field(default=10.0, gt=0)
    history: int = Field(default=500, ge=0)
    visibility: float | None = Field(default=None, ge=0)
    cells_per_mpx: tuple[float, float] = (100.0, 600.0)
    radius_px: tuple[float, float] = (1.0, 8.0)
    light: tuple[float, float] = (8.0, 40.0)
    every: int = Field(default=1, ge=1)
    show_every: int = Field(default=500, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @property
    def recipe(self) -> Recipe:
        """Of the mode."""
        return RECIPES[self.mode]

    @model_validator(mode="after")
    def _fits(self) -> Config:
        multiple = 1 << (len(self.channels) - 1)
        if self.px % multiple:
            raise ValueError(f"px must be a multiple of {multiple} for {len(self.channels)} levels, got {self.px}")
        if self.px >> len(self.critic_channels) < 3:
            raise ValueError(f"a critic of {len(self.critic_channels)} layers sees nothing in {self.px} px")
        return self
