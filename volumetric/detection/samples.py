"""Training batches from volumes with known cells: which slices show a cell, and random windows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from volumetric.detection.losses import TargetBatch
from volumetric.detection.targets import Targets, make_targets
from volumetric.errors import InputError

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

_VISIBLE = 0.5
"""A slice shows a cell where it is at least this bright, compared with its brightest slice."""

_DARK = 0.1
"""Below this share a slice shows no more of a cell; between the two is the rim, which teaches nothing."""

_FAINT = 1.0
"""Cells whose brightest 3 x 3 pixels stand less than this many noise levels out are not asked for."""


@dataclass(frozen=True)
class TrainingCrop:
    """A volume ready to be cut into training windows.

    Args:
        contrast: (z, y, x) float32 of `imaging.intensity`.
        shown: (n, 4) float64, slice, y, x and radius in pixels of each visible cross-section.
        rims: (m, 4) the same for cross-sections that must not teach.
    """

    contrast: Floats
    shown: Points
    rims: Points


def training_crop(contrast: Floats, cells: pd.DataFrame) -> TrainingCrop:
    """Sort the cross-sections of known cells into visible ones and rims.

    Args:
        contrast: (z, y, x) float32, `imaging.intensity` of the volume.
        cells: columns `z_vox, y_vox, x_vox, radius_px, half_slices` (half the height, in slices).
    """
    shown, rims = [], []
    columns = cells[["z_vox", "y_vox", "x_vox", "radius_px", "half_slices"]].to_numpy(dtype=np.float64)
    for z, y, x, radius, half in columns:
        slices = np.arange(max(0, np.ceil(z - half - 1.5)), min(len(contrast) - 1, z + half + 1.5) + 1, dtype=int)
        if len(slices) == 0:
            continue
        # Linear contrast: a share of the light is meant, not of its arcsinh.
        light = np.sinh(_around(contrast, slices, y, x))
        depth = np.abs(slices - z)
        best = float(light[depth <= max(half, depth.min())].max())
        bright = (depth <= half + 0.25) & (light >= _VISIBLE * best)
        visible = ((depth <= 0.5) | bright) & (best >= _FAINT)
        rim = ~visible & ((light >= _DARK * best) | (depth <= half))
        row = (y, x, radius)
        shown += [(k, *row) for k in slices[visible]]
        rims += [(k, *row) for k in slices[rim]]
    return TrainingCrop(contrast, np.asarray(shown).reshape(-1, 4), np.asarray(rims).reshape(-1, 4))


def _around(contrast: Floats, slices: npt.NDArray[np.int64], y: float, x: float) -> Floats:
    """Mean of the 3 x 3 pixels around (y, x) in some slices."""
    v, u = (int(np.clip(round(p), 1, n - 2)) for p, n in zip((y, x), contrast.shape[1:], strict=True))
    mean: Floats = contrast[slices, v - 1 : v + 2, u - 1 : u + 2].mean(axis=(1, 2))
    return mean


def sample_batch(
    crops: Sequence[TrainingCrop], rng: np.random.Generator, count: int, window_px: int, stride: int
) -> tuple[torch.Tensor, TargetBatch]:
    """Random windows, turned, flipped and rescaled in contrast: images (count, 1, H, W) and their targets.

    Raises:
        InputError: a crop is smaller than the window.
    """
    images, targets = [], []
    for _ in range(count):
        image, target = _window(crops[int(rng.integers(len(crops)))], rng, window_px, stride)
        images.append(image)
        targets.append(target)
    cells = [np.column_stack([np.full(len(t.cells), i), t.cells]) for i, t in enumerate(targets)]
    batch = TargetBatch(
        torch.from_numpy(np.stack([t.heatmap for t in targets])),
        torch.from_numpy(np.stack([t.weight for t in targets])),
        torch.from_numpy(np.concatenate(cells).astype(np.int64)),
        torch.from_numpy(np.concatenate([t.offset for t in targets])),
        torch.from_numpy(np.concatenate([t.size for t in targets])),
    )
    return torch.from_numpy(np.stack(images)[:, None]), batch


def _window(crop: TrainingCrop, rng: np.random.Generator, size: int, stride: int) -> tuple[Floats, Targets]:
    depth, height, width = crop.contrast.shape
    if min(height, width) < size:
        raise InputError(f"a training crop of {height} x {width} pixels is smaller than the window of {size}")
    z, y, x = (int(rng.integers(n)) for n in (depth, height - size + 1, width - size + 1))
    image = crop.contrast[z, y : y + size, x : x + size]
    shown, rims = (rows[rows[:, 0] == z][:, 1:] - (y, x, 0) for rows in (crop.shown, crop.rims))
    swap, flips = bool(rng.integers(2)), rng.integers(2, size=2).astype(bool)
    if swap:
        image = image.T
        shown, rims = shown[:, [1, 0, 2]], rims[:, [1, 0, 2]]
    for axis in (0, 1):
        if flips[axis]:
            image = np.flip(image, axis)
            for rows in (shown, rims):
                rows[:, axis] = size - 1 - rows[:, axis]
    target = make_targets(
        (size, size), shown[:, :2], shown[:, 2], stride, ignored_px=rims[:, :2], ignored_radius_px=rims[:, 2]
    )
    return (image * np.float32(np.exp(rng.normal(0, 0.1)))).astype(np.float32), target
