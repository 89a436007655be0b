"""Planes through the brain with the atlas borders on them.

Borders are the outlines of the label image, smoothed by 0.6 of a voxel so that a border is a line and not a
staircase; they are drawn where the labels lie, in um of the sample.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from scipy import ndimage
from skimage.measure import find_contours

from pipelines.report.anatomy import View, views
from pipelines.report.brain import Brain, add_scale, find_brain, frame_brain, panel_rows
from pipelines.report.picture import render
from volumetric.errors import InputError
from volumetric.geometry.box import Box, index3
from volumetric.geometry.space import Points, VoxelSpace
from volumetric.storage.atomic import replacing
from volumetric.storage.volume import Volume

Rgb = tuple[float, float, float]
Panel = tuple[View, float]
Image = npt.NDArray[Any]

PLANE_UM = 25.0
"""Planes are read from the coarsest level whose voxels are at most this large: one pixel of the picture."""

CORONAL_SHARES = (0.2, 0.35, 0.65, 0.8)
"""Places of the coronal planes beside the middle one, as shares of the brain from the front."""

NEAR = 0.03
"""A landmark is drawn on planes within this share of the brain's length."""

TITLE_LETTER_IN = 0.062
"""Width of a letter of a title, in inches."""

_SMOOTH_VOX = 0.6

_GAMMA = 0.7
"""Shows deep tissue, which is darker than the surface in most microscopes."""


def plane_level(volume: Volume) -> int:
    """The coarsest level fine enough for pictures; a coarse axis of the volume itself does not count against it."""
    limits = [max(PLANE_UM, s) * 1.001 for s in volume.space.spacing_um]
    fitting = [
        i for i, level in enumerate(volume.levels) if np.all(np.asarray(level.space.spacing_um) <= np.asarray(limits))
    ]
    return max(fitting, default=0)


def read_plane(volume: Volume, view: View, position_um: float, level: int = 0, channel: int = 0) -> Image:
    """The plane nearest to a position, as (down, across)."""
    stored = volume.levels[level]
    index = (position_um - stored.space.origin_um[view.cut]) / stored.space.spacing_um[view.cut]
    number = int(np.clip(np.floor(index + 0.5), 0, stored.shape[view.cut] - 1))
    start, stop = [0, 0, 0], list(stored.shape)
    start[view.cut], stop[view.cut] = number, number + 1
    box = Box(index3(start), index3(stop))
    plane: Image = volume.read(box, level, channel).transpose(view.cut, view.down, view.across)[0]
    return plane


def borders(labels: Image, spacing: tuple[float, float], origin: tuple[float, float]) -> dict[int, list[Image]]:
    """Outlines of the regions of a label plane.

    Args:
        labels: (down, across) integer ids, 0 outside.
        spacing, origin: of the two axes, in um.

    Returns:
        For each id, closed lines as (n, 2) arrays of (across, down) in um.
    """
    ids, flat = np.unique(labels, return_inverse=True)
    ranks = flat.reshape(labels.shape) + 1
    lines: dict[int, list[Image]] = {}
    for rank, window in enumerate(ndimage.find_objects(ranks), start=1):
        if ids[rank - 1] == 0 or window is None:
            continue
        inside = np.pad(ranks[window] == rank, 3).astype(np.float32)
        soft = ndimage.gaussian_filter(inside, _SMOOTH_VOX, mode="constant")
        corner = np.array([window[0].start - 3, window[1].start - 3])
        lines[int(ids[rank - 1])] = [
            ((line + corner) * spacing + origin)[:, ::-1]
            for line in find_contours(soft, level=0.5)  # type: ignore[no-untyped-call]
        ]
    return lines


def id_colour(region_id: int) -> Rgb:
    """A light colour that depends on the id alone; golden-ratio steps keep neighbouring ids apart."""
    return colorsys.hls_to_rgb((region_id * 0.6180339887) % 1.0, 0.62, 0.85)


def draw_plane(
    axes: Axes,
    image: Image,
    space: VoxelSpace,
    view: View,
    brain: Brain,
    *,
    window: tuple[float, float],
) -> None:
    """A grey plane in um, turned and framed as the view says, with letters at its edges."""
    (top, bottom), (left, right) = (_faces(space, axis, n) for axis, n in zip(_axes(view), image.shape, strict=True))
    axes.imshow(
        image,
        cmap="gray",
        norm=PowerNorm(_GAMMA, vmin=window[0], vmax=window[1], clip=True),
        extent=(left, right, bottom, top),
        interpolation="bilinear",
        aspect="equal",
    )
    frame_brain(axes, view, brain)


def draw_borders(axes: Axes, lines: Mapping[int, Sequence[Image]], colours: Mapping[int, Rgb]) -> None:
    """Thin lines around every region."""
    for region_id, outline in sorted(lines.items()):
        colour = colours.get(region_id) or id_colour(region_id)
        axes.add_collection(LineCollection(list(outline), colors=[colour], linewidths=0.65), autolim=False)


