"""Whether what is in the truth can be seen, and what can be seen is in the truth.

A plane is looked at through a difference of two Gaussians as wide as a cell and as its surroundings (Marr and Hildreth
1980), which is high where something of a cell's size stands out. A cell is *invisible* where its place does not reach a
threshold, a *phantom* is a maximum that reaches it away from every cell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch.nn import functional

from volumetric.imaging.maxima import local_maxima

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

SURROUNDINGS = 2.5
"""Width of the second Gaussian over that of the first."""

MARGIN = 0.15
"""Share of the threshold from which a generator learns to keep away."""


@dataclass(frozen=True)
class Visibility:
    """How to look.

    Args:
        radius_px: of a usual cell; the first Gaussian has a sigma of this over the root of two.
        threshold: of the response, on the scale of a plane's values, 0 to 1.
    """

    radius_px: float
    threshold: float

    @property
    def near_px(self) -> float:
        """How far from a cell's centre a maximum is still its own."""
        return 1.5 * self.radius_px

    def response(self, plane: torch.Tensor) -> torch.Tensor:
        """Of planes (n, 1, Y, X); the same shape."""
        narrow, wide = self._sigmas
        return _blurred(plane, narrow) - _blurred(plane, wide)

    def response_of(self, plane: Floats) -> Floats:
        """The same of one plane (Y, X) that is no tensor, and faster."""
        narrow, wide = (
            ndimage.gaussian_filter(plane, sigma, mode="mirror", radius=_reach(sigma, plane.shape))
            for sigma in self._sigmas
        )
        response: Floats = narrow - wide
        return response

    @property
    def _sigmas(self) -> tuple[float, float]:
        narrow = self.radius_px / math.sqrt(2)
        return narrow, SURROUNDINGS * narrow

    def loss(self, planes: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
        """By how much cells fall short of the threshold and everything else exceeds it, in thresholds; a scalar.

        It is the sum over the cells, and the other pixels, of a plane; the mean over planes.

        Args:
            planes: (n, 1, Y, X).
            centres: the same shape, 1 at the pixel of each cell's centre.
        """
        share = self.response(planes) / self.threshold
        reach = 2 * math.ceil(self.near_px) + 1
        highest = functional.max_pool2d(share, reach, stride=1, padding=reach // 2)
        near = functional.max_pool2d(centres, reach, stride=1, padding=reach // 2)
        short = functional.relu(1 + MARGIN - highest) * centres
        beyond = functional.relu(share - (1 - MARGIN)) * (1 - near)
        loss: torch.Tensor = (short + beyond).sum(dim=(1, 2, 3)).mean()
        return loss

    def spots(self, plane: Floats) -> Points:
        """All that is seen in a plane (Y, X), whatever it is: (n, 2) y, x in pixels."""
        return local_maxima(self.response_of(plane), self.threshold).astype(np.float64)

    def judged(self, plane: Floats, cells: Points) -> Seen:
        """Of one plane (Y, X) and its cells (n, 2), y, x in pixels."""
        response = self.response_of(plane)
        tops = local_maxima(response, self.threshold)
        if not len(cells):
            return Seen(0, 0, len(tops))
        pixels = np.clip(np.rint(cells).astype(np.int64), 0, np.asarray(plane.shape) - 1)
        highest = ndimage.maximum_filter(response, footprint=self._near)[tuple(pixels.T)]
        away = np.linalg.norm(tops[:, None] - cells[None], axis=2).min(axis=1) > self.near_px
        return Seen(len(cells), int((highest < self.threshold).sum()), int(away.sum()))

    @property
    def _near(self) -> npt.NDArray[np.bool_]:
        """A disc of the pixels near a cell's centre."""
        along = np.arange(-math.floor(self.near_px), math.floor(self.near_px) + 1)
        disc: npt.NDArray[np.bool_] = np.hypot(*np.meshgrid(along, along)) <= self.near_px
        return disc


@dataclass(frozen=True)
class Seen:
    """Cells of the truth, those of them that cannot be seen, and what can be seen and is not in the truth."""

    cells: int
    invisible: int
    phantoms: int

    def __add__(self, other: Seen) -> Seen:
        mine, its = vars(self).values(), vars(other).values()
        return Seen(*(a + b for a, b in zip(mine, its, strict=True)))


def _blurred(plane: torch.Tensor, sigma: float) -> torch.Tensor:
    """With a Gaussian, mirrored at the border."""
    reach = _reach(sigma, plane.shape[2:])
    at = torch.arange(-reach, reach + 1, device=plane.device, dtype=plane.dtype)
    kernel = torch.exp(-(at**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = functional.pad(plane, (reach, reach, reach, reach), mode="reflect")
    rows = functional.conv2d(padded, kernel[None, None, :, None])
    return functional.conv2d(rows, kernel[None, None, None, :])


def _reach(sigma: float, shape: Sequence[int]) -> int:
    """Pixels to which a Gaussian is taken: four sigmas, less in a small plane."""
    return min(math.ceil(4 * sigma), *(n - 1 for n in shape))
