"""The critic: how real a plane looks, patch by patch, averaged to one number (section 2.5.2 of the method).

No layer that mixes tiles of a batch: the gradient penalty is of one tile at a time (Gulrajani et al. 2017, section 4).
An average over patches says nothing of the whole; `whole` adds what the means and deviations of all features say.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from volumetric.errors import InputError


class Critic(nn.Module):
    """Planes (n, 1, H, W) of 0 to 1 to a score each, (n,).

    Args:
        channels: of the layers, each of which halves the size.
        whole: whether the plane as a whole is judged too.
    """

    def __init__(self, channels: Sequence[int], whole: bool) -> None:
        super().__init__()
        if len(channels) < 1 or min(channels) < 1:
            raise InputError(f"a critic needs positive channels, got {list(channels)}")
        layers: list[nn.Module] = []
        for before, after in zip((1, *channels), channels, strict=False):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.features = nn.Sequential(*layers)
        self.patches = nn.Conv2d(channels[-1], 1, 3, padding=1)
        self.whole = (
            nn.Sequential(nn.Linear(2 * channels[-1], 64), nn.LeakyReLU(0.2), nn.Linear(64, 1)) if whole else None
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = self.features(2 * image - 1)
        score: torch.Tensor = self.patches(features).mean(dim=(1, 2, 3))
        if self.whole is not None:
            mean = features.mean(dim=(2, 3))
            deviation = (features.var(dim=(2, 3), unbiased=False) + 1e-6).sqrt()
            score = score + self.whole(torch.cat([mean, deviation], dim=1))[:, 0]
        return score
