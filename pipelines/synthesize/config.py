"""The settings of tiles that are made up."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipelines.config import Settings


class Config(Settings):
    """What changes the tiles, besides what paints them."""

    count: int = Field(default=100, ge=1)
    px: int | None = Field(default=None, ge=16)
    brightness: tuple[float, float] = (1.0, 1.0)
    texture: float = Field(default=0.0, ge=0, le=1)
    seed: int = Field(default=1, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @model_validator(mode="after")
    def _range(self) -> Config:
        low, high = self.brightness
        if not 0 < low <= high:
            raise ValueError(f"brightness is a range of factors above 0, from low to high, got {low} and {high}")
        return self
