"""Contrast of a whole volume: how far a voxel stands above its local background, in noise levels of the tissue.

The field is fitted once, from a coarse pyramid level of the whole volume and a few small full-resolution samples;
it is then a pure function of the absolute voxel position, so that no result depends on how the volume is cut.

    contrast = arcsinh((I - b) / (8 s)),   s^2 = g (median of b - dark)

b is the smooth local background, g the gain of the camera (variance per grey value, the shot noise law of photon
transfer: Janesick 2007, ch. 5) and dark the grey value without light. Multiplying the image by a constant leaves
the contrast as it is. The noise s is that of the tissue's usual light, one number for a volume: the brightness from
which people mark cells is the same in dim and bright tissue of a brain, in grey values above the background.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace, device
from scipy import ndimage

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3, index3

Image = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_STEP_PX: Index3 = (8, 32, 32)
"""Grid of the background in voxels: about ten cell radii, so that cells do not raise it."""

_QUANTILE = 0.4
"""Below the median: crowded cells and their haze brighten more voxels than vessels darken."""

SOFTNESS = 8.0
"""Noise levels up to which contrast is about linear; cells stand some ten above the background."""

_FLAT_NOISE = 0.01
"""Least noise, as a share of the background: smoothed or constant images must not divide by nothing."""

_LIT = 0.1
"""Least light of a sample from which the gain is taken, as a share of the tissue's median."""

_REACH_PX: Index3 = (4, 16, 16)
"""How far the tissue mask is grown, in voxels: a few cell radii."""

_TISSUE_LIGHT = 0.12
"""Least light of tissue, as a share of its median: fibre tracts and ventricles stay, haze around it goes."""

_SAMPLE: Index3 = (1, 64, 64)
_SAMPLES = 48


