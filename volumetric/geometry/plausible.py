"""What looks wrong of an image's grid before anything is read: sizes that a brain or a microscope does not have."""

from __future__ import annotations

from volumetric.geometry.box import Index3
from volumetric.geometry.space import Um3

MOUSE_BRAIN_MM = (13.0, 8.0, 11.0)
"""Length, height and width of an adult mouse brain, as in the Allen CCFv3, rounded."""

FINEST_UM, COARSEST_UM = 0.1, 250.0
"""Light resolves nothing smaller; a mouse brain has 50 voxels of the larger along its longest edge."""

PART, WHOLE = 0.25, 3.0
"""Edges in parts of a mouse brain's from which a piece, or another unit, is more likely than a whole brain."""

SQUARE = 1.5
"""Microscopes have square pixels; a camera behind a scanning stage may err a little."""


def extent_mm(shape: Index3, voxel_um: Um3) -> tuple[float, float, float]:
    """Edges of an image (z, y, x) in mm."""
    z, y, x = (n * size / 1000 for n, size in zip(shape, voxel_um, strict=True))
    return z, y, x


def slice_doubts(shape: Index3) -> tuple[str, ...]:
    """What is wrong with an image of any voxel size: it has a single slice."""
    return ("the image has one slice: a brain has many. Were the others left out?",) if shape[0] == 1 else ()


def voxel_doubts(voxel_um: Um3) -> tuple[str, ...]:
    """What is wrong with the voxels of any image: no microscope makes them, or their axes are in another order."""
    said = " x ".join(f"{size:.4g}" for size in voxel_um)
    doubts = []
    if min(voxel_um) < FINEST_UM or max(voxel_um) > COARSEST_UM:
        what = "smaller than light resolves" if min(voxel_um) < FINEST_UM else "larger than a brain's structures"
        doubts.append(f"voxels of {said} um (z, y, x) are {what}: is the unit wrong? --voxel-um takes micrometres")
    rows, columns = voxel_um[1:]
    if max(rows, columns) > SQUARE * min(rows, columns):
        doubts.append(f"pixels of {rows:.4g} x {columns:.4g} um are not square: is the order z, y, x?")
    return tuple(doubts)


def brain_doubts(shape: Index3, voxel_um: Um3) -> tuple[str, ...]:
    """What is wrong with the image of a whole mouse brain: it is much smaller or larger than one."""
    edges = extent_mm(shape, voxel_um)
    ratios = [a / b for a, b in zip(sorted(edges), sorted(MOUSE_BRAIN_MM), strict=True)]
    if min(ratios) >= PART and max(ratios) <= WHOLE:
        return ()
    what = "a part of a brain" if min(ratios) < PART else "much empty space"
    measures, usual = (" x ".join(f"{edge:.3g}" for edge in e) for e in (edges, MOUSE_BRAIN_MM))
    return (f"the image measures {measures} mm, a mouse brain about {usual} mm: {what}, or a wrong voxel size",)
