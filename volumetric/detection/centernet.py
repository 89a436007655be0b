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

ROWS = 8
"""Rows of features that are brought to full precision together."""


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
        return self._everywhere(self.features(image), OUTPUTS)

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """What the last layer sees of images: for `centres`, and for `at`."""
        return functional.dropout2d(self.head[:-1](self.backbone(image)), self.dropout, self.training)

    def centres(self, features: torch.Tensor) -> torch.Tensor:
        """Logits of the centre everywhere, (n, V, U) float32: channel 0 of the output alone, for half of the time."""
        return self._everywhere(features, 1)[:, 0]

    def at(self, features: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
        """All channels of the output at some cells, (k, 3) of image, row and column: (k, 5) float32."""
        across = self.backbone.stride // self.stride
        image, row, column = cells.unbind(dim=1)
        # In double precision, as sums of another order must not tell how many cells were asked for.
        seen = features[image, :, row // across, column // across].double()
        weight, bias = self.head[-1].parameters()
        answers = functional.linear(seen, weight[:, :, 0, 0].double(), bias.double())
        answers = answers.view(-1, OUTPUTS, across**2)
        own = (row % across * across + column % across)[:, None, None].expand(-1, OUTPUTS, 1)
        return answers.gather(2, own)[..., 0].float()

    def _everywhere(self, features: torch.Tensor, channels: int) -> torch.Tensor:
        """The first channels of the output, in the last layer's own precision: scores of half precision would tie."""
        across = self.backbone.stride // self.stride
        weight, bias = (parameter[: channels * across**2] for parameter in self.head[-1].parameters())
        # A copy in full precision is twice as large: a few rows at a time stay in a CPU's cache. While it
        # learns, gradients would be summed in another order, and the same seed give another network.
        whole = self.training or features.dtype == weight.dtype or features.device.type == "cuda"
        parts = (features,) if whole else torch.split(features, ROWS, dim=2)
        answers = torch.cat([functional.conv2d(part.to(weight.dtype), weight, bias) for part in parts], dim=2)
        return functional.pixel_shuffle(answers, across)
