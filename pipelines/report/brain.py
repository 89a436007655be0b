"""Where the brain lies in its volume, and panels that show it: one scale, one margin, letters at the edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.report.anatomy import View
from pipelines.report.picture import HALO, length_text, round_length, scale_bar
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.geometry.space import VoxelSpace
from volumetric.storage.volume import Volume

_SLAB = 16
_MARGIN = 0.035
"""Free edge around the brain, as a share of its longest side: room for the letters."""

_GAP_IN, _TITLE_IN = 0.08, 0.24


@dataclass(frozen=True)
class Brain:
    """Where the labelled brain lies in a label volume.

    Args:
        thickness: for each sample axis, the number of labelled voxels along it: a 2-D array over the other two.
        low_um, high_um: faces of the bounding box, in um of the sample.
        space: of the labels.
    """

    thickness: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]
    low_um: tuple[float, ...]
    high_um: tuple[float, ...]
    space: VoxelSpace

    def position(self, view: View, share: float) -> float:
        """um along the cut axis, `share` of the way from the front, the left or the top."""
        at = 1 - share if view.turned[0] else share
        return self.low_um[view.cut] + at * (self.high_um[view.cut] - self.low_um[view.cut])


def find_brain(labels: Volume) -> Brain:
    """Project the labels along each axis, a few slices in memory; raises `InputError` where all are 0."""
    shape = labels.shape
    sums: list[npt.NDArray[np.int64]] = []
    for axis in range(3):
        rest = [n for i, n in enumerate(shape) if i != axis]
        sums.append(np.zeros(rest, dtype=np.int64))
    for start in range(0, shape[0], _SLAB):
        box = Box((start, 0, 0), (min(start + _SLAB, shape[0]), shape[1], shape[2]))
        inside = labels.read(box) != 0
        sums[0] += inside.sum(axis=0)
        sums[1][box.slices[0]] = inside.sum(axis=1)
        sums[2][box.slices[0]] = inside.sum(axis=2)
    if not sums[0].any():
        raise InputError(f"{labels.path} holds no region: the registration placed the atlas outside the image")
    lines = (sums[1].any(axis=1), sums[0].any(axis=1), sums[0].any(axis=0))
    first = [int(np.flatnonzero(line)[0]) for line in lines]
    last = [int(np.flatnonzero(line)[-1]) for line in lines]
    low, high = labels.space.to_um([np.subtract(first, 0.5), np.add(last, 0.5)])
    return Brain((sums[0], sums[1], sums[2]), tuple(low), tuple(high), labels.space)


def panel_rows(
    rows: Sequence[Sequence[View]], brain: Brain, width_in: float, right_in: float = 0.0
) -> tuple[Figure, list[list[Axes]]]:
    """A figure with rows of panels, one a view, those of a row at one scale; `right_in` is left free at the right."""
    sizes = [[[abs(b - a) for a, b in frame(brain, view)] for view in row] for row in rows]
    scales = [
        (width_in - right_in - _GAP_IN * (len(row) - 1)) / sum(across for _, across in row) for row in sizes
    ]  # inches an um
    heights = [max(down for down, _ in row) * scale for row, scale in zip(sizes, scales, strict=True)]
    total = sum(heights) + _TITLE_IN * len(rows)
    figure = Figure(figsize=(width_in, total), facecolor="white")
    panels: list[list[Axes]] = []
    top = total
    for row, scale, height in zip(sizes, scales, heights, strict=True):
        top -= _TITLE_IN
        panels.append([])
        x = 0.0
        for down, across in row:
            w, h = across * scale, down * scale
            panels[-1].append(figure.add_axes((x / width_in, (top - h) / total, w / width_in, h / total)))
            x += w + _GAP_IN
        top -= height
    return figure, panels


def frame_brain(axes: Axes, view: View, brain: Brain) -> None:
    """Limits, direction and letters of a panel; everything outside the image is black."""
    axes.set_facecolor("black")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    (top, bottom), (left, right) = frame(brain, view)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    edges = (
        (0.5, 0.985, view.top, "center", "top"),
        (0.5, 0.015, view.bottom, "center", "bottom"),
        (0.015, 0.5, view.left, "left", "center"),
        (0.985, 0.5, view.right, "right", "center"),
    )
    for x, y, letter, ha, va in edges:
        letters = axes.text(x, y, letter, ha=ha, va=va, color="white", transform=axes.transAxes)
        letters.set(fontsize=7.5, fontweight="bold", path_effects=HALO)


def frame(brain: Brain, view: View) -> tuple[tuple[float, float], tuple[float, float]]:
    """What a panel shows, in um: (top, bottom) and (left, right), in the order of the picture."""
    margin = _MARGIN * max(b - a for a, b in zip(brain.low_um, brain.high_um, strict=True))
    ends = []
    for axis, turned in zip((view.down, view.across), view.turned[1:], strict=True):
        low, high = brain.low_um[axis] - margin, brain.high_um[axis] + margin
        ends.append((high, low) if turned else (low, high))
    return ends[0], ends[1]


def add_scale(axes: Axes, brain: Brain, view: View) -> None:
    """A bar of about a fifth of the panel."""
    left, right = frame(brain, view)[1]
    length = round_length(abs(right - left) / 4)
    scale_bar(axes, length, length_text(length))
