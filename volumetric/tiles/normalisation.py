"""One brightness for all tiles of a brain: grey values to 8 bits by two numbers, black and white.

Both are quantiles of pixels spread evenly over the brain, whatever regions and tiles are asked for: a dim tile looks
dim beside a bright one, and tiles cut tomorrow look like those of today.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3, index3
from volumetric.geometry.space import VoxelSpace

PLACES = 2_000
"""Places looked at in the volume's box; a brain fills about a third of it."""

PATCH: Index3 = (1, 64, 64)
"""Pixels read at each place that lies in the brain."""


@dataclass(frozen=True)
class Normalisation:
    """Grey values shown as 0 and as 255; linear between, cut off beyond.

    Laws: brighter pixels are never shown darker; `to_8bit(a * image)` under `a` times both numbers is the same.
    Raises `InputError` where white is not above black.
    """

    black: float
    white: float

    def __post_init__(self) -> None:
        if not self.white > self.black:
            raise InputError(
                f"the brain shows nothing: its pixels are {self.black:g} at the black quantile and {self.white:g} at "
                "the white one. Look at the image and its channel, or choose other quantiles (--black, --white)"
            )

    @classmethod
    def fit(cls, pixels: npt.NDArray[Any], black: float, white: float) -> Normalisation:
        """From pixels of the brain, any shape, and two quantiles; NaN is left out.

        Raises `InputError` where there is no pixel, or all are alike.
        """
        values = pixels[np.isfinite(pixels)].astype(np.float64)
        if values.size == 0:
            raise InputError("no pixel of the volume lies in the registered brain: is it another brain's registration?")
        low, high = np.quantile(values, [black, white])
        return cls(float(low), float(high))

    def to_8bit(self, image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """The image, any shape, as uint8, rounded half up; NaN is black."""
        share = (image.astype(np.float64) - self.black) / (self.white - self.black)
        grey = np.floor(255 * np.clip(np.nan_to_num(share), 0, 1) + 0.5)
        shown: npt.NDArray[np.uint8] = grey.astype(np.uint8)
        return shown


def spread(shape: Index3, space: VoxelSpace, places: int = PLACES) -> npt.NDArray[np.intp]:
    """Voxels (n, 3) at about equal distances in um throughout a volume.

    They are about `places`, fewer where patches around so many would show a small volume more than once.
    """
    extent = np.asarray(space.extent_um(shape))
    number = min(places, max(1, Box.of_shape(shape).size // Box.of_shape(PATCH).size))
    step = (float(np.prod(extent)) / number) ** (1 / 3)
    counts = [int(min(n, max(1, round(e / step)))) for n, e in zip(shape, extent, strict=True)]
    along = [((np.arange(c) + 0.5) * n / c).astype(np.intp) for n, c in zip(shape, counts, strict=True)]
    return np.stack(np.meshgrid(*along, indexing="ij"), axis=-1).reshape(-1, 3)


def patch(place: npt.NDArray[np.intp], shape: Index3) -> Box:
    """The pixels to read around a voxel, within the volume."""
    start = index3(max(0, min(p - s // 2, n - s)) for p, s, n in zip(place, PATCH, shape, strict=True))
    return Box(start, index3(a + s for a, s in zip(start, PATCH, strict=True))).clip(shape)
