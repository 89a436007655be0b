"""The generator: from a mask and a cell image to the background around the cells.

A U-Net (Ronneberger et al. 2015) on the two, its output through tanh (section 2.5.2 of the method). It normalises
groups of channels (Wu and He 2018), so that no tile depends on what else is in its batch. With a style it is changed as
a whole, by factors and offsets of every layer (Perez et al. 2018), and noise enters at every level (Karras et al.
2019); without one, chance comes from the mask alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from volumetric.errors import InputError

GROUPS = 8


@dataclass(frozen=True)
class Chance:
    """What is random in a batch of backgrounds: (n, s) styles, and noise (n, 1, h, w) of each level, finest first."""

    style: torch.Tensor
    noise: tuple[torch.Tensor, ...]

    def to(self, device: torch.device) -> Chance:
        """The same on a device."""
        return Chance(self.style.to(device), tuple(noise.to(device) for noise in self.noise))


class Layer(nn.Module):
    """A 3 x 3 convolution, noise, normalisation, style and a leaky ReLU; keeps the size."""

    def __init__(self, channels_in: int, channels_out: int, style: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.norm = nn.GroupNorm(min(GROUPS, channels_out), channels_out)
        self.loudness = nn.Parameter(torch.full((1, channels_out, 1, 1), 0.1)) if style else None
        self.style = nn.Linear(style, 2 * channels_out) if style else None

    def forward(self, x: torch.Tensor, style: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        if self.style is None or self.loudness is None:
            return nn.functional.leaky_relu(self.norm(x), 0.2)
        x = self.norm(x + self.loudness * noise)
        factor, offset = self.style(style)[..., None, None].chunk(2, dim=1)
        return nn.functional.leaky_relu(x * (1 + factor) + offset, 0.2)


class Generator(nn.Module):
    """Masks and cell images (n, 1, H, W) to backgrounds (n, 1, H, W) of 0 to 1, float32.

    Args:
        channels: of the levels, finest first.
        style: numbers of a style; 0 for a generator without chance of its own.

    H and W must be multiples of `multiple_px`.
    """

    def __init__(self, channels: Sequence[int], style: int) -> None:
        super().__init__()
        if len(channels) < 1 or any(c < 1 or c % min(GROUPS, c) for c in channels) or style < 0:
            raise InputError(f"a generator needs channels in multiples of {GROUPS}, got {list(channels)}")
        self.channels, self.style = tuple(channels), style
        pairs = list(zip((2, *channels), channels, strict=False))
        self.down = nn.ModuleList(nn.ModuleList([Layer(a, b, style), Layer(b, b, style)]) for a, b in pairs)
        steps = list(zip(channels[1:], channels[:-1], strict=True))
        self.up = nn.ModuleList(
            nn.ModuleList([Layer(deep + shallow, shallow, style), Layer(shallow, shallow, style)])
            for deep, shallow in steps
        )
        self.last = nn.Conv2d(channels[0], 1, 1)

    @property
    def multiple_px(self) -> int:
        """Of which the edges of a tile must be multiples."""
        return 1 << (len(self.channels) - 1)

    def chance(self, rng: np.random.Generator, count: int, shape: tuple[int, int]) -> Chance:
        """Drawn for `count` tiles (y, x); without a style there is nothing to draw."""
        if any(n % self.multiple_px for n in shape):
            raise InputError(f"tiles of {shape} px: this generator makes multiples of {self.multiple_px} px")
        sizes = [(count, 1, shape[0] >> level, shape[1] >> level) for level in range(len(self.channels))]
        if not self.style:
            return Chance(torch.zeros(count, 0), tuple(torch.zeros(1, 1, 1, 1) for _ in sizes))
        style, *noise = (
            torch.from_numpy(rng.standard_normal(size, dtype=np.float32)) for size in ((count, self.style), *sizes)
        )
        return Chance(style, tuple(noise))

    def forward(self, mask: torch.Tensor, cells: torch.Tensor, chance: Chance) -> torch.Tensor:
        features: list[torch.Tensor] = []
        x = torch.cat([mask, cells], dim=1)
        for level, layers in enumerate(self.down):
            x = x if level == 0 else nn.functional.avg_pool2d(x, 2)
            for layer in layers:  # type: ignore[attr-defined]
                x = layer(x, chance.style, chance.noise[level])
            features.append(x)
        for level in reversed(range(len(self.up))):
            x = torch.cat([nn.functional.interpolate(x, scale_factor=2, mode="nearest"), features[level]], dim=1)
            for layer in self.up[level]:  # type: ignore[attr-defined]
                x = layer(x, chance.style, chance.noise[level])
        background: torch.Tensor = (torch.tanh(self.last(x)) + 1) / 2
        return background
