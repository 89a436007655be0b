"""The voxel size of an atlas, doubted before anything is made of it: a wrong unit asks for arrays nobody can hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from volumetric.errors import InputError
from volumetric.geometry.space import VoxelSpace, um3

SMALLEST_UM, SMALL_UM, LARGEST_UM = 50.0, 300.0, 1e6
"""Longest edges: of no brain at all; of none that is drawn in voxels of a micrometre or less; of none either."""


def atlas_space(resolution: Any, shape: Sequence[int], name: str) -> VoxelSpace:  # noqa: ANN401 - what a header holds
    """Where an atlas' voxels lie.

    Args:
        resolution: three numbers, um, as its header says.
        shape: of its arrays.
        name: of the atlas, for messages.

    Raises `InputError` for what is no voxel size, and for one in another unit: with it no brain is of that size.
    """
    try:
        spacing = um3(resolution)
    except (TypeError, ValueError) as error:
        raise InputError(f"{_given(name, resolution)}: expected three numbers (z, y, x) in um") from error
    if min(spacing) <= 0:
        raise InputError(f"{_given(name, resolution)}: expected three positive numbers (z, y, x) in um")
    longest = max(n * s for n, s in zip(shape, spacing, strict=True))
    too_small = longest < SMALLEST_UM or (longest < SMALL_UM and min(spacing) <= 1)
    if too_small or longest > LARGEST_UM:
        factor, unit = (1000, "mm") if too_small else (0.001, "nm")
        meant = ", ".join(f"{s * factor:g}" for s in spacing)
        raise InputError(
            f"{_given(name, resolution)}, which makes its longest edge {longest:,.4g} um: no brain is of that size. It "
            f"must be in um; if {unit} were meant, put [{meant}] into its metadata.json"
        )
    return VoxelSpace(spacing)


def _given(name: str, resolution: object) -> str:
    return f"atlas {name!r} has the resolution {resolution!r}"
