"""A small U-Net that predicts at a coarser grid and whose every output depends on a bounded window.

Contracting and expanding path of Ronneberger et al. 2015; batch normalisation holds fixed statistics at inference,
so that no output depends on what else lies in the tile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from volumetric.errors import InputError


class ConvBlock(nn.Sequential):
    """Two 3 x 3 convolutions, each with batch normalisation and ReLU; keeps the size."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        layers: list[nn.Module] = []
        for count in (channels_in, channels_out):
            layers += [
                nn.Conv2d(count, channels_out, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels_out),
                nn.ReLU(inplace=True),
            ]
        super().__init__(*layers)


class UNet(nn.Module):
    """Images (n, inputs, H, W) to features (n, channels[0], H / stride, W / stride), float32.

    Args:
        channels: feature channels of the levels, finest first.
        stride: pixels along an edge of the finest level's cells; the pixels of a cell enter as channels, so that
            nothing is lost before the first convolution.
        inputs: channels of an image.

    H and W must be multiples of `multiple_px`.
    """

    def __init__(self, channels: Sequence[int] = (16, 32, 64, 128), stride: int = 2, inputs: int = 1) -> None:
        super().__init__()
        if len(channels) < 1 or min(channels) < 1 or stride < 1 or inputs < 1:
            raise InputError(f"a U-Net needs positive channels and stride, got {list(channels)} and {stride}")
        self.channels: tuple[int, ...] = tuple(channels)
        self.stride: int = stride
        self.cells: nn.Module = nn.PixelUnshuffle(stride)
        self.down = nn.ModuleList(
            ConvBlock(before, after) for before, after in zip((inputs * stride**2, *channels), channels, strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        pairs = list(zip(channels[1:], channels[:-1], strict=True))
        self.narrow = nn.ModuleList(nn.Conv2d(deep, shallow, 1) for deep, shallow in pairs)
        self.up = nn.ModuleList(ConvBlock(shallow, shallow) for _, shallow in pairs)
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")

    @property
    def multiple_px(self) -> int:
        """The lattice on which tiles must start and end for equal results, in pixels."""
        return self.stride << (len(self.channels) - 1)

    @property
    def radius_px(self) -> int:
        """Farthest pixel that an output's features can depend on, beyond the edge of the output's cell.

        Two 3 x 3 convolutions reach 2 cells of their level; a cell of the coarsest level adds its own extent.
        """
        cells = [self.stride << level for level in range(len(self.channels))]
        return sum(4 * c for c in cells[:-1]) + 2 * cells[-1] + cells[-1] - self.stride

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features: list[torch.Tensor] = []
        x: torch.Tensor = self.cells(image)
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else self.pool(x))
            features.append(x)
        for level in reversed(range(len(self.up))):
            x = self.up[level](features[level] + self.grow(self.narrow[level](x)))
        return x


def fold_batch_norm(module: nn.Module) -> None:
    """Merge each batch normalisation into the convolution before it, in place; the module must be in eval mode."""
    for child in module.modules():
        if not isinstance(child, nn.Sequential):
            continue
        for i in range(len(child) - 1):
            conv, norm = child[i], child[i + 1]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                child[i] = nn.utils.fuse_conv_bn_eval(conv, norm)
                child[i + 1] = nn.Identity()


def fold_cells(network: UNet) -> None:
    """Merge the gathering of pixels to cells into the convolution after it, in place; batch normalisation goes first.

    A convolution over cells of s x s pixels is one over pixels with s times the edge, in steps of s. It reads images as
    they are; gathering them takes as long as the convolution.
    """
    s, block = network.stride, cast(ConvBlock, network.down[0])
    if s == 1:
        return
    over_cells = cast(nn.Conv2d, block[0])
    after, edge = over_cells.out_channels, over_cells.kernel_size[0]
    before = over_cells.in_channels // s**2
    over_pixels = nn.Conv2d(before, after, edge * s, stride=s, padding=s)
    split = over_cells.weight.detach().view(after, before, s, s, edge, edge)
    over_pixels.weight.data = split.permute(0, 1, 4, 2, 5, 3).reshape(over_pixels.weight.shape)
    over_pixels.bias = over_cells.bias
    block[0] = over_pixels
    network.cells = nn.Identity()


class QuickReLU(nn.Module):
    """ReLU of bfloat16 on a CPU, in place: a number below zero is an integer below zero, and integers are faster.

    For inference alone: it has no gradient, and some NaN become 0.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x.view(torch.int16).clamp_(min=0)
        return x


def use_quick_relu(module: nn.Module) -> None:
    """Put `QuickReLU` in place of each ReLU, in place."""
    for child in module.modules():
        for name, part in child.named_children():
            if isinstance(part, nn.ReLU):
                setattr(child, name, QuickReLU())
