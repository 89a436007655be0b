"""The settings of a consensus."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipelines.config import Settings
from volumetric.crowd.candidates import Maker
from volumetric.crowd.clusters import Clusters
from volumetric.crowd.density import DensityPeaks
from volumetric.crowd.reliability import USUAL, Prior
from volumetric.crowd.skill import Skill
from volumetric.crowd.workers import RESAMPLES

CLUSTER_SHARE = 0.2
"""Of the viewers of a tile, in the smallest cluster of `hdbscan`."""

DIFFICULTY_VIEWERS = 10
"""Of a tile, from which two kinds of cells are told apart (measured: with 5 it harms, from 8 on it helps)."""


class Config(Settings):
    """What changes a consensus, besides the clicks. None leaves it to the mode."""

    mode: Literal["best", "method"] = "best"
    candidates: Literal["density", "hdbscan", "hdbscan-fixed"] | None = None
    prior: Literal["map", "ml"] | None = None
    heatmap: Literal["posterior", "clicks"] | None = None
    scatter_px: float | None = Field(default=None, gt=0)
    double_click_px: float = Field(default=3.0, ge=0)
    difficulty: bool | None = None
    restarts: int = Field(default=3, ge=0)
    resamples: int = Field(default=RESAMPLES, ge=2)
    qc_only: bool | None = None
    most_rejected: float = Field(default=0.1, ge=0, le=1)
    seed: int = Field(default=1, ge=0)
    pictures: int = Field(default=3, ge=0)

    def whole(self, quality_control: bool, viewers: float) -> Config:
        """The same, with what the mode stands for.

        Args:
            quality_control: whether such tiles are known.
            viewers: of most tiles, or more.
        """
        method = self.mode == "method"
        usual: dict[str, object] = {
            "candidates": "hdbscan-fixed" if method else "density",
            "prior": "ml" if method else "map",
            "heatmap": "clicks" if method else "posterior",
            "qc_only": method and quality_control,
            "difficulty": not method and viewers >= DIFFICULTY_VIEWERS,
        }
        given = {name: value for name, value in self.model_dump().items() if value is not None}
        return Config(**{**usual, **given})

    def maker(self, scatter_px: float) -> Maker:
        """Of candidates."""
        if self.candidates == "density":
            return DensityPeaks(scatter_px)
        return Clusters(share=CLUSTER_SHARE if self.candidates == "hdbscan" else None, seed=self.seed)

    @property
    def skill(self) -> Skill:
        """How skill is told."""
        prior = Prior.none() if self.prior == "ml" else USUAL
        return Skill(prior, bool(self.difficulty), self.restarts, self.seed)