def grey_window(image: Image, inside: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Black and white of a display, never equal: from below the darkest tissue to above the brightest.

    Tissue that is grey rather than white leaves the colours of the borders to be seen.
    """
    values = image[inside] if inside.any() else image.ravel()
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, [1, 99.7])
    black = float(low) / 2 if low > 0 else float(low)
    return black, black + 1.2 * max(float(high) - black, 1e-6)


@dataclass(frozen=True)
class Marks:
    """What a user added to a registration.

    Args:
        excluded: damaged tissue on any grid of the sample, not 0 where it lies.
        landmarks_um: (n, 3) places in the sample.
    """

    excluded: Volume | None = None
    landmarks_um: Points | None = None


def overlay_figure(
    volume: Volume,
    channel: str | None,
    labels: Volume,
    *,
    brain: Brain,
    rows: Sequence[Sequence[Panel]],
    colours: Mapping[int, Rgb],
    width_in: float,
    marks: Marks = Marks(),
) -> Figure:
    """Rows of planes, each with its borders.

    Args:
        rows: of views with the position of their plane, as a share of the brain from the front, left or top.
        colours: of regions; others get `id_colour`.
        width_in: of the figure, in inches.
        marks: drawn on top: damaged tissue hatched in red, landmarks near the plane as crosses.
    """
    figure, axes_of = panel_rows([[view for view, _ in row] for row in rows], brain, width_in)
    level, number = plane_level(volume), volume.channel_index(channel)
    for row, panels in zip(rows, axes_of, strict=True):
        for (view, share), axes in zip(row, panels, strict=True):
            position = brain.position(view, share)
            image = read_plane(volume, view, position, level, number)
            regions = read_plane(labels, view, position)
            window = grey_window(image, _resized(regions > 0, image.shape))
            draw_plane(axes, image, volume.levels[level].space, view, brain, window=window)
            draw_borders(axes, borders(regions, *_grid(labels.space, view)), colours)
            _draw_marks(axes, marks, view, position, brain)
            _add_title(axes, view, share * (brain.high_um[view.cut] - brain.low_um[view.cut]))
        add_scale(panels[-1], brain, row[-1][0])
    return figure


def overlay_png(
    volume: Volume,
    channel: str | None,
    labels: Volume,
    path: Path,
    colours: Mapping[int, Rgb] | None = None,
    *,
    marks: Marks = Marks(),
) -> None:
    """Write a picture of the registration: the middle planes of the brain and four coronal ones, with atlas borders.

    Args:
        volume: the image, of which a coarse level is read; its orientation, or the labels', must be known.
        channel: the one registered on; None for the first.
        labels: region ids in the sample's own axes.
        path: PNG to write, whole or not at all.
        colours: (red, green, blue) from 0 to 1 of regions; others get a colour made from their id.
        marks: drawn on top.

    Raises:
        InputError: neither volume says its orientation, or the labels hold no region.
    """
    orientation = volume.orientation or labels.orientation
    if orientation is None:
        raise InputError(f"neither {volume.path} nor {labels.path} says its orientation; give --orientation")
    shown = views(orientation)
    rows = (
        [(view, 0.35 if view.name == "sagittal" else 0.5) for view in shown],
        [(shown[0], share) for share in CORONAL_SHARES],
    )
    figure = overlay_figure(
        volume,
        channel,
        labels,
        brain=find_brain(labels),
        rows=rows,
        colours=colours or {},
        width_in=11.0,
        marks=marks,
    )
    with replacing(path) as temporary:
        temporary.write_bytes(render(figure, "png"))


def _draw_marks(axes: Axes, marks: Marks, view: View, position_um: float, brain: Brain) -> None:
    if marks.excluded is not None:
        excluded = read_plane(marks.excluded, view, position_um) > 0
        outlines = borders(excluded.astype(np.uint8), *_grid(marks.excluded.space, view))
        for line in outlines.get(1, []):
            axes.fill(*line.T, facecolor="none", edgecolor="red", hatch="////", linewidth=0.8)
    if marks.landmarks_um is not None:
        depth = NEAR * (brain.high_um[view.cut] - brain.low_um[view.cut])
        near = marks.landmarks_um[np.abs(marks.landmarks_um[:, view.cut] - position_um) <= depth]
        axes.scatter(near[:, view.across], near[:, view.down], marker="+", s=40, color="yellow", linewidths=1.2)


def _add_title(axes: Axes, view: View, depth_um: float) -> None:
    """Name and place of a plane, or as much of them as there is room for above it."""
    where = f"{depth_um / 1000:.1f} mm" if depth_um >= 1000 else f"{depth_um:.0f} µm"
    name = view.name.capitalize()
    figure = axes.figure
    room = axes.get_position().width * figure.get_figwidth() / TITLE_LETTER_IN  # type: ignore[union-attr]
    fitting = (text for text in (f"{name}, {where} {view.distance}", f"{name}, {where}", name, "") if len(text) <= room)
    axes.set_title(next(fitting), fontsize=8, loc="left", pad=4)


def _grid(space: VoxelSpace, view: View) -> tuple[tuple[float, float], tuple[float, float]]:
    """Spacing and origin of a plane's two axes."""
    down, across = _axes(view)
    spacing, origin = space.spacing_um, space.origin_um
    return (spacing[down], spacing[across]), (origin[down], origin[across])


def _axes(view: View) -> tuple[int, int]:
    return view.down, view.across


def _faces(space: VoxelSpace, axis: int, count: int) -> tuple[float, float]:
    """Outer faces of the first and the last voxel, in um."""
    first = space.origin_um[axis] - space.spacing_um[axis] / 2
    return first, first + count * space.spacing_um[axis]


def _resized(mask: npt.NDArray[np.bool_], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """The mask on another number of pixels over the same area, nearest pixel."""
    rows, columns = (np.arange(n) * m // n for n, m in zip(shape, mask.shape, strict=True))
    return mask[np.ix_(rows, columns)]
