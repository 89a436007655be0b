"""Detections on real crops: small places of the brain, raw and with a circle around every cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure

from pipelines.report.picture import length_text, round_length, scale_bar
from volumetric.geometry.box import Box
from volumetric.geometry.space import VoxelSpace
from volumetric.storage.volume import Volume

Floats = npt.NDArray[np.float64]
Image = npt.NDArray[np.float64]

SIDE_UM = 250.0
SIDE_PX = (64, 400)
"""A crop is as many pixels as 250 um hold: cell bodies are seen, and their neighbours too."""

SHARES = (0.99, 0.99, 0.7, 0.7, 0.3, 0.3)
"""Which crops are shown, by their rank among all places with cells: two dense, two middling, two sparse."""

KINDS = {0.99: "dense", 0.7: "middling", 0.3: "sparse"}
_CIRCLE = "#ffd23f"
_WIDER, _LEAST_RADIUS_PX = 1.6, 2.0
"""Circles go around a cell, not over its edge."""


@dataclass(frozen=True)
class Crop:
    """One place: the box of one slice, how crowded it is, and the region most of its cells lie in (0 for none)."""

    box: Box
    kind: str
    region_id: int


def choose_crops(
    vox: Floats, region_id: npt.NDArray[np.int64], shape: tuple[int, int, int], side: int, seed: int
) -> list[Crop]:
    """Places with cells, from dense to sparse and in different regions where there are.

    Args:
        vox: (n, 3) positions of cells in voxels.
        region_id: (n,) region of each cell, 0 for none; places in no region are taken only where no other is.
        shape: of the volume.
        side: of a crop in pixels.
        seed: of the choice among places of alike density.
    """
    inside = region_id > 0 if np.any(region_id > 0) else np.ones(len(vox), dtype=bool)
    rank = np.random.default_rng(seed)
    tiles = [-(-n // side) for n in shape[1:]]
    key = np.zeros(int(inside.sum()), dtype=np.int64)
    for axis, (count, step) in enumerate(zip((shape[0], *tiles), (1, side, side), strict=True)):
        nearest = np.floor(vox[inside, axis] + 0.5).astype(np.int64)
        key = key * count + np.clip(nearest, 0, shape[axis] - 1) // step
    order = np.argsort(key, kind="stable")
    keys, first, counts = np.unique(key[order], return_index=True, return_counts=True)
    regions = region_id[inside][order]
    chosen: list[Crop] = []
    for share in SHARES if len(keys) else ():
        wanted = np.quantile(counts, share, method="nearest")
        alike = rank.permutation(len(keys))
        alike = alike[np.argsort(np.abs(counts[alike] - wanted), kind="stable")][:200]
        crops = [_crop(int(keys[i]), regions[first[i] : first[i] + counts[i]], share, shape, side) for i in alike]
        fresh = [crop for crop in crops if crop.box not in [c.box for c in chosen]]
        others = [crop for crop in fresh if crop.region_id not in [c.region_id for c in chosen]]
        chosen += (others or fresh)[:1]
    return chosen


def crop_side(space: VoxelSpace, shape: tuple[int, int, int]) -> int:
    """Side of a crop in pixels: about 250 um, between 64 and 400 px, not more than the slice has."""
    pixels = round(SIDE_UM / min(space.spacing_um[1:]))
    return int(min(max(pixels, SIDE_PX[0]), SIDE_PX[1], *shape[1:]))


def crop_figure(
    volume: Volume, channel: int, crop: Crop, cells: Floats, *, least_span: float, width_in: float
) -> Figure:
    """The crop as it is, and beside it the same with a circle around each cell.

    Args:
        cells: (n, 3) of the cells seen in the crop: y, x and radius in pixels of the volume.
        least_span: of the display range in grey values, so that mere noise does not look like structure.
    """
    image = volume.read(crop.box, 0, channel)[0].astype(np.float64)
    height, width = image.shape
    down_um, across_um = volume.space.spacing_um[1:]
    panel = (width_in - 0.06) / 2
    tall = panel * (height * down_um) / (width * across_um)
    figure = Figure(figsize=(width_in, tall))
    low, high = display_range(image)
    for left, circled in ((0.0, False), ((panel + 0.06) / width_in, True)):
        axes = figure.add_axes((left, 0, panel / width_in, 1))
        axes.imshow(
            image,
            cmap="gray",
            vmin=low,
            vmax=max(high, low + least_span),
            interpolation="nearest",
            aspect=down_um / across_um,
        )
        axes.set_axis_off()
        axes.set_autoscale_on(False)
        if circled:
            _circles(axes, cells - np.array([*crop.box.start[1:], 0]))
        else:
            length = round_length(width * across_um / 4)
            scale_bar(axes, length / across_um, length_text(length))
    return figure


def display_range(image: Image) -> tuple[float, float]:
    """Grey values shown as black and white: 1 and 99.8 per cent of the finite ones, never equal."""
    values = image[np.isfinite(image)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, [1, 99.8])
    return float(low), float(max(high, low + 1e-6))


def in_crop(crop: Crop, vox: Floats, n_slices: Floats) -> npt.NDArray[np.bool_]:
    """Which cells lie in a crop and reach its slice; (n,) bool."""
    low, high = np.asarray(crop.box.start[1:]) - 0.5, np.asarray(crop.box.stop[1:]) - 0.5
    seen: npt.NDArray[np.bool_] = np.abs(vox[:, 0] - crop.box.start[0]) <= np.maximum(n_slices, 1) / 2
    seen &= np.all((vox[:, 1:] >= low) & (vox[:, 1:] < high), axis=1)
    return seen


def _circles(axes: Axes, cells: Floats) -> None:
    across = 2 * _WIDER * np.maximum(np.nan_to_num(cells[:, 2]), _LEAST_RADIUS_PX)
    circles = EllipseCollection(
        across,
        across,
        np.zeros(len(cells)),
        units="xy",
        offsets=cells[:, 1::-1],
        offset_transform=axes.transData,
        facecolors="none",
        edgecolors=_CIRCLE,
        linewidths=0.9,
    )
    axes.add_collection(circles, autolim=False)


def _crop(key: int, regions: npt.NDArray[np.int64], share: float, shape: tuple[int, int, int], side: int) -> Crop:
    tiles = (shape[0], -(-shape[1] // side), -(-shape[2] // side))
    number, row, column = (int(i) for i in np.unravel_index(key, tiles))
    # The last tile of an axis is moved inwards, so that all crops are of one size.
    y, x = (min(i * side, n - side) for i, n in zip((row, column), shape[1:], strict=True))
    ids, counts = np.unique(regions, return_counts=True)
    return Crop(Box((number, y, x), (number + 1, y + side, x + side)), KINDS[share], int(ids[np.argmax(counts)]))
