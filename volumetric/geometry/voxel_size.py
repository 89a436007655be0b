"""Whether a voxel size can be that of a brain under a microscope: told before any work is done on it."""

from __future__ import annotations

from volumetric.errors import InputError
from volumetric.findings import Finding, Grade
from volumetric.geometry.space import Um3

POSSIBLE_UM = (0.05, 500.0)
"""Of an edge. No light microscope has finer pixels, and a mouse brain of coarser voxels has some twenty slices."""

USUAL_UM = {"slice": (0.5, 200.0), "pixel": (0.1, 200.0)}
"""What microscopes, and volumes made smaller for registration, have."""

ANISOTROPY_LIMIT = 20.0
"""Longest edge in shortest ones: light sheets of 5 to 10 um have pixels of 0.5 um and more."""

EXPECTED = "expected are slices 0.5 to 50 um apart and pixels of 0.1 to 5 um, up to 200 um to register alone"


def check_voxel_size(spacing_um: Um3) -> None:
    """Raises `InputError` for edges (z, y, x) that no image of a brain has, with what may be meant."""
    low, high = POSSIBLE_UM
    wrong = [edge for edge in spacing_um if not low <= edge <= high]
    if not wrong:
        return
    raise InputError(
        f"the voxel size is {_told(spacing_um)} um (z, y, x), but no image of a brain has voxels of {wrong[0]:g} um: "
        f"{EXPECTED}.{_meant(spacing_um)} Give --voxel-um Z Y X in um, or mend the metadata of a Zarr"
    )


def voxel_findings(spacing_um: Um3) -> list[Finding]:
    """What makes a voxel size (z, y, x) doubtful; empty for a usual one."""
    for axis, edge in zip("zyx", spacing_um, strict=True):
        name = "slice" if axis == "z" else "pixel"
        low, high = USUAL_UM[name]
        if not low <= edge <= high:
            return _doubt(
                f"the voxel size is {_told(spacing_um)} um (z, y, x), and a {name} of {edge:g} um is unusual: "
                f"{EXPECTED}. Check the unit and the order of the numbers before you believe any count"
            )
    longest, shortest = max(spacing_um), min(spacing_um)
    if longest / shortest > ANISOTROPY_LIMIT:
        return _doubt(
            f"the voxel size {_told(spacing_um)} um (z, y, x) is {longest / shortest:.0f} times longer than wide: "
            "is one of the values in another unit, or the order wrong?"
        )
    return []


def _doubt(text: str) -> list[Finding]:
    return [Finding(Grade.DOUBTFUL, text)]


def _meant(spacing_um: Um3) -> str:
    """The same numbers in another unit, where that would be a usual voxel."""
    for unit, factor in (("mm", 1000.0), ("nm", 0.001), ("m", 1e6)):
        moved = (spacing_um[0] * factor, spacing_um[1] * factor, spacing_um[2] * factor)
        edges = zip(moved, ("slice", "pixel", "pixel"), strict=True)
        if all(USUAL_UM[name][0] <= edge <= USUAL_UM[name][1] for edge, name in edges):
            return f" In {unit} the numbers would mean {_told(moved)} um."
    return ""


def _told(spacing_um: Um3) -> str:
    return " x ".join(f"{edge:g}" for edge in spacing_um)
