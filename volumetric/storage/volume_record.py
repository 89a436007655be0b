"""Which image places are of, and where it lies: kept with tables and registrations, to tell what belongs together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from volumetric.errors import InputError
from volumetric.geometry.box import Index3, index3
from volumetric.geometry.field_of_view import FieldOfView
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.storage.volume import Volume

KEY = "volume"
"""Of a table's metadata, and of `quality.json`."""


@dataclass(frozen=True)
class VolumeRecord:
    """A volume as results remember it; `identity` and `path` are None where they were not kept."""

    identity: str | None
    path: str | None
    shape: Index3
    space: VoxelSpace

    @classmethod
    def of(cls, volume: Volume) -> VolumeRecord:
        """The record of a volume that is there or will be."""
        return cls(volume.fingerprint(), str(volume.path), volume.shape, volume.space)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> VolumeRecord:
        """As it was kept."""
        space = VoxelSpace(um3(kept["spacing_um"]), um3(kept["origin_um"]))
        return cls(kept.get("identity"), kept.get("path"), index3(kept["shape"]), space)

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "identity": self.identity,
            "path": self.path,
            "shape": list(self.shape),
            "spacing_um": list(self.space.spacing_um),
            "origin_um": list(self.space.origin_um),
        }

    @property
    def text(self) -> str:
        """As the metadata of a table holds it."""
        return json.dumps(self.as_json())

    @property
    def view(self) -> FieldOfView:
        """All of its voxels."""
        return FieldOfView.of_image(self.shape, self.space)

    def same_extent(self, other: VolumeRecord) -> bool:
        """Whether both cover one box of space, to a voxel of the coarser."""
        coarser = np.maximum(self.space.spacing_um, other.space.spacing_um)
        pairs = ((self.view.low_um, other.view.low_um), (self.view.high_um, other.view.high_um))
        return all(np.all(np.abs(np.subtract(a, b)) <= coarser) for a, b in pairs)

    def __str__(self) -> str:
        known = f", identity {self.identity[:8]}" if self.identity else ""
        voxels, sizes = " x ".join(map(str, self.shape)), " x ".join(f"{s:g}" for s in self.space.spacing_um)
        return f"{self.path or 'a volume'} ({voxels} voxels of {sizes} um{known})"


def refuse_other(cells: VolumeRecord, registered: VolumeRecord, *, same_space: bool) -> None:
    """Raise `InputError` where cells are of another volume than was registered.

    Args:
        cells: the volume they were found in.
        registered: the volume that the atlas was fitted to.
        same_space: whether two volumes are known to be images of one brain in one place, as two channels are. Even
            then they must cover the same box of space.
    """
    known = cells.identity is not None and registered.identity is not None
    if known and cells.identity == registered.identity:
        return
    if not cells.same_extent(registered):
        raise InputError(
            f"the cells are of {cells}, the registration is of {registered}: these do not cover the same space, so the "
            "cells would get regions that they do not lie in. Give the registration of the cells' own volume"
        )
    if known and not same_space:
        raise InputError(
            f"the cells are of {cells}, the registration is of {registered}: another volume. Give the registration of "
            "the cells' own volume; or, where both are images of one brain in one place, as two channels are, repeat "
            "with --same-space"
        )
