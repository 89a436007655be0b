"""Making tiles: a layout is drawn, its cells are rendered, a generator paints what lies around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from volumetric.errors import InputError
from volumetric.synthesis.adversarial import Condition
from volumetric.synthesis.appearance import REACH, Appearance, compose, render
from volumetric.synthesis.generator import Generator
from volumetric.synthesis.layout import Layout, Sampler
from volumetric.synthesis.model import Model
from volumetric.synthesis.scale import HIGHEST, LOWEST
from volumetric.synthesis.visibility import MARGIN, Visibility

Floats = npt.NDArray[np.float32]

LOOKED_AT = 64
"""Layouts from which it is told how cells look."""

SEEN_FROM = 0.6
"""Share of the usual cell's response from which one is seen."""

BORDER_PX = 16
"""Painted around a tile and cut off, a multiple of what generators make."""

FLAT = -LOWEST / (HIGHEST - LOWEST)
"""A background without contrast, on the scale of planes."""


@dataclass(frozen=True)
class Drawn:
    """A layout and its cells, rendered: mask and cell image, (Y, X) float32."""

    layout: Layout
    mask: Floats
    cells: Floats


@dataclass(frozen=True)
class Variation:
    """What is varied on purpose beyond what was learned, so that a detector learns more (Tobin et al. 2017).

    Args:
        brightness: range of the factor s on the background, uniform (section 2.5.3 of the method).
        texture: largest strength of white noise on the background, in its own range of 0 to 1.
    """

    brightness: tuple[float, float] = (1.0, 1.0)
    texture: float = 0.0


def draw(
    sampler: Sampler,
    shape: tuple[int, int],
    appearance: Appearance,
    rng: np.random.Generator,
    visibility: Visibility | None = None,
) -> Drawn:
    """A layout for a tile (y, x); with a visibility, without cells that could not be seen on a flat background."""
    layout, seed = sampler.sample(shape, rng), int(rng.integers(2**63))
    whole = _rendered(layout, shape, appearance, seed)
    if visibility is None or not len(layout):
        return whole
    # Equal numbers for equal tiles: leaving cells out changes the look of no other tile.
    heights = _heights(layout, visibility, appearance)
    return _rendered(layout.kept(heights >= (1 + MARGIN) * visibility.threshold), shape, appearance, seed)


def _rendered(layout: Layout, shape: tuple[int, int], appearance: Appearance, seed: int) -> Drawn:
    return Drawn(layout, *render(layout, shape, appearance, np.random.default_rng(seed)))


def condition_of(drawn: Sequence[Drawn], generator: Generator, rng: np.random.Generator) -> Condition:
    """What a generator makes planes from, on the CPU; chance comes from `rng` alone."""
    mask, cells = (
        torch.from_numpy(np.stack([getattr(one, name) for one in drawn])[:, None]) for name in ("mask", "cells")
    )
    shape = (mask.shape[2], mask.shape[3])
    centres = torch.from_numpy(np.stack([_centres(one.layout, shape) for one in drawn])[:, None])
    return Condition(mask, cells, centres, generator.chance(rng, len(drawn), shape))


def make_plane(
    model: Model, sampler: Sampler, shape: tuple[int, int], rng: np.random.Generator, variation: Variation
) -> tuple[Floats, Layout]:
    """A made-up plane (Y, X) float32, 0 to 1, and its cells.

    Args:
        model: what paints it.
        sampler: of layouts.
        shape: pixels (y, x), any.
        rng: the only source of chance.
        variation: beyond what was learned.
    """
    settings, network = model.settings, model.network
    # Painted somewhat larger and cut: tiles show no border, whatever size was learned.
    around = [(BORDER_PX, BORDER_PX + -n % network.multiple_px) for n in shape]
    inside = tuple(slice(BORDER_PX, BORDER_PX + n) for n in shape)
    drawn = draw(sampler, shape, settings.appearance, rng, settings.visibility if settings.style else None)
    layout = replace(drawn.layout, yx=drawn.layout.yx + BORDER_PX)
    whole = Drawn(layout, np.pad(drawn.mask, around), np.pad(drawn.cells, around))
    condition = condition_of([whole], network, rng).to(model.device)
    with torch.inference_mode():
        background = network(condition.mask, condition.cells, condition.chance)
        factor = rng.uniform(*variation.brightness)
        noise = torch.from_numpy(rng.standard_normal(whole.mask.shape, dtype=np.float32)).to(model.device)
        background = (factor * background + rng.uniform(0, variation.texture) * noise).clamp(0, 1)
        plane = compose(background, condition.mask, condition.cells, settings.appearance).clamp(0, 1)
    made: Floats = plane[0, 0][inside].cpu().numpy()
    return made, drawn.layout


def visibility_of(sampler: Sampler, px: int, appearance: Appearance, seed: int) -> Visibility:
    """How to look for the cells of a sampler: they are seen from a share of the usual one's response on."""
    rng = np.random.default_rng([seed, px])
    drawn = [draw(sampler, (px, px), appearance, rng) for _ in range(LOOKED_AT)]
    radius = np.concatenate([one.layout.radius_px for one in drawn])
    if not len(radius):
        raise InputError(f"not a cell in {LOOKED_AT} tiles of {px} px: raise the number of cells in a megapixel")
    look = Visibility(float(np.median(radius)), 0.0)
    heights = [_heights(one.layout, look, appearance) for one in drawn if len(one.layout)]
    return replace(look, threshold=SEEN_FROM * float(np.median(np.concatenate(heights))))


def _heights(layout: Layout, look: Visibility, appearance: Appearance) -> Floats:
    """The response (n,) at the centre of each cell alone on a flat background: beside a bright one all look bright."""
    apart = math.ceil(2 * REACH * max(float(layout.radius_px.max()), look.radius_px)) + 1
    middle = apart // 2
    places = np.column_stack([np.full(len(layout), middle), middle + apart * np.arange(len(layout))]).astype(np.float64)
    moved = tuple(corners - yx + place for corners, yx, place in zip(layout.outlines, layout.yx, places, strict=True))
    alone = replace(layout, yx=places, outlines=moved)
    drawn = _rendered(alone, (apart, apart * len(layout)), appearance, 0)
    mask, image = (torch.from_numpy(part)[None, None] for part in (drawn.mask, drawn.cells))
    plane = compose(torch.full_like(image, FLAT), mask, image, appearance)[0, 0].numpy()
    heights: Floats = look.response_of(plane)[tuple(places.astype(np.int64).T)]
    return heights


def _centres(layout: Layout, shape: tuple[int, int]) -> Floats:
    image = np.zeros(shape, dtype=np.float32)
    pixels = np.rint(layout.yx).astype(np.int64)
    inside = np.all((pixels >= 0) & (pixels < shape), axis=1)
    image[tuple(pixels[inside].T)] = 1
    return image
