"""What a generator learns from: planes of real tiles, and layouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from pipelines.planes import Floats, Plane
from pipelines.train_generator.config import Config
from volumetric.errors import InputError
from volumetric.synthesis.adversarial import Condition, Material
from volumetric.synthesis.generator import Generator
from volumetric.synthesis.layout import Sampler
from volumetric.synthesis.sample import condition_of, draw
from volumetric.synthesis.visibility import Visibility

REAL, MADE = 0, 1
"""Streams of random numbers."""


@dataclass(frozen=True)
class Pool:
    """Planes ready to be drawn from, and the sampler of layouts.

    Args:
        images: planes at least as large as what is learned.
        sampler: of layouts.
        visibility: from when a cell is seen.
        config: settings.
    """

    images: tuple[Floats, ...]
    sampler: Sampler
    visibility: Visibility
    config: Config

    def material(self, generator: Generator, device: torch.device) -> Material:
        """As a training asks for it, on a device."""
        weight = self.config.recipe.visibility if self.config.visibility is None else self.config.visibility

        def visibility(planes: torch.Tensor, condition: Condition) -> torch.Tensor:
            return weight * self.visibility.loss(planes, condition.centres)

        return Material(
            lambda step, turn: self.real(step, turn).to(device),
            lambda step, turn: self.condition(generator, self.config.batch, step, turn).to(device),
            self.config.recipe.appearance,
            visibility if weight else None,
        )

    def real(self, step: int, turn: int) -> torch.Tensor:
        """A batch of real planes (n, 1, px, px)."""
        rng = np.random.default_rng([self.config.seed, REAL, step, turn])
        chosen = rng.integers(len(self.images), size=self.config.batch)
        return torch.from_numpy(np.stack([self._cut(self.images[i], rng) for i in chosen])[:, None])

    def condition(self, generator: Generator, count: int, *stream: int) -> Condition:
        """What `count` planes are made from, on the CPU."""
        rng = np.random.default_rng([self.config.seed, MADE, *stream])
        recipe, shape = self.config.recipe, (self.config.px, self.config.px)
        seen = self.visibility if recipe.visibility else None
        return condition_of(
            [draw(self.sampler, shape, recipe.appearance, rng, seen) for _ in range(count)], generator, rng
        )

    def _cut(self, image: Floats, rng: np.random.Generator) -> Floats:
        """A window; turned and flipped where the recipe does not take images as they are."""
        px = self.config.px
        if self.config.recipe.resized:
            return image
        y, x = (int(rng.integers(n - px + 1)) for n in image.shape)
        turned = np.rot90(image[y : y + px, x : x + px], int(rng.integers(4)))
        return np.ascontiguousarray(turned[:, ::-1] if rng.integers(2) else turned)


def ready(planes: Sequence[Plane], config: Config) -> tuple[Floats, ...]:
    """The images of planes as they are drawn from; raises `InputError` for planes that are too small."""
    if config.recipe.resized:
        return tuple(_resized(plane.image, config.px) for plane in planes)
    for plane in planes:
        if min(plane.image.shape) < config.px:
            raise InputError(
                f"plane {plane.z} of {plane.tile} has {plane.image.shape} pixels: give --px of at most "
                f"{min(plane.image.shape)}, a multiple of {1 << (len(config.channels) - 1)}"
            )
    return tuple(plane.image for plane in planes)


def _resized(image: Floats, px: int) -> Floats:
    """The shorter side made `px` long, the middle kept (section 2.5.2 of the method)."""
    factor = px / min(image.shape)
    whole = image if factor == 1 else ndimage.zoom(image, factor, order=1, grid_mode=True, mode="nearest")
    y, x = ((n - px) // 2 for n in whole.shape)
    middle: Floats = np.clip(whole[y : y + px, x : x + px], 0, 1).astype(np.float32)
    return middle
