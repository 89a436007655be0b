"""CenterNet (Zhou et al. 2019, "Objects as Points"): centres, offsets and sizes on a U-Net."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from volumetric.learn.unet import UNet

OUTPUTS = 5
"""Channels of the output: logit of the centre; offset in y and x; size in y and x."""


class CenterNet(nn.Module):
    """Contrast (n, 2 neighbours + 1, H, W) of a slice and its neighbours to (n, 5, H / stride, W / stride), float32.

    Channel 0 is the logit of the centre heatmap, 1:3 the offset (y, x) in cells, 3:5 the size (y, x) in pixels.
    """

    def __init__(self, channels: Sequence[int] = (16, 32, 64, 128), stride: int = 2, neighbours: int = 0) -> None:
        super().__init__()
        self.backbone = UNet(channels, stride, 2 * neighbours + 1)
        width = channels[0]
        self.head = nn.Sequential(
            nn.Conv2d(width, 2 * width, 3, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(inplace=True),
            nn.Conv2d(2 * width, OUTPUTS, 1),
        )
        final = self.head[-1]
        if isinstance(final, nn.Conv2d) and final.bias is not None:
            # Centres are rare: starting at a probability of 0.05 keeps the first steps quiet (Lin et al. 2017).
            final.bias.data = torch.tensor([-2.94, 0.5, 0.5, 6.0, 6.0])

    @property
    def stride(self) -> int:
        return self.backbone.stride

    @property
    def receptive_radius_px(self) -> int:
        """Farthest pixel beyond an output cell's edge that the output can depend on."""
        return self.backbone.radius_px + self.stride

    @property
    def halo_px(self) -> int:
        """The receptive radius rounded up to the lattice on which the network is cut."""
        lattice = self.backbone.multiple_px
        return -(-self.receptive_radius_px // lattice) * lattice

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.backbone(image))
        return out
