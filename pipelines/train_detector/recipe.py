"""The two ways of training: the published one, and the best of those that were measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from volumetric.detection.losses import TargetBatch, finetuning_loss, joint_loss, pretraining_loss

Loss = Callable[[torch.Tensor, TargetBatch], torch.Tensor]
Mode = Literal["best", "method"]


@dataclass(frozen=True)
class Recipe:
    """What a mode stands for.

    Args:
        channels: of the U-Net's levels.
        stride: of the output, in pixels.
        neighbours: slices on either side that the network sees.
        dropout: share of features left out before the last layer.
        pretraining: loss on synthetic crops.
        finetuning: loss on tiles.
        pretrains: whether synthetic crops come first, or, with tiles, only beside them.
    """

    channels: tuple[int, ...]
    stride: int
    neighbours: int
    dropout: float
    pretraining: Loss
    finetuning: Loss
    pretrains: bool


RECIPES: Mapping[Mode, Recipe] = {
    # One level: what lies further than a cell's own surroundings differs between brains, and misleads on the next.
    "best": Recipe((48,), 1, 2, 0.2, joint_loss, joint_loss, pretrains=False),
    "method": Recipe((24, 48, 96), 4, 0, 0.0, pretraining_loss, finetuning_loss, pretrains=True),
}
