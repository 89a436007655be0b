"""CenterNet (Zhou et al. 2019, "Objects as Points"): centres, offsets and sizes on a U-Net."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from volumetric.learn.unet import UNet

OUTPUTS = 5
"""Channels of the output: logit of the centre; offset in y and x; size in y and x."""

FEATURE_PX = 2
"""Pixels along an edge of the finest features: finer ones cost four times as much and tell no more."""

ROUGH = 0.125
"""How far a logit in half precision may be from the true one, near the least score of a peak: eight roundings."""


class CenterNet(nn.Module):
    """Contrast (n, 2 neighbours + 1, H, W) of a slice and its neighbours to (n, 5, H / stride, W / stride), float32.

    Channel 0 is the logit of the centre heatmap, 1:3 the offset (y, x) in cells, 3:5 the size (y, x) in pixels. With an
    output of a stride below `FEATURE_PX`, each feature answers for several cells (Shi et al. 2016, sub-pixel
    convolution). Of the features before the last layer, a share `dropout` is left out while it learns.
    """

    def __init__(
        self,
        channels: Sequence[int] = (16, 32, 64, 128),
        stride: int = 2,
        neighbours: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.dropout = dropout
        features = max(stride, FEATURE_PX)
        self.backbone = UNet(channels, features, 2 * neighbours + 1)
        width, answers = channels[0], (features // stride) ** 2
        last = nn.Conv2d(2 * width, OUTPUTS * answers, 1)
        # Centres are rare: starting at a probability of 0.05 keeps the first steps quiet (Lin et al. 2017).
        last.bias = nn.Parameter(torch.tensor([-2.94, 0.5, 0.5, 6.0, 6.0]).repeat_interleave(answers))
        self.head = nn.Sequential(
            nn.Conv2d(width, 2 * width, 3, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(inplace=True),
            last,
        )

    @property
    def receptive_radius_px(self) -> int:
        """Farthest pixel beyond an output cell's edge that the output can depend on."""
        return self.backbone.radius_px + 2 * self.backbone.stride - self.stride

    @property
    def halo_px(self) -> int:
        """The receptive radius rounded up to the lattice on which the network is cut."""
        lattice = self.backbone.multiple_px
        return -(-self.receptive_radius_px // lattice) * lattice

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        weight, bias = self.head[-1].parameters()
        # In the last layer's own precision: half of it would be too little for logits.
        answers = functional.conv2d(self.features(image).to(weight.dtype), weight, bias)
        return functional.pixel_shuffle(answers, self.backbone.stride // self.stride)

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """What the last layer sees of images: for `centres`, and for `at`."""
        return functional.dropout2d(self.head[:-1](self.backbone(image)), self.dropout, self.training)

    def centres(self, features: torch.Tensor, least: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Cells whose centre has a logit above `least`: (k, 3) int64 image, row and column, and (k,) float32 logits.

        They are ordered by image, row and column. All are looked at in the precision of the features, and what may be
        above is looked at again in the last layer's own, as scores of half precision would tie.
        """
        across = self.backbone.stride // self.stride
        weight, bias = (parameter[: across**2] for parameter in self.head[-1].parameters())
        roughly = functional.conv2d(features, weight.to(features.dtype), bias.to(features.dtype))
        image, part, v, u = torch.nonzero(roughly > least - ROUGH).unbind(dim=1)
        logits = self._answers(features, (image, v, u), weight, bias).gather(1, part[:, None])[:, 0].float()
        cells = torch.stack([image, v * across + part // across, u * across + part % across], dim=1)
        above = torch.nonzero(logits > least)[:, 0]
        rows, columns = (n * across for n in features.shape[2:])
        ordered = above[torch.argsort((cells[above, 0] * rows + cells[above, 1]) * columns + cells[above, 2])]
        return cells[ordered], logits[ordered]

    def at(self, features: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
        """All channels of the output at some cells, (k, 3) of image, row and column: (k, 5) float32."""
        across = self.backbone.stride // self.stride
        image, row, column = cells.unbind(dim=1)
        weight, bias = self.head[-1].parameters()
        answers = self._answers(features, (image, row // across, column // across), weight, bias)
        own = (row % across * across + column % across)[:, None, None].expand(-1, OUTPUTS, 1)
        return answers.view(-1, OUTPUTS, across**2).gather(2, own)[..., 0].float()

    @staticmethod
    def _answers(
        features: torch.Tensor,
        places: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        weight: torch.Tensor,
        bias: torch.Tensor,
    ) -> torch.Tensor:
        """The last layer, or channels of it, at some places of the features: (k, channels) float64."""
        image, v, u = places
        one_by_one = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
        # In double precision, as sums of another order must not tell how many places were asked for.
        seen = one_by_one[(image * features.shape[2] + v) * features.shape[3] + u].double()
        return functional.linear(seen, weight[:, :, 0, 0].double(), bias.double())
