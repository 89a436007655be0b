"""What can be said of a brain's image before any registration: its size, its voxels, whether it is whole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from volumetric.geometry.space import Um3

SIZE_RANGE = (0.6, 1.6)
"""Adult brains differ by some per cent and tissue shrinks or swells by up to a third when cleared."""

ANISOTROPY_LIMIT = 20.0

CUT_SHARE = 0.35
"""Tissue on a face of the volume, in parts of the largest cross-section, from which the brain counts as cut off: the
brain stem and the olfactory bulbs of a whole brain leave 0.15 to 0.22."""


def size_warnings(edges_um: Um3, atlas_edges_um: Um3) -> list[str]:
    """Says so where the imaged volume is much smaller or larger than the atlas along an axis."""
    low, high = SIZE_RANGE
    warnings = []
    for axis, edge, expected in zip("zyx", edges_um, atlas_edges_um, strict=True):
        ratio = edge / expected
        if not low <= ratio <= high:
            warnings.append(
                f"along the atlas' {axis} axis the imaged volume measures {edge / 1000:.1f} mm, "
                f"{ratio:.2f} of the atlas' {expected / 1000:.1f} mm: a wrong voxel size or orientation, "
                "a part of a brain, or much empty space around it"
            )
    return warnings


def voxel_warnings(spacing_um: Um3) -> list[str]:
    """Says so where a voxel is so long that a unit or the order of the axes may be wrong."""
    longest, shortest = max(spacing_um), min(spacing_um)
    if longest / shortest <= ANISOTROPY_LIMIT:
        return []
    return [
        f"the voxel size {spacing_um} um (z, y, x) is {longest / shortest:.0f} times longer than wide: "
        "is one of the values in another unit, or the order wrong?"
    ]


def cut_warnings(tissue: npt.NDArray[np.bool_], orientation: str) -> list[str]:
    """Says so where a large cross-section of tissue lies on a face of the volume: the brain goes on beyond it.

    Args:
        tissue: (Z, Y, X) bool, the tissue mask.
        orientation: of its axes, three letters.
    """
    warnings = []
    for axis, letter in enumerate(orientation):
        areas = tissue.sum(axis=tuple(other for other in range(3) if other != axis))
        for side, area in ((letter, areas[0]), (OPPOSITE[letter], areas[-1])):
            if area > CUT_SHARE * areas.max():
                warnings.append(
                    f"the brain is cut off at its {SIDES[side]} end: {area / areas.max():.0%} of its largest "
                    "cross-section lies on that face of the volume. Regions beyond it are not counted (`coverage`)"
                )
    return warnings
