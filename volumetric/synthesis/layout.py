"""Where the cells of a tile lie, how large, bright and sure they are, and the mask that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from skimage.draw import polygon2mask

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

POINTS = 16
"""Corners of an outline."""

WOBBLE = 0.2
"""Largest share of its radius by which a corner lies farther out or in."""


@dataclass(frozen=True)
class Layout:
    """The cells of one tile.

    Args:
        yx: (n, 2) centres in pixels; pixel centres are at whole numbers.
        radius_px: (n,).
        light: (n,) how far a cell's middle stands above its surroundings, in noise levels.
        outlines: of each cell, (POINTS, 2) corners y, x, in equal steps of the direction, from that of x on.
        confidence: (n,) how likely people would have marked each, or None where all are sure.
    """

    yx: Floats
    radius_px: Floats
    light: Floats
    outlines: tuple[Floats, ...]
    confidence: Floats | None = None

    def __len__(self) -> int:
        return len(self.yx)

    @property
    def sure(self) -> Floats:
        """(n,) the confidence of each cell."""
        return np.ones(len(self)) if self.confidence is None else self.confidence

    def kept(self, which: npt.NDArray[np.bool_]) -> Layout:
        """The cells that are chosen, (n,) bool."""
        outlines = tuple(one for one, keep in zip(self.outlines, which, strict=True) if keep)
        sure = None if self.confidence is None else self.confidence[which]
        return Layout(self.yx[which], self.radius_px[which], self.light[which], outlines, sure)

    def masks(self, shape: tuple[int, int]) -> list[Mask]:
        """Of each cell, its pixels in a tile (y, x)."""
        return [polygon2mask(shape, corners) for corners in self.outlines]  # type: ignore[no-untyped-call]

    def mask(self, shape: tuple[int, int]) -> Mask:
        """Pixels of any cell, (Y, X) bool."""
        whole = np.zeros(shape, dtype=np.bool_)
        for one in self.masks(shape):
            whole |= one
        return whole


class Sampler(Protocol):
    """What draws layouts."""

    def sample(self, shape: tuple[int, int], rng: np.random.Generator) -> Layout:
        """A layout for a tile (y, x)."""
        ...


def outline(yx: Floats, radius_px: float, rng: np.random.Generator) -> Floats:
    """A circle whose corners wobble, (POINTS, 2) y, x: not all cells are round (section 2.5.3 of the method)."""
    return circle(yx, radius_px * (1 + rng.uniform(-WOBBLE, WOBBLE, POINTS)))


def circle(yx: Floats, radius_px: float | Floats) -> Floats:
    """Corners (POINTS, 2) y, x around a place, at one radius or at one for each, from the direction of x on."""
    angle = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    corners: Floats = yx + np.column_stack([radius_px * np.sin(angle), radius_px * np.cos(angle)])
    return corners


def without_contained(layout: Layout, shape: tuple[int, int]) -> Layout:
    """Without cells that lie wholly within another one, or within several: nobody could tell them apart.

    Of two that are equal the later goes.
    """
    masks = layout.masks(shape)
    keep = np.ones(len(masks), dtype=np.bool_)
    covered = np.sum(masks, axis=0) if masks else np.zeros(shape)
    for i in reversed(range(len(masks))):
        if not np.any(masks[i] & (covered == 1)):
            keep[i] = False
            covered = covered - masks[i]
    return layout.kept(keep)
