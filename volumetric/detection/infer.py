"""Peaks of a block of slices, the same however the volume is cut into blocks.

The network always sees whole tiles of one lattice over the volume, with a halo of at least its receptive radius, the
neighbouring slices that it was made for, and zero contrast beyond the volume. A peak belongs to the tile and to the
block that hold the first pixel of its output cell. A block whose edges are tile edges computes nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from volumetric.detection.batches import batch_of, in_batches, on_device
from volumetric.detection.model import Detector
from volumetric.detection.targets import decode
from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3
from volumetric.imaging.intensity import ContrastField
from volumetric.points.linking import PEAK_COLUMNS

Image = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

TILE_PX = 512
"""Edge of a tile's core: with a halo of 8 px, 94% of the work is not overlap, and the layers stay below 32 MiB."""


def read_box(write: Box, shape: Index3, detector: Detector) -> Box:
    """What a block needs to read to find the peaks of its write box: whole tiles, halo and neighbouring slices."""
    tiles = write.divide((1, TILE_PX, TILE_PX)).multiply((1, TILE_PX, TILE_PX))
    return tiles.grow((detector.settings.neighbours, detector.halo_px, detector.halo_px)).clip(shape)


def detect_block(
    image: Image,
    read: Box,
    write: Box,
    *,
    shape: Index3,
    field: ContrastField,
    detector: Detector,
) -> pd.DataFrame:
    """Peaks in the write box, slice by slice.

    Args:
        image: (z, y, x) grey values of `read`, any numeric type.
        read: `read_box(write, shape, detector)` or more.
        write: the block's own voxels.
        shape: of the whole volume.
        field: contrast of the whole volume.
        detector: runs where it was loaded; on a CPU it uses the threads that torch has.

    Returns:
        One row a peak, ordered by slice, tile, row and column: `z_vox` int64; `y_vox`, `x_vox` float64;
        `score` (0 to 1), `radius_px`, `intensity` (grey value, mean of 3 x 3), `background` (grey value) and
        `contrast` (mean of 3 x 3 above that background), all float64.

    Raises:
        InputError: the read box is too small, or the image does not have its shape.
    """
    needed = read_box(write, shape, detector)
    if needed.intersect(read) != needed or image.shape != read.shape:
        raise InputError(
            f"to find the peaks of {write} the image must show at least {needed}, got {read} of shape {image.shape}"
        )
    parts = [
        part
        for tile in _tiles(write, shape)
        if field.tissue_in(tile)
        for part in _tile_peaks(image, read, tile, write, field=field, detector=detector)
    ]
    columns = np.concatenate([*parts, np.empty((0, len(PEAK_COLUMNS)))])
    ordered = columns[np.argsort(columns[:, 0], kind="stable")]
    return pd.DataFrame(ordered, columns=list(PEAK_COLUMNS)).astype({"z_vox": np.int64})


def _tiles(write: Box, shape: Index3) -> Iterator[Box]:
    """The cores of the tiles that meet the write box, through all its slices, clipped to the volume."""
    lattice = write.divide((1, TILE_PX, TILE_PX))
    first, last = write.start[0], write.stop[0]
    for v in range(lattice.start[1], lattice.stop[1]):
        for u in range(lattice.start[2], lattice.stop[2]):
            yield Box((first, v, u), (last, v + 1, u + 1)).multiply((1, TILE_PX, TILE_PX)).clip(shape)


