"""Losses of a Wasserstein GAN with gradient penalty (Gulrajani et al. 2017; eq. 12 and 13 of the method)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

Score = Callable[[torch.Tensor], torch.Tensor]
"""A critic: images (n, 1, H, W) to (n,)."""


@dataclass(frozen=True)
class CriticLoss:
    """What a critic makes smaller, and its parts: scalars.

    Args:
        total: lambda x penalty - distance.
        distance: mean score of real less that of made-up images, an estimate of Wasserstein-1 up to a factor.
        penalty: mean of (|gradient| - 1)^2.
    """

    total: torch.Tensor
    distance: torch.Tensor
    penalty: torch.Tensor


def critic_loss(critic: Score, real: torch.Tensor, fake: torch.Tensor, mix: torch.Tensor, weight: float) -> CriticLoss:
    """Of real and made-up images (n, 1, H, W), the latter without gradient.

    Args:
        critic: judges each image by itself.
        real: as many as `fake`.
        fake: images of the generator.
        mix: (n,) uniform 0 to 1, where between each pair the gradient is taken.
        weight: lambda of the penalty.
    """
    distance = critic(real).mean() - critic(fake).mean()
    penalty = gradient_penalty(critic, real, fake, mix)
    return CriticLoss(weight * penalty - distance, distance.detach(), penalty.detach())


def gradient_penalty(critic: Score, real: torch.Tensor, fake: torch.Tensor, mix: torch.Tensor) -> torch.Tensor:
    """Mean of (|grad D(x)|_2 - 1)^2 at x = mix real + (1 - mix) fake, one x for each pair; a scalar with gradient."""
    share = mix[:, None, None, None]
    between = (share * real + (1 - share) * fake).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    norm = slope.flatten(1).norm(dim=1)
    loss: torch.Tensor = ((norm - 1) ** 2).mean()
    return loss


def generator_loss(critic: Score, fake: torch.Tensor) -> torch.Tensor:
    """What a generator makes smaller: less the mean score of its images."""
    return -critic(fake).mean()
