"""Losses of CenterNet: focal or soft cross-entropy for the centres, L1 for offsets and sizes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

ALPHA, BETA = 2.0, 4.0
SIZE_WEIGHT = 0.1
REGRESSION_SHARE = 0.02
"""Of offsets and sizes beside a cross-entropy, which is a mean over all cells and hence small."""

BACKGROUND_WEIGHT, CENTRE_WEIGHT, GAMMA = 1.0, 10.0, 1.0
"""Of equation 24, whose constants are not published: ours."""

JOINT_CENTRE_WEIGHT = 3.0
"""Of the joint loss: with more of it the scores tell less how sure a cell is, and ranks hold less on other brains."""


def focal_loss(logits: torch.Tensor, heatmap: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Modified focal loss (method, equation 20; Zhou et al. 2019, equation 1), a scalar.

    Args:
        logits: (n, V, U) logits of the centre.
        heatmap: (n, V, U) in [0, 1]; centres are where it is exactly 1.
        weight: (n, V, U), 0 where nothing is taught.

    The sum is divided by the number of taught centres, or by 1 if there are none.
    """
    probability = torch.sigmoid(logits)
    centre = heatmap == 1
    hit = (1 - probability) ** ALPHA * functional.logsigmoid(logits)
    miss = (1 - heatmap) ** BETA * probability**ALPHA * functional.logsigmoid(-logits)
    total = (torch.where(centre, hit, miss) * weight).sum()
    return -total / (centre * weight).sum().clamp(min=1.0)


def soft_cross_entropy(
    logits: torch.Tensor, heatmap: torch.Tensor, weight: torch.Tensor, centre_weight: float = CENTRE_WEIGHT
) -> torch.Tensor:
    """Weighted binary cross-entropy with soft targets (method, equations 24 and 25), a scalar; arguments as above.

    The mean is over what is taught; a centre counts `centre_weight` times as much as background.
    """
    emphasis = BACKGROUND_WEIGHT + (centre_weight - BACKGROUND_WEIGHT) * heatmap**GAMMA
    each = functional.binary_cross_entropy_with_logits(logits, heatmap, reduction="none")
    return (each * emphasis * weight).sum() / weight.sum().clamp(min=1.0)


def l1_loss(predicted: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted mean over centres of the L1 norm (equations 21 and 22); (k, 2), (k, 2), (k,); 0 for no centres."""
    return ((predicted - target).abs().sum(dim=1) * weight).sum() / weight.sum().clamp(min=1.0)


@dataclass(frozen=True)
class TargetBatch:
    """Targets of n slices with k centres in all.

    Args:
        heatmap: (n, V, U) in [0, 1].
        weight: (n, V, U), 0 where nothing is taught, between 0 and 1 around cells that are not sure.
        index: (k, 3) int64, slice, v and u of each centre.
        offset: (k, 2) in cells.
        size: (k, 2) in pixels.
    """

    heatmap: torch.Tensor
    weight: torch.Tensor
    index: torch.Tensor
    offset: torch.Tensor
    size: torch.Tensor


def pretraining_loss(output: torch.Tensor, targets: TargetBatch) -> torch.Tensor:
    """Focal + offset + 0.1 size (equation 23) of (n, 5, V, U) outputs, a scalar."""
    return focal_loss(output[:, 0], targets.heatmap, targets.weight) + _regression(output, targets)


def finetuning_loss(output: torch.Tensor, targets: TargetBatch) -> torch.Tensor:
    """Soft cross-entropy of the centres alone (equation 26), a scalar: offsets and sizes are not taught."""
    return soft_cross_entropy(output[:, 0], targets.heatmap, targets.weight)


def joint_loss(output: torch.Tensor, targets: TargetBatch) -> torch.Tensor:
    """Soft cross-entropy of the centres with a little of offset and size, a scalar."""
    centres = soft_cross_entropy(output[:, 0], targets.heatmap, targets.weight, JOINT_CENTRE_WEIGHT)
    return centres + REGRESSION_SHARE * _regression(output, targets)


def _regression(output: torch.Tensor, targets: TargetBatch) -> torch.Tensor:
    image, v, u = targets.index.T
    at, weight = output[image, :, v, u], targets.weight[image, v, u]
    return l1_loss(at[:, 1:3], targets.offset, weight) + SIZE_WEIGHT * l1_loss(at[:, 3:5], targets.size, weight)
