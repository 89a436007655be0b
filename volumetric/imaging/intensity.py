"""Contrast of a whole volume: how far a voxel stands above its local background, in noise levels of the tissue.

The field is fitted once, from a coarse pyramid level of the whole volume and a few small full-resolution samples;
it is then a pure function of the absolute voxel position, so that no result depends on how the volume is cut.

    contrast = arcsinh((I - b) / (8 s))

b is the smooth local background and s the standard deviation of the noise where the tissue has its usual light,
measured there. A constant added to the image, its gain and its data type leave the contrast as it is, and so do empty
surroundings and bright objects elsewhere. The noise is one number for a volume: the brightness from which people
mark cells is the same in dim and bright tissue of a brain, in grey values above the background.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace, device
from scipy import ndimage

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3, index3
from volumetric.imaging.frame import find_parts
from volumetric.imaging.noise import usual_noise

Image = npt.NDArray[Any]
Floats = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]

_STEP_PX: Index3 = (8, 32, 32)
"""Grid of the background in voxels: about ten cell radii, so that cells do not raise it."""

_QUANTILE = 0.4
"""Below the median: crowded cells and their haze brighten more voxels than vessels darken."""

_FEW = 0.2
"""Least share of the values of a full window."""

SOFTNESS = 8.0
"""Noise levels up to which contrast is about linear; cells stand some ten above the background."""

_REACH_PX: Index3 = (4, 16, 16)
"""How far the tissue mask is grown, in voxels: a few cell radii."""

_USUAL = (0.4, 0.6)
"""Quantiles of the tissue's light between which it is usual. Neither dark nor bright objects are among it."""

_SAMPLE: Index3 = (4, 32, 32)
_SAMPLES = 128


