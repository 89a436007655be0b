"""The settings of `tiles`."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field

from pipelines.config import Settings
from volumetric.errors import InputError
from volumetric.tiles.quality import QualityRule

RULE = QualityRule()


class Config(Settings):
    """Which tiles are cut, which are kept, and who sees them.

    Args:
        regions: named with commas between, each with everything below it.
        size: edge of a tile, px.
        slices: numbers of the slices to cut from; None for slices `every_um` apart.
        every_um: distance of slices: far enough that no cell is on two.
        least_share: of a tile's pixels that its region must have.
        name: of the brain, with which the names of its tiles begin.
        black, white: quantiles of the brain's pixels shown as black and as white.
        background_ratio, deviation, bright_ratio: the quality rule (`volumetric.tiles.quality`).
        redundancy: data sets that each main tile is in.
        sets: number of data sets; None for as many as `set_size` asks for.
        set_size: main tiles of a data set, at most.
        quality_control: tiles of each region that are in every data set.
        per_region: main tiles of each region, at most; None for all.
        seed: of everything that is drawn by chance.
    """

    regions: str
    channel: str | None = None
    size: int = Field(default=500, ge=16)
    slices: tuple[int, ...] | None = None
    every_um: float = Field(default=500.0, gt=0)
    least_share: float = Field(default=0.5, gt=0, le=1)
    name: str = Field(default="brain", pattern=r"^[\w-]+$")
    black: float = Field(default=0.001, ge=0, lt=1)
    white: float = Field(default=0.99, gt=0, le=1)
    background_ratio: float = RULE.background_ratio
    deviation: float = RULE.deviation
    bright_ratio: float = RULE.bright_ratio
    redundancy: int = Field(default=5, ge=1)
    sets: int | None = Field(default=None, ge=1)
    set_size: int = Field(default=20, ge=1)
    quality_control: int = Field(default=1, ge=1)
    per_region: int | None = Field(default=None, ge=1)
    seed: int = Field(default=1, ge=0)

    @property
    def rule(self) -> QualityRule:
        """The quality rule."""
        return QualityRule(self.background_ratio, self.deviation, self.bright_ratio)


def brain_name(path: Path) -> str:
    """A brain's name from its file's: `mouse1.ome.zarr` is of `mouse1`; what no file name can have becomes `-`."""
    return re.sub(r"[^\w-]+", "-", path.resolve().name.split(".")[0]) or "brain"


def slice_numbers(text: str) -> tuple[int, ...]:
    """Numbers with commas between, in rising order, each once; raises `InputError` for anything else."""
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError as error:
        raise InputError(
            f"slices are whole numbers with commas between, for example 100,250,400, got {text!r}"
        ) from error
