"""Where the cells are: density along the line of sight in three planes, and from the front to the back.

A pixel of a map is the number of cells in the column of brain behind it over the volume of that column: cells
per mm3. Both are smoothed by the same Gaussian before they are divided, so the map is right up to the edge.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from scipy import ndimage

from pipelines.report.anatomy import View
from pipelines.report.brain import Brain, add_scale, frame_brain, panel_rows
from pipelines.report.picture import ALARM, INK, LEFT, MUTED, RIGHT, plain_axes, thousands
from pipelines.report.planes import borders

Floats = npt.NDArray[np.float64]

SMOOTH_VOX = 1.5
"""Standard deviation of the smoothing of the maps, in voxels of the labels along their longest edge."""

PROFILE_BINS = 80

_PIECE = 1_000_000
"""Cells counted at once."""


def projected_counts(points_um: Floats, brain: Brain) -> dict[int, npt.NDArray[np.int64]]:
    """Cells per column of the label grid along each sample axis: axis -> 2-D counts over the other two axes."""
    shape = (brain.thickness[1].shape[0], *brain.thickness[0].shape)
    counts = {axis: np.zeros(brain.thickness[axis].shape, dtype=np.int64) for axis in range(3)}
    for start in range(0, len(points_um), _PIECE):
        index = np.floor(brain.space.to_vox(points_um[start : start + _PIECE]) + 0.5).astype(np.int64)
        index = index[np.all((index >= 0) & (index < shape), axis=1)]
        for axis in range(3):
            a, b = (i for i in range(3) if i != axis)
            flat = np.bincount(index[:, a] * shape[b] + index[:, b], minlength=shape[a] * shape[b])
            counts[axis] += flat.reshape(shape[a], shape[b])
    return counts


def smoothing_um(brain: Brain) -> float:
    """Standard deviation of the smoothing of the maps."""
    return SMOOTH_VOX * max(brain.space.spacing_um)


def density_map(counts: npt.NDArray[np.int64], brain: Brain, axis: int) -> Floats:
    """Cells per mm3 along the line of sight of one sample axis; NaN outside the brain's outline."""
    sigma = [smoothing_um(brain) / s for i, s in enumerate(brain.space.spacing_um) if i != axis]
    thickness = brain.thickness[axis]
    volume = ndimage.gaussian_filter(thickness * brain.space.voxel_volume_mm3, sigma, mode="constant")
    cells = ndimage.gaussian_filter(np.where(thickness > 0, counts, 0).astype(np.float64), sigma, mode="constant")
    density = np.full(thickness.shape, np.nan)
    np.divide(cells, volume, out=density, where=thickness > 0)
    return density


def density_figure(
    counts: Mapping[int, npt.NDArray[np.int64]], shown: tuple[View, ...], brain: Brain, width_in: float, alarm: bool
) -> Figure:
    """The three maps at one scale and one range of colours, with the brain's outline and a colour bar."""
    maps = {view.cut: density_map(counts[view.cut], brain, view.cut) for view in shown}
    values = np.concatenate([density[np.isfinite(density)] for density in maps.values()])
    # A few crowded columns must not darken all others: what is above is said by the bar's arrow.
    norm = Normalize(0, max(float(np.quantile(values, 0.995)), 1e-9))
    figure, (row,) = panel_rows([shown], brain, width_in, right_in=0.85)
    spacing, origin = brain.space.spacing_um, brain.space.origin_um
    for axes, view in zip(row, shown, strict=True):
        down, across = view.down, view.across
        density = maps[view.cut].T if down > across else maps[view.cut]
        start = [origin[a] - spacing[a] / 2 for a in (down, across)]
        stop = [s + n * spacing[a] for s, n, a in zip(start, density.shape, (down, across), strict=True)]
        extent = (start[1], stop[1], stop[0], start[0])
        axes.imshow(density, cmap="inferno", norm=norm, extent=extent, interpolation="bilinear", aspect="equal")
        outline = borders(np.isfinite(density), (spacing[down], spacing[across]), (origin[down], origin[across]))
        for line in outline.get(1, []):
            axes.plot(line[:, 0], line[:, 1], color="white", linewidth=0.7)
        frame_brain(axes, view, brain)
        axes.set_title(f"{view.name.capitalize()} projection", fontsize=8, loc="left", pad=4, color=INK)
    add_scale(row[-1], brain, shown[-1])
    bar = figure.add_axes((1 - 0.72 / width_in, 0.06, 0.13 / width_in, 0.78))
    figure.colorbar(row[0].images[0], cax=bar, extend="max", format=thousands)
    bar.tick_params(labelsize=7.5, colors=ALARM if alarm else INK, length=3)
    bar.set_title("cells\nper mm³", fontsize=7.5, color=INK, pad=8, loc="left")
    return figure


def profile_figure(sides: Mapping[str, Floats], view: View, brain: Brain, width_in: float, alarm: bool) -> Figure:
    """Cells per mm from the front to the back, left and right.

    Args:
        sides: "left" and "right" -> positions of cells along the cut axis of `view`, in um.
        view: the coronal one.
    """
    low, high = brain.low_um[view.cut], brain.high_um[view.cut]
    edges = np.linspace(low, high, PROFILE_BINS + 1)
    figure = Figure(figsize=(width_in, 2.1))
    axes = figure.add_axes((0.62 / width_in, 0.21, 1 - 0.72 / width_in, 0.69))
    for (name, positions), colour in zip(sides.items(), (LEFT, RIGHT), strict=True):
        heights = np.histogram(positions, edges)[0] / ((high - low) / PROFILE_BINS / 1000)
        depth = (high - edges[::-1] if view.turned[0] else edges - low) / 1000
        heights = heights[::-1] if view.turned[0] else heights
        axes.stairs(heights, depth, baseline=None, color=colour, linewidth=1.5, label=f"{name} hemisphere")
    axes.set_xlim(0, (high - low) / 1000)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("mm from the front of the brain", fontsize=8, color=INK)
    axes.set_ylabel("cells per mm", fontsize=8, color=INK)
    axes.legend(frameon=False, fontsize=8, loc="upper right", ncols=2)
    axes.yaxis.set_major_formatter(thousands)
    plain_axes(axes)
    axes.tick_params(axis="y", colors=ALARM if alarm else MUTED)
    return figure
