"""The picture by which a person judges a registration: brain slices with the atlas' borders on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError


@dataclass(frozen=True)
class Plane:
    """One slice through the brain.

    Args:
        axis: 0, 1 or 2, the axis it is perpendicular to.
        index: its voxel along that axis.
        image: (rows, columns) float32, 0 to 1.
        borders: (rows, columns) bool, pixels where two regions meet.
        aspect: height of a pixel over its width.
    """

    axis: int
    index: int
    image: npt.NDArray[np.float32]
    borders: npt.NDArray[np.bool_]
    aspect: float


def overlay_planes(
    image: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint32],
    spacing_um: tuple[float, float, float],
) -> tuple[Plane, Plane, Plane]:
    """The three planes through the middle of the labelled brain, one an axis.

    The middle is the median labelled voxel (of the array, where nothing is labelled).

    Args:
        image: (Z, Y, X) brightness, 0 to 1.
        labels: (Z, Y, X) region ids on the same grid.
        spacing_um: of the voxels.

    Raises `InputError` where the shapes differ.
    """
    if image.shape != labels.shape or image.ndim != 3:
        raise InputError(f"image {image.shape} and labels {labels.shape} must share one 3-D shape")
    planes = []
    for axis in range(3):
        index = _middle(labels, axis)
        rows, columns = (spacing_um[a] for a in range(3) if a != axis)
        cut, seen = np.moveaxis(labels, axis, 0)[index], np.moveaxis(image, axis, 0)[index]
        planes.append(Plane(axis, index, seen, borders(cut), rows / columns))
    return (planes[0], planes[1], planes[2])


def borders(labels: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Pixels of a 2-D label image whose right or lower neighbour has another label."""
    edge = np.zeros(labels.shape, dtype=np.bool_)
    edge[:-1] |= labels[:-1] != labels[1:]
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return edge


def _middle(labels: npt.NDArray[np.uint32], axis: int) -> int:
    """The slice that halves the labelled voxels."""
    weight = np.count_nonzero(labels, axis=tuple(a for a in range(3) if a != axis))
    if not weight.any():
        return int(labels.shape[axis]) // 2
    return int(np.searchsorted(np.cumsum(weight), weight.sum() / 2))