def _tile_peaks(
    image: Image, read: Box, tile: Box, write: Box, *, field: ContrastField, detector: Detector
) -> Iterator[npt.NDArray[np.float64]]:
    """The peaks of a tile, slice by slice where it may show tissue."""
    near, halo, lattice = detector.settings.neighbours, detector.halo_px, detector.network.backbone.multiple_px
    needed = tile.grow((near, halo, halo))
    height, width = (-(-n // lattice) * lattice for n in needed.shape[1:])
    whole = Box(needed.start, (needed.stop[0], needed.start[1] + height, needed.start[2] + width))
    seen = needed.intersect(read)
    raw = on_device(image[seen.relative_to(read).slices], detector.device)
    shown = torch.zeros(whole.shape, dtype=detector.dtype, device=detector.device)
    for place, contrast in zip(shown[seen.relative_to(whole).slices], field.planes(raw, seen), strict=True):
        place.copy_(torch.as_tensor(contrast))
    planes = [k for k in range(tile.shape[0]) if field.tissue_in(_plane(tile, k))]
    for first, several in in_batches(planes, batch_of(detector.device), partial(_peaks, shown, detector)):
        for k, found in zip(planes[first:], several, strict=False):
            z = tile.start[0] + k
            peaks = found.of(_plane(tile, k).intersect(write), np.asarray(whole.start[1:]))
            points = np.column_stack([np.full(len(peaks.yx), float(z)), peaks.yx])
            grey = _around(image[z - read.start[0]], np.rint(peaks.yx).astype(np.int64) - read.start[1:])
            background = field.background_at(points)
            yield np.column_stack(
                [
                    points,
                    1 / (1 + np.exp(-peaks.logit.astype(np.float64))),
                    np.maximum(peaks.size.mean(axis=1), 0.0) / 2,
                    grey.mean(axis=1),
                    background,
                    field.contrast(grey, background[:, None]).mean(axis=1),
                ]
            )


def _plane(tile: Box, k: int) -> Box:
    """Slice number k of a tile."""
    z = tile.start[0] + k
    return Box((z, *tile.start[1:]), (z + 1, *tile.stop[1:]))


@dataclass(frozen=True)
class _Peaks:
    """The local maxima of one tile: their cells' first pixels (n, 2) in the tile, and what the network says of them."""

    first: Ints
    logit: Floats
    yx: npt.NDArray[np.float64]
    size: Floats

    def of(self, own: Box, corner: Ints) -> _Peaks:
        """Those whose cell begins in a box, in pixels of the volume; `corner` is the tile's first."""
        first = self.first + corner
        keep = np.all((first >= own.start[1:]) & (first < own.stop[1:]), axis=1)
        return _Peaks(first[keep], self.logit[keep], self.yx[keep] + corner, self.size[keep])


@torch.inference_mode()
def _peaks(shown: torch.Tensor, detector: Detector, chosen: Sequence[int], together: int) -> list[_Peaks]:
    """The local maxima of some slices, each from its and its neighbours' contrast.

    Args:
        shown: (n + 2 neighbours, y, x) contrast on the detector's device, in the type it computes in.
        detector: the network.
        chosen: numbers of slices, at most `together`.
        together: slices that the network is shown; the last one fills up, so that it always does the same.
    """
    stride, seen = detector.settings.stride, 2 * detector.settings.neighbours + 1
    numbers = [*chosen, *[chosen[-1]] * (together - len(chosen))]
    stacks = torch.stack([shown[k : k + seen] for k in numbers])
    features = detector.network.features(stacks)[: len(chosen)]
    threshold = float(torch.logit(torch.tensor(detector.settings.peak_threshold, dtype=torch.float64)))
    above, logits = detector.network.centres(features, threshold)
    top = local_maxima(above, logits, (len(chosen), *(n // stride for n in shown.shape[1:])))
    cells = above[top]
    score = logits[top].cpu().numpy()
    values = detector.network.at(features, cells).cpu().numpy()
    places = cells.cpu().numpy()
    # Offsets a little outside their cell are noise of the regression; further away is another cell's business.
    offset = np.clip(values[:, 1:3], -0.5, 1.5)
    yx = decode(places[:, 1:], offset, stride)
    ends = np.searchsorted(places[:, 0], np.arange(len(chosen) + 1))
    parts = [slice(a, b) for a, b in pairwise(ends)]
    return [_Peaks(places[p, 1:] * stride, score[p], yx[p], values[p, 3:5]) for p in parts]


def local_maxima(cells: torch.Tensor, logits: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Which cells no neighbour of their 3 x 3 exceeds, nor equals if it comes before them in row order; bool (k,).

    Args:
        cells: (k, 3) image, row and column; those not among them are taken to be lower.
        logits: (k,) of these cells: probabilities near 1 collapse to equal floats.
        shape: images, rows and columns.
    """
    images, rows, columns = shape
    edged = logits.new_full((images * (rows + 2) * (columns + 2),), -torch.inf)
    image, row, column = cells.unbind(dim=1)
    at = (image * (rows + 2) + row + 1) * (columns + 2) + column + 1
    edged[at] = logits
    top = torch.ones_like(logits, dtype=torch.bool)
    for dy, dx in product((-1, 0, 1), repeat=2):
        step = dy * (columns + 2) + dx
        if step:
            beside = edged[at + step]
            top &= beside < logits if step < 0 else beside <= logits
    return top


def _around(image: Image, at: Ints) -> npt.NDArray[np.float64]:
    """The 3 x 3 values around each pixel (y, x), the image's edge repeated; float64 (n, 9)."""
    around = at[:, :, None] + np.arange(-1, 2)
    rows, columns = (np.clip(around[:, axis], 0, image.shape[axis] - 1) for axis in range(2))
    values: npt.NDArray[np.float64] = image[rows[:, :, None], columns[:, None, :]].reshape(-1, 9).astype(np.float64)
    return values