@dataclass(frozen=True)
class ContrastField:
    """The fitted field; plain arrays, to be stored as they are.

    Args:
        background: (Z, Y, X) float32, the local background b on a grid of blocks of `factors` voxels.
        factors: full-resolution voxels in a voxel of `background`.
        tissue: (Z, Y, X) bool on a grid of blocks of `tissue_factors` voxels.
        tissue_factors: full-resolution voxels in a voxel of `tissue`.
        dark: grey value without light.
        unit: grey values of a noise level.
    """

    background: Floats
    factors: Index3
    tissue: Mask
    tissue_factors: Index3
    dark: float
    unit: float

    def normalise(self, image: Image, box: Box) -> Floats:
        """Contrast of an image (z, y, x) that shows the voxels of `box`; float32, 0 where the image is NaN.

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
        axes = [_weights(box, axis, self.factors, self.background.shape) for axis in range(3)]
        near = np.ascontiguousarray(self.background[tuple(nodes for nodes, _ in axes)])
        depth, rows, columns = (xp.asarray(weights, device=place) for _, weights in axes)
        level = xp.asarray(near.reshape(len(near), -1), device=place)
        for z in range(box.shape[0]):
            local = rows @ xp.reshape(depth[z] @ level, near.shape[1:]) @ columns.T
            contrast = xp.asinh((xp.astype(image[z], xp.float32) - local) / self.scale)
            if not xp.isdtype(image.dtype, "integral"):
                contrast[~xp.isfinite(contrast)] = 0.0
            yield contrast

    @property
    def scale(self) -> float:
        """Grey values above the background at which the contrast is no longer linear."""
        return float(np.float32(SOFTNESS * self.unit))

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
        at = (np.asarray(points_vox, dtype=np.float64).reshape(-1, 3) - (factor - 1) / 2) / factor
        values: npt.NDArray[np.float64] = ndimage.map_coordinates(
            self.background, at.T, order=1, mode="nearest", output=np.float64
        )
        return values


def fit_contrast(
    coarse: Image,
    factors: Index3,
    shape: Index3,
    read: Callable[[Box], Image],
    dark: float | None = None,
) -> ContrastField:
    """Fit the contrast field of a volume.

    Args:
        coarse: (Z, Y, X) means over blocks of `factors` voxels of the whole volume; NaN where nothing was imaged.
        factors: full-resolution voxels in a coarse voxel; a good choice is (2, 8, 8).
        shape: of the full-resolution volume.
        read: gives the full-resolution image of a box; asked for at most 48 boxes of 64 x 64 pixels.
        dark: grey value without light; by default the level of the empty frame around the tissue, or 0
            where the tissue fills the volume.

    Raises:
        InputError: the coarse level does not cover the volume.
    """
    expected = Box.of_shape(shape).divide(factors).shape
    if coarse.shape != expected:
        raise InputError(f"a volume of {shape} has {expected} blocks of {factors}, not {coarse.shape}")
    grid = coarse.astype(np.float32, copy=False)
    lit, level = tissue_mask(grid)
    dark = level if dark is None else float(dark)
    step = index3(max(1, round(s / f)) for s, f in zip(_STEP_PX, factors, strict=True))
    background = local_background(np.where(lit, grid, np.float32(np.nan)), step)
    # An absolute last resort for images that are zero everywhere: any positive number gives zero contrast.
    light = max(float(np.median(background)) - dark, 1e-30)
    samples = [read(box)[0] for box in _sample_boxes(lit, factors, shape)]
    if np.any(grid < 0):
        # Not light any more: something was subtracted. Noise is taken as it is, and judged by what the image spans.
        span = float(np.subtract(*np.nanquantile(grid, [0.99, 0.01])))
        unit = max(math.sqrt(_median_variance(samples)), _FLAT_NOISE * span, 1e-30)
    else:
        unit = max(math.sqrt(_gain(samples, dark, _LIT * light) * light), _FLAT_NOISE * light)
    spacing = index3(s * f for s, f in zip(step, factors, strict=True))
    # Generous by a few cell radii: the mask saves time and must not cost cells.
    reach = [max(1, round(r / f)) for r, f in zip(_REACH_PX, factors, strict=True)]
    tissue: Mask = ndimage.maximum_filter(lit, size=[2 * r + 1 for r in reach])
    return ContrastField(background, spacing, tissue, factors, dark, unit)


def tissue_mask(coarse: Floats) -> tuple[Mask, float]:
    """Where there is tissue (bool, the shape of `coarse`; NaN is none), and the dark level.

    A frame around the tissue is believed only where the darker class of Otsu's threshold (1979) is flat compared
    with its distance from the tissue and reaches the volume's faces; otherwise everything is tissue and the
    dark level is 0.
    """
    finite = np.isfinite(coarse)
    values = coarse.ravel() if finite.all() else coarse[finite]
    whole = (finite, 0.0)
    if values.size == 0 or values.min() == values.max():
        return whole
    roots = np.maximum(values, 0.0)
    np.sqrt(roots, out=roots)
    low = values[values < _otsu(roots) ** 2]
    del roots
    faces = np.concatenate([np.take(coarse, i, axis=a).ravel() for a in range(3) for i in (0, -1)])
    if low.size < 0.03 * values.size:
        return whole
    dark, spread = float(np.median(low)), float(np.subtract(*np.quantile(low, [0.84, 0.16])) / 2)
    rise = float(np.median(values[values > low.max()])) - dark
    if spread > 0.1 * rise or np.mean(faces <= low.max()) < 0.2:
        return whole
    tissue: Mask = finite & (coarse > dark + _TISSUE_LIGHT * rise)
    return tissue, dark


def _otsu(values: Floats) -> float:
    """The threshold that separates two classes best, on a histogram of 256 bins."""
    counts, edges = np.histogram(values, bins=256)
    centres = (edges[1:] + edges[:-1]) / 2
    below, total = np.cumsum(counts), counts.sum()
    mass, whole = np.cumsum(counts * centres), np.sum(counts * centres)
    inner = slice(0, -1)
    mean_low = mass[inner] / np.maximum(below[inner], 1)
    mean_high = (whole - mass[inner]) / np.maximum(total - below[inner], 1)
    between = below[inner] * (total - below[inner]) * (mean_high - mean_low) ** 2.0
    return float(edges[1 + int(np.argmax(between))])


def local_background(coarse: Floats, step: Index3) -> Floats:
    """A low quantile around each point of a grid `step` times coarser; NaN is ignored; float32.

    Windows reach half a step into their neighbours. Points that see no value take the nearest one that does.
    """
    pads = [max(1, s // 2) for s in step]
    counts = [-(-n // s) for n, s in zip(coarse.shape, step, strict=True)]
    widths = [(p, p + c * s - n) for p, c, s, n in zip(pads, counts, step, coarse.shape, strict=True)]
    padded = np.pad(coarse, widths, constant_values=np.nan)
    window = [s + 2 * p for s, p in zip(step, pads, strict=True)]
    views = np.lib.stride_tricks.sliding_window_view(padded, window)[:: step[0], :: step[1], :: step[2]]
    out = np.empty(counts, dtype=np.float32)
    for z in range(counts[0]):
        ordered = np.sort(views[z].reshape(*counts[1:], -1), axis=-1)
        number = np.isfinite(ordered).sum(axis=-1)
        rank = np.floor(_QUANTILE * np.maximum(number - 1, 0)).astype(np.intp)
        out[z] = np.take_along_axis(ordered, rank[..., None], axis=-1)[..., 0]
    return _filled(out)


def _filled(grid: Floats) -> Floats:
    missing = ~np.isfinite(grid)
    if missing.all():
        return np.zeros_like(grid)
    nearest = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    filled: Floats = grid[tuple(nearest)]
    return filled


def _weights(box: Box, axis: int, factors: Index3, shape: tuple[int, ...]) -> tuple[slice, Floats]:
    """Linear interpolation along one axis: the nodes of the grid that the box needs, and their weights.

    The weights are a matrix (voxels of the box, nodes) float32.
    """
    index = np.arange(box.start[axis], box.stop[axis], dtype=np.float64)
    at = np.clip((index - (factors[axis] - 1) / 2) / factors[axis], 0, shape[axis] - 1)
    nodes = slice(int(at[0]), min(int(at[-1]) + 2, shape[axis])) if len(at) else slice(0, 1)
    weights = np.maximum(1 - np.abs(at[:, None] - np.arange(nodes.start, nodes.stop)), 0)
    return nodes, weights.astype(np.float32)


def _sample_boxes(tissue: Mask, factors: Index3, shape: Index3) -> list[Box]:
    """Small boxes of single slices, evenly spread over the tissue."""
    places = np.argwhere(tissue)
    if len(places) == 0:
        return []
    chosen = places[np.linspace(0, len(places) - 1, min(_SAMPLES, len(places))).astype(np.intp)]
    boxes = []
    for place in chosen:
        axes = zip(place, factors, shape, _SAMPLE, strict=True)
        start = index3(max(0, min(int(p) * f - (s - f) // 2, n - s)) for p, f, n, s in axes)
        stop = index3(a + s for a, s in zip(start, _SAMPLE, strict=True))
        boxes.append(Box(start, stop).clip(shape))
    return boxes


def _gain(samples: list[Image], dark: float, floor: float) -> float:
    """Median over samples (y, x) of noise variance / light; 0 where none is lit."""
    gains = []
    for sample in samples:
        grey = sample.astype(np.float64)
        light = float(np.median(grey)) - dark
        if np.isfinite(light) and light >= floor and min(grey.shape) >= 3:
            gains.append(_noise_variance(grey) / light)
    return float(np.median(gains)) if gains else 0.0


def _median_variance(samples: list[Image]) -> float:
    """Median over samples (y, x) of the noise variance; 0 where none can be measured."""
    found = [_noise_variance(sample.astype(np.float64)) for sample in samples if min(sample.shape) >= 3]
    finite = [value for value in found if np.isfinite(value)]
    return float(np.median(finite)) if finite else 0.0


def _noise_variance(image: npt.NDArray[np.float64]) -> float:
    """Variance of white noise in a 2-D image, blind to smooth structure and robust against edges.

    The Laplacian difference of Immerkaer 1996 (eq. 2: response 36 times the variance) with the median absolute
    deviation in place of the mean.
    """
    a = image[:-2] - 2 * image[1:-1] + image[2:]
    response = a[:, :-2] - 2 * a[:, 1:-1] + a[:, 2:]
    return float((1.4826 * np.nanmedian(np.abs(response))) ** 2 / 36)