@dataclass(frozen=True)
class ContrastField:
    """The fitted field; plain arrays, to be stored as they are.

    Args:
        zero: grey value from which `background` is counted, so that its digits are not spent on a large offset.
        background: (Z, Y, X) float32 or float64, the local background b less `zero`, on a grid of blocks of
            `factors` voxels.
        corner: full-resolution voxel at which the grid of `background` begins; it may lie before the volume.
        factors: full-resolution voxels in a voxel of `background`.
        tissue: (Z, Y, X) bool on a grid of blocks of `tissue_factors` voxels, grown by a few cell radii.
        tissue_factors: full-resolution voxels in a voxel of `tissue`.
        padding: (Z, Y, X) bool on the same grid, where voxels of the value `fill` were not imaged.
        fill: grey value of padding, NaN where there is none.
        share: of the volume that is tissue.
        dark: grey value of the empty frame, NaN where none is seen.
        unit: grey values of a noise level.
    """

    zero: float
    background: Floats
    corner: Index3
    factors: Index3
    tissue: Mask
    tissue_factors: Index3
    padding: Mask
    fill: float
    share: float
    dark: float
    unit: float

    def normalise(self, image: Image, box: Box) -> Floats:
        """Contrast of an image (z, y, x) that shows the voxels of `box`; float32, 0 where nothing was imaged.

        Raises:
            InputError: the image has not the box's shape.
        """
        out = np.empty(box.shape, dtype=np.float32)
        for plane, contrast in zip(out, self.planes(image, box), strict=True):
            plane[:] = contrast
        return out

    def planes(self, image: Any, box: Box) -> Iterator[Any]:  # noqa: ANN401 - any library's array
        """The same, slice by slice, (y, x) each: the temporaries of a whole block would cost four times its size.

        The image is an array of numpy, torch, cupy or any library of the array API standard, wherever it lies; the
        contrast is one of the same kind at the same place.
        """
        if tuple(image.shape) != box.shape:
            raise InputError(f"an image of shape {tuple(image.shape)} cannot show the box {box.start} to {box.stop}")
        xp, place = array_namespace(image), device(image)
        seen = box.relative_to(Box(self.corner, self.corner))
        axes = [_weights(seen, axis, self.factors, self.background.shape) for axis in range(3)]
        near = np.ascontiguousarray(self.background[tuple(nodes for nodes, _ in axes)])
        depth, rows, columns = (xp.asarray(weights, device=place) for _, weights in axes)
        level = xp.asarray(self.zero + near.reshape(len(near), -1).astype(np.float64), device=place)
        for z in range(box.shape[0]):
            local = rows @ xp.reshape(depth[z] @ level, near.shape[1:]) @ columns.T
            # Rounded once: integers of another gain or offset give the same float32, bit for bit.
            height = xp.astype(image[z], xp.float64)
            height -= local
            height /= self.scale
            contrast = xp.asinh(xp.astype(height, xp.float32))
            if not xp.isdtype(image.dtype, "integral"):
                contrast[~xp.isfinite(contrast)] = 0.0
            padding = self._padding_in(box, z)
            if padding is not None:
                contrast[(image[z] == self.fill) & xp.asarray(padding, device=place)] = 0.0
            yield contrast

    def _padding_in(self, box: Box, z: int) -> Mask | None:
        """Pixels (y, x) of slice number `z` of a box that may be padding, or None where none is."""
        plane = Box((box.start[0] + z, *box.start[1:]), (box.start[0] + z + 1, *box.stop[1:]))
        blocks = plane.divide(self.tissue_factors)
        near = self.padding[blocks.slices]
        if not near.any():
            return None
        whole = near[0].repeat(self.tissue_factors[1], axis=0).repeat(self.tissue_factors[2], axis=1)
        pixels: Mask = whole[plane.relative_to(blocks.multiply(self.tissue_factors)).slices[1:]]
        return pixels

    @property
    def scale(self) -> float:
        """Grey values above the background at which the contrast is no longer linear."""
        return SOFTNESS * self.unit

    def contrast(self, grey: npt.NDArray[np.float64], background: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Contrast of grey values on a known background; float64, 0 where they are NaN."""
        values: npt.NDArray[np.float64] = np.nan_to_num(np.arcsinh((grey - background) / self.scale))
        return values

    def tissue_in(self, box: Box) -> bool:
        """Whether any voxel of the box may be tissue."""
        return bool(self.tissue[box.divide(self.tissue_factors).clip(self.tissue.shape).slices].any())

    def background_at(self, points_vox: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Local background at (n, 3) voxel coordinates, trilinear; float64 (n,)."""
        factor = np.asarray(self.factors, dtype=np.float64)
        at = (np.asarray(points_vox, dtype=np.float64).reshape(-1, 3) - self.corner - (factor - 1) / 2) / factor
        values: npt.NDArray[np.float64] = ndimage.map_coordinates(
            self.background, at.T, order=1, mode="nearest", output=np.float64
        )
        return self.zero + values


def fit_contrast(
    coarse: Image,
    factors: Index3,
    shape: Index3,
    read: Callable[[Box], Image],
) -> ContrastField:
    """Fit the contrast field of a volume.

    Args:
        coarse: (Z, Y, X) means over blocks of `factors` voxels of the whole volume; NaN where nothing was imaged.
        factors: full-resolution voxels in a coarse voxel; a good choice is (2, 8, 8).
        shape: of the full-resolution volume.
        read: gives the full-resolution image of a box; asked for at most 128 boxes of 4 x 32 x 32 voxels.

    Raises:
        InputError: the coarse level does not cover the volume.
    """
    expected = Box.of_shape(shape).divide(factors).shape
    if coarse.shape != expected:
        raise InputError(f"a volume of {shape} has {expected} blocks of {factors}, not {coarse.shape}")
    finite = coarse[np.isfinite(coarse)]
    zero = float(np.floor(np.median(finite))) if finite.size else 0.0
    grid = coarse - zero if coarse.dtype == np.float64 else coarse - np.float32(zero)
    parts = find_parts(grid)
    lit = parts.tissue
    step = index3(max(1, round(s / f)) for s, f in zip(_STEP_PX, factors, strict=True))
    # Counted from where the image begins and one step wider: padding moves no point of the grid and adds none.
    imaged = _bounds(parts.imaged)
    background = local_background(np.where(lit, grid, grid.dtype.type(np.nan))[imaged.slices], step)
    samples = [plane for box in _sample_boxes(grid, lit, factors, shape) for plane in read(box)]
    # Without any noise whatever, contrast is in hundredths of what the image spans; a constant image has none.
    span = float(np.ptp(finite)) if finite.size else 0.0
    unit = usual_noise(samples) or 0.01 * span or 1.0
    spacing = index3(s * f for s, f in zip(step, factors, strict=True))
    # Generous by a few cell radii: the mask saves time and must not cost cells.
    reach = [max(1, round(r / f)) for r, f in zip(_REACH_PX, factors, strict=True)]
    tissue: Mask = ndimage.maximum_filter(lit, size=[2 * r + 1 for r in reach])
    return ContrastField(
        zero=zero,
        background=background,
        corner=index3((a - s) * f for a, s, f in zip(imaged.start, step, factors, strict=True)),
        factors=spacing,
        tissue=tissue,
        tissue_factors=factors,
        padding=parts.padding,
        fill=zero + parts.fill,
        share=float(lit.mean()),
        dark=zero + parts.dark,
        unit=unit,
    )


def local_background(coarse: Floats, step: Index3) -> Floats:
    """A low quantile around each point of a grid `step` times coarser, from one step before the first.

    Windows reach half a step into their neighbours, NaN is ignored. Points that see few values take the nearest one
    that sees more: at a bright rim, or beyond the tissue, they would tell of little else.
    """
    pads = [max(1, s // 2) for s in step]
    counts = [-(-n // s) + 2 for n, s in zip(coarse.shape, step, strict=True)]
    widths = [(p + s, p + (c - 1) * s - n) for p, c, s, n in zip(pads, counts, step, coarse.shape, strict=True)]
    padded = np.pad(coarse, widths, constant_values=np.nan)
    window = [s + 2 * p for s, p in zip(step, pads, strict=True)]
    views = np.lib.stride_tricks.sliding_window_view(padded, window)[:: step[0], :: step[1], :: step[2]]
    out, seen = np.empty(counts, dtype=coarse.dtype), np.empty(counts, dtype=np.intp)
    for z in range(counts[0]):
        ordered = np.sort(views[z].reshape(*counts[1:], -1), axis=-1)
        seen[z] = np.isfinite(ordered).sum(axis=-1)
        rank = np.floor(_QUANTILE * np.maximum(seen[z] - 1, 0)).astype(np.intp)
        out[z] = np.take_along_axis(ordered, rank[..., None], axis=-1)[..., 0]
    out[seen < _FEW * seen.max()] = np.nan
    return _filled(out)


def _filled(grid: Floats) -> Floats:
    missing = ~np.isfinite(grid)
    if missing.all():
        return np.zeros_like(grid)
    nearest = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    filled: Floats = grid[tuple(nearest)]
    return filled


def _weights(box: Box, axis: int, factors: Index3, shape: tuple[int, ...]) -> tuple[slice, npt.NDArray[np.float64]]:
    """Linear interpolation along one axis: the nodes of the grid that the box needs, and their weights.

    The weights are a matrix (voxels of the box, nodes) float64.
    """
    index = np.arange(box.start[axis], box.stop[axis], dtype=np.float64)
    at = np.clip((index - (factors[axis] - 1) / 2) / factors[axis], 0, shape[axis] - 1)
    nodes = slice(int(at[0]), min(int(at[-1]) + 2, shape[axis])) if len(at) else slice(0, 1)
    return nodes, np.maximum(1 - np.abs(at[:, None] - np.arange(nodes.start, nodes.stop)), 0)


def _bounds(mask: Mask) -> Box:
    """The smallest box with all that is True; everything where nothing is."""
    if not mask.any():
        return Box.of_shape(mask.shape)
    lines = [np.flatnonzero(mask.any(axis=tuple(o for o in range(3) if o != axis))) for axis in range(3)]
    return Box(index3(line[0] for line in lines), index3(line[-1] + 1 for line in lines))


def _sample_boxes(grid: Floats, tissue: Mask, factors: Index3, shape: Index3) -> list[Box]:
    """Small boxes, evenly spread over the tissue of usual light; inside it where there is room."""
    if not tissue.any():
        return []
    low, high = np.quantile(grid[tissue], _USUAL)
    usual = tissue & (grid >= low) & (grid <= high)
    around = [1 + 2 * -(-s // (2 * f)) for s, f in zip(_SAMPLE, factors, strict=True)]
    inside = usual & ndimage.minimum_filter(tissue, around, mode="constant", cval=0)
    places = np.argwhere(inside if inside.any() else usual)
    chosen = places[np.linspace(0, len(places) - 1, min(_SAMPLES, len(places))).astype(np.intp)]
    boxes = []
    for place in chosen:
        axes = zip(place, factors, shape, _SAMPLE, strict=True)
        start = index3(max(0, min(int(p) * f - (s - f) // 2, n - s)) for p, f, n, s in axes)
        stop = index3(a + s for a, s in zip(start, _SAMPLE, strict=True))
        boxes.append(Box(start, stop).clip(shape))
    return boxes
