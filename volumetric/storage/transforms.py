"""Smooth maps on disk: a Zarr group with the displacement, its grid and the affine.

GROUP/displacement_um   (3, z, y, x) float32, components along the target's z, y, x
attributes              kind, identity, unit, axes, spacing_um, origin_um, affine
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec

from volumetric.errors import InputError
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.geometry.transform import SmoothMap
from volumetric.storage.atomic import replacing

KIND = "volumetric.smooth_map"


def write_map(path: Path, transform: SmoothMap, identity: str) -> None:
    """Write a map whole or not at all; `identity` is that of the run that made it."""
    with replacing(path) as temporary:
        group = zarr.open_group(str(temporary), mode="w", zarr_format=3)
        shape = transform.displacement_um.shape
        array = group.create_array(
            "displacement_um",
            shape=shape,
            chunks=(1, *(min(n, 64) for n in shape[1:])),
            dtype="float32",
            compressors=BloscCodec(cname="zstd", clevel=1, shuffle="shuffle"),
            dimension_names=("component", "z", "y", "x"),
        )
        array[...] = transform.displacement_um
        group.attrs.update(
            {
                "kind": KIND,
                "identity": identity,
                "unit": "micrometer",
                "axes": ["z", "y", "x"],
                "spacing_um": list(transform.grid.spacing_um),
                "origin_um": list(transform.grid.origin_um),
                "affine": transform.affine.tolist(),
            }
        )


def read_map(path: Path, identity: str) -> SmoothMap:
    """Read the map of a run; raises `InputError` where there is none, or one of another run."""
    if not (path / "zarr.json").is_file():
        raise InputError(f"there is no transform at {path}: run `volumetric register` first")
    group = zarr.open_group(str(path), mode="r")
    attributes: dict[str, Any] = group.attrs.asdict()
    array = group.get("displacement_um")
    if attributes.get("kind") != KIND or not isinstance(array, zarr.Array):
        raise InputError(f"{path} is not a transform of this program")
    if attributes.get("identity") != identity:
        raise InputError(
            f"{path} is the transform of another registration than the files beside it: it was copied there, or "
            "replaced. Register again, or bring the folder's own files together"
        )
    return SmoothMap(
        affine=np.asarray(attributes["affine"], dtype=np.float64),
        displacement_um=np.asarray(array[...], dtype=np.float32),
        grid=VoxelSpace(um3(attributes["spacing_um"]), um3(attributes["origin_um"])),
    )
