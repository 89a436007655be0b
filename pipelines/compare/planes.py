"""Coronal planes of the density maps: a row a group, a row a difference, with the atlas' outlines on top."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from pipelines.compare.inputs import parents
from pipelines.compare.maps import Maps
from pipelines.report.anatomy import View, views
from pipelines.report.picture import HALO, INK, length_text, round_length, scale_bar, thousands
from pipelines.report.planes import borders
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.ontology import RegionIds
from volumetric.statistics.level import divisions

Image = npt.NDArray[Any]

PLANES = (0.2, 0.33, 0.46, 0.59, 0.72)
"""Shares of the brain's length from the front."""

OUTLINED = 16
"""Parts of the brain whose borders are drawn."""

_WIDTH_IN, _LEFT_IN, _RIGHT_IN, _GAP_IN, _TOP_IN = 11.0, 0.42, 0.95, 0.05, 0.28


def planes_figure(maps: Maps, atlas: Atlas) -> Figure:
    """All channels of the maps at one scale; groups share one range of colours, differences another."""
    view = views(atlas.orientation)[0]
    grid, design = maps.grid, maps.brains.design
    part = _parts(atlas, grid.annotation)
    inside = np.flatnonzero(part.any(axis=tuple(i for i in range(3) if i != view.cut)))
    cuts = [int(inside[0] + round(_share(view, share) * (len(inside) - 1))) for share in PLANES]
    spacing = (grid.space.spacing_um[view.down], grid.space.spacing_um[view.across])
    outlines = [_plane(part, view, cut) for cut in cuts]
    rows, columns = _window(part, view)
    figure, axes = _layout(len(maps.channels), (rows, columns), spacing)
    count = len(design.group_names)
    for kind, first, last in (("groups", 0, count), ("differences", count, len(maps.channels))):
        images = [[_plane(maps.read(channel), view, cut) for cut in cuts] for channel in maps.channels[first:last]]
        norm = _norm(images, kind)
        for number, row in enumerate(images, start=first):
            for panel, image, outline in zip(axes[number], row, outlines, strict=True):
                _draw(panel, image, outline, spacing, norm)
                panel.set_xlim(columns.start * spacing[1], columns.stop * spacing[1])
                panel.set_ylim(rows.stop * spacing[0], rows.start * spacing[0])
            axes[number][0].text(
                *(-0.04, 0.5, maps.channels[number].replace(" - ", "\n− ")),
                transform=axes[number][0].transAxes,
                rotation=90,
                ha="right",
                va="center",
                fontsize=9,
                fontweight="bold",
                color=INK,
            )
        _colour_bar(figure, axes[first][-1], kind)
    length = len(inside) * grid.space.spacing_um[view.cut] / 1000
    for panel, share in zip(axes[0], PLANES, strict=True):
        panel.set_title(f"{share * length:.1f} mm {view.distance}", fontsize=8, color=INK, loc="left", pad=4)
    for x, letter in ((0.02, view.left), (0.98, view.right)):
        corner = axes[0][0].text(x, 0.97, letter, transform=axes[0][0].transAxes, ha="left" if x < 0.5 else "right")
        corner.set(va="top", fontsize=7.5, fontweight="bold", color="white", path_effects=HALO)
    bar = round_length(abs(columns.stop - columns.start) * spacing[1] / 4)
    scale_bar(axes[0][-1], bar, length_text(bar))
    return figure


def _parts(atlas: Atlas, annotation: RegionIds) -> RegionIds:
    """The annotation with every region as the large part of the brain that holds it."""
    labels, voxel_label = np.unique(annotation, return_inverse=True)
    part = divisions(parents(atlas.ontology), [int(i) for i in labels if i], OUTLINED)
    table = np.array([part.get(int(label), 0) for label in labels], dtype=annotation.dtype)
    return table[voxel_label.reshape(annotation.shape)]


def _share(view: View, share: float) -> float:
    return 1 - share if view.turned[0] else share


def _plane(volume: Image, view: View, index: int) -> Image:
    """(down, across) of a picture: dorsal up, left on the left."""
    plane: Image = np.take(volume, index, axis=view.cut)
    plane = plane.T if view.down > view.across else plane
    return plane[:: -1 if view.turned[1] else 1, :: -1 if view.turned[2] else 1]


def _window(part: Image, view: View) -> tuple[slice, slice]:
    """Rows and columns of the picture that hold the brain in any plane, with a margin."""
    whole = _plane(np.any(part > 0, axis=view.cut, keepdims=True), view, 0)
    edges = []
    for axis in (0, 1):
        line = np.flatnonzero(whole.any(axis=1 - axis))
        margin = max(1, round(0.03 * len(line)))
        edges.append(slice(int(line[0]) - margin, int(line[-1]) + 1 + margin))
    return edges[0], edges[1]


def _layout(rows: int, window: tuple[slice, slice], spacing: tuple[float, float]) -> tuple[Figure, list[list[Axes]]]:
    down, across = ((part.stop - part.start) * s for part, s in zip(window, spacing, strict=True))
    each = (_WIDTH_IN - _LEFT_IN - _RIGHT_IN - _GAP_IN * (len(PLANES) - 1)) / len(PLANES)
    tall = each * down / across
    height = _TOP_IN + rows * (tall + _GAP_IN)
    figure = Figure(figsize=(_WIDTH_IN, height), facecolor="white")
    axes = []
    for row in range(rows):
        bottom = height - _TOP_IN - tall - row * (tall + _GAP_IN)
        lefts = [_LEFT_IN + i * (each + _GAP_IN) for i in range(len(PLANES))]
        axes.append([figure.add_axes((x / _WIDTH_IN, bottom / height, each / _WIDTH_IN, tall / height)) for x in lefts])
    return figure, axes


def _norm(images: list[list[Image]], kind: str) -> Normalize:
    """From 0, or as far below 0 as above; a few crowded voxels must not darken all others."""
    values = np.abs(np.concatenate([image[np.isfinite(image)] for row in images for image in row]))
    top = max(float(np.quantile(values, 0.995)) if len(values) else 1.0, 1e-9)
    return Normalize(0.0 if kind == "groups" else -top, top)


def _draw(axes: Axes, image: Image, outline: Image, spacing: tuple[float, float], norm: Normalize) -> None:
    signed = float(norm.vmin or 0.0) < 0
    height, width = image.shape[0] * spacing[0], image.shape[1] * spacing[1]
    axes.imshow(
        image,
        cmap="RdBu_r" if signed else "inferno",
        norm=norm,
        extent=(0, width, height, 0),
        interpolation="nearest",
        aspect="equal",
    )
    axes.set_facecolor("white" if signed else "black")
    lines = borders(outline, spacing, (spacing[0] / 2, spacing[1] / 2))
    colour = "#5a6470" if signed else "#ffffffb0"
    drawn = [line for shape in lines.values() for line in shape]
    axes.add_collection(LineCollection(drawn, colors=[colour], linewidths=0.5), autolim=False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _colour_bar(figure: Figure, beside: Axes, kind: str) -> None:
    place = beside.get_position()
    bar = figure.add_axes((place.x1 + 0.012, place.y0 + 0.08 * place.height, 0.011, 0.66 * place.height))
    figure.colorbar(beside.images[0], cax=bar, extend="max" if kind == "groups" else "both", format=thousands)
    bar.tick_params(labelsize=7.5, length=3, colors=INK)
    title = "cells\nper mm³" if kind == "groups" else "difference,\ncells per mm³"
    bar.set_title(title, fontsize=7, color=INK, loc="left", pad=7)
