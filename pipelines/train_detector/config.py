"""The settings of a training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipelines.config import Settings
from pipelines.train_detector.recipe import Mode
from volumetric.detection.samples import Confidence


class Config(Settings):
    """What changes the checkpoint, besides the tiles."""

    mode: Mode = "best"
    seed: int = Field(default=1, ge=0)
    channels: tuple[int, ...] | None = None
    stride: Literal[1, 2, 4] | None = None
    neighbours: int | None = Field(default=None, ge=0, le=4)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    synthetic: int = Field(default=160, ge=0)
    pretrain_steps: int = Field(default=3000, ge=0)
    steps: int = Field(default=1200, ge=0)
    synthetic_share: float = Field(default=0.25, ge=0, lt=1)
    confidence: Confidence = "weight"
    patience: int = Field(default=0, ge=0)
    check_every: int = Field(default=100, ge=1)
    unlabelled_steps: int = Field(default=300, ge=1)
    unlabelled_share: float = Field(default=0.5, gt=0, lt=1)
    sure_score: float = Field(default=0.6, gt=0, le=1)
    unsure_score: float = Field(default=0.1, gt=0, le=1)
    batch: int = Field(default=16, ge=1)
    window_px: int = Field(default=96, ge=16)
    learning_rate: float = Field(default=2e-3, gt=0)
    tolerance: str = "8um"
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @model_validator(mode="after")
    def _in_order(self) -> Config:
        if self.unsure_score > self.sure_score:
            raise ValueError(f"unsure_score is at most sure_score, {self.sure_score}")
        return self
