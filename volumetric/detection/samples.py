"""Training batches: random windows of volumes with known cells, turned, flipped and rescaled in contrast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from volumetric.detection.losses import TargetBatch
from volumetric.detection.targets import Targets, make_targets, soft_target
from volumetric.errors import InputError

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

Confidence = Literal["ignore", "weight", "sample"]
"""What the confidence of a cell does: nothing; it is how much is taught around the cell; or how often, all or nothing.

A cell that does not count teaches nothing: it is no background. On average the last two teach nearly the same.
"""

CELL_RADIUS_PX = 4.0
"""Of cells whose size is not known: the method's size target of (8, 8)."""

NEAR = 3.0
"""Slices within which a cell is seen; beyond, its target is below a hundredth."""

GAIN = 0.15
"""Half the range of the logarithm of the factor by which a window's contrast is changed."""


@dataclass(frozen=True)
class TrainingVolume:
    """A volume ready to be cut into training windows.

    Args:
        contrast: (z, y, x) float32 of `imaging.intensity`.
        cells: (n, 4) float64, z, y, x in voxels and radius in pixels; some may lie beyond the border.
        ignored: (m, 4) the same for what is neither cell nor background.
        heatmap: (z, y, x) float32 instead of cells, or None.
        confidence: (n,) of the cells, 0 to 1, or None where all are sure.
    """

    contrast: Floats
    cells: Points
    ignored: Points
    heatmap: Floats | None = None
    confidence: npt.NDArray[np.float64] | None = None


def sample_batch(
    volumes: Sequence[TrainingVolume],
    chances: npt.NDArray[np.float64],
    rng: np.random.Generator,
    *,
    count: int,
    window_px: int,
    stride: int,
    neighbours: int,
    confidence: Confidence = "weight",
) -> tuple[torch.Tensor, TargetBatch]:
    """Images (count, 2 neighbours + 1, H, W) and their targets.

    Args:
        volumes: to draw from.
        chances: (n,) of each volume, adding up to 1.
        rng: the only source of chance.
        count: of windows.
        window_px: their edge; beyond a smaller volume they are empty and teach nothing.
        stride: of the network; the window is a multiple of it.
        neighbours: slices on either side.
        confidence: what that of a cell does.
    """
    if window_px % stride:
        raise InputError(f"windows of {window_px} px do not divide into output cells of {stride} px")
    chosen = rng.choice(len(volumes), count, p=chances)
    windows = [
        _window(volumes[i], rng, window_px, stride=stride, neighbours=neighbours, confidence=confidence) for i in chosen
    ]
    targets = [target for _, target in windows]
    cells = [np.column_stack([np.full(len(t.cells), i), t.cells]) for i, t in enumerate(targets)]
    batch = TargetBatch(
        torch.from_numpy(np.stack([t.heatmap for t in targets])),
        torch.from_numpy(np.stack([t.weight for t in targets])),
        torch.from_numpy(np.concatenate(cells).astype(np.int64)),
        torch.from_numpy(np.concatenate([t.offset for t in targets])),
        torch.from_numpy(np.concatenate([t.size for t in targets])),
    )
    return torch.from_numpy(np.stack([image for image, _ in windows])), batch


def _window(
    volume: TrainingVolume, rng: np.random.Generator, size: int, *, stride: int, neighbours: int, confidence: Confidence
) -> tuple[Floats, Targets]:
    depth, height, width = volume.contrast.shape
    z = int(rng.integers(depth))
    y, x = (int(rng.integers(max(n - size, 0) + 1)) for n in (height, width))
    turn = _Turn.drawn(rng, size)
    first, last = max(z - neighbours, 0), min(z + neighbours + 1, depth)
    image = np.zeros((2 * neighbours + 1, size, size), dtype=np.float32)
    shown = np.zeros((size, size), dtype=np.float32)
    part = volume.contrast[first:last, y : y + size, x : x + size]
    image[first - z + neighbours : last - z + neighbours, : part.shape[1], : part.shape[2]] = part
    shown[: part.shape[1], : part.shape[2]] = 1
    cells, ignored = (
        turn.points(rows[np.abs(rows[:, 0] - z) < NEAR] - (z, y, x, 0)) for rows in (volume.cells, volume.ignored)
    )
    target = make_targets(
        (size, size),
        cells[:, 1:3],
        cells[:, 3],
        stride,
        depth=cells[:, 0],
        confidence=_counted(volume, np.abs(volume.cells[:, 0] - z) < NEAR, rng, confidence),
        ignored_px=ignored[:, 1:3],
        ignored_radius_px=ignored[:, 3],
    )
    # A cell of which a pixel is padding teaches nothing.
    taught = -soft_target(-turn.image(shown), stride)
    heatmap = target.heatmap
    if volume.heatmap is not None:
        soft = np.zeros((size, size), dtype=np.float32)
        soft[: part.shape[1], : part.shape[2]] = volume.heatmap[z, y : y + size, x : x + size]
        heatmap = soft_target(turn.image(soft), stride)
    gain = np.float32(np.exp(rng.uniform(-GAIN, GAIN)))
    return (
        np.arcsinh(np.sinh(turn.image(image)) * gain),
        replace(target, heatmap=heatmap, weight=target.weight * taught),
    )


def _counted(
    volume: TrainingVolume, near: npt.NDArray[np.bool_], rng: np.random.Generator, confidence: Confidence
) -> npt.NDArray[np.float64]:
    """How much each of some cells counts in a window; only unsure ones draw a number."""
    if volume.confidence is None or confidence == "ignore":
        return np.ones(int(near.sum()))
    sure = volume.confidence[near]
    if confidence == "sample":
        unsure = sure < 1
        sure[unsure] = rng.uniform(size=int(unsure.sum())) < sure[unsure]
    return sure


@dataclass(frozen=True)
class _Turn:
    """One of the eight turns of a square slice, and perhaps upside down."""

    size: int
    swap: bool
    flips: tuple[bool, bool]
    upside_down: bool

    @classmethod
    def drawn(cls, rng: np.random.Generator, size: int) -> _Turn:
        swap, rows, columns, upside_down = rng.integers(2, size=4).astype(bool).tolist()
        return cls(size, swap, (rows, columns), upside_down)

    def image(self, image: Floats) -> Floats:
        """Of (y, x) or (z, y, x)."""
        if self.upside_down and image.ndim == 3:
            image = image[::-1]
        if self.swap:
            image = np.swapaxes(image, -1, -2)
        return np.ascontiguousarray(np.flip(image, [axis - 2 for axis in (0, 1) if self.flips[axis]]))

    def points(self, rows: Points) -> Points:
        """Rows of z, y, x and radius, z from the middle slice."""
        rows = rows[:, [0, 2, 1, 3]] if self.swap else rows.copy()
        for axis in (0, 1):
            if self.flips[axis]:
                rows[:, 1 + axis] = self.size - 1 - rows[:, 1 + axis]
        return rows
