"""What the rest of the library needs to know of an atlas."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from volumetric.atlas.ontology import Ontology, RegionIds
from volumetric.atlas.sides import LEFT, RIGHT
from volumetric.errors import InputError
from volumetric.findings import Finding
from volumetric.geometry.interpolate import nearest
from volumetric.geometry.orientation import Side, check_orientation
from volumetric.geometry.space import VoxelSpace, um3


@dataclass(frozen=True)
class Atlas:
    """A reference brain: template, annotation, hemispheres and the hierarchy of its regions.

    Args:
        name: for messages and records.
        space: spacing in um; voxel (0, 0, 0) lies at the origin.
        orientation: three letters.
        template: (Z, Y, X) uint16 or float32 reference image.
        annotation: (Z, Y, X) region ids, uint32, or uint64 where an id needs it; 0 outside the brain.
        hemispheres: (Z, Y, X) uint8, 1 left, 2 right wherever a region is.
        ontology: every id of the annotation has its row there.
        version: as it is published, where that is known.
        findings: what was noticed when it was opened.

    Raises `InputError` for shapes that differ, ids without a row and regions without a side.
    """

    name: str
    space: VoxelSpace
    orientation: str
    template: npt.NDArray[np.generic] = field(repr=False)
    annotation: RegionIds = field(repr=False)
    hemispheres: npt.NDArray[np.uint8] = field(repr=False)
    ontology: Ontology = field(repr=False)
    version: str | None = None
    findings: tuple[Finding, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        check_orientation(self.orientation)
        shapes = {self.template.shape, self.annotation.shape, self.hemispheres.shape}
        if len(shapes) != 1 or self.annotation.ndim != 3:
            raise InputError(
                f"atlas {self.name!r}: template, annotation and hemispheres must share one 3-D shape, got {shapes}"
            )
        missing = set(np.unique(self.annotation).tolist()) - {0} - set(self.ontology.ids)
        if missing:
            raise InputError(
                f"atlas {self.name!r}: {len(missing)} annotated ids have no row in its structure list, "
                f"for example {sorted(missing)[:5]}; the annotation and the list must be of one version of the atlas"
            )
        if max(self.ontology.ids, default=0) > np.iinfo(self.annotation.dtype).max:
            raise InputError(f"atlas {self.name!r}: {self.annotation.dtype} cannot hold the ids of its structures")
        sideless = (self.hemispheres != LEFT) & (self.hemispheres != RIGHT) & (self.annotation > 0)
        if np.any(sideless):
            raise InputError(
                f"atlas {self.name!r}: {np.count_nonzero(sideless)} annotated voxels are on neither side; its "
                f"hemispheres must be {LEFT} (left) or {RIGHT} (right) wherever a region is"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        z, y, x = self.annotation.shape
        return (z, y, x)

    @property
    def extent_um(self) -> tuple[float, float, float]:
        """Distance from the first to the last voxel centre along each axis."""
        return um3((n - 1) * s for n, s in zip(self.shape, self.space.spacing_um, strict=True))

    @cached_property
    def identity(self) -> str:
        """A digest of everything that changes a result: arrays, spacing, orientation and the hierarchy of regions."""
        rows = [(r.region_id, r.acronym, r.name, r.parent_id) for r in self.ontology.regions]
        facts = (self.space.spacing_um, self.orientation, self.shape, rows)
        content = hashlib.sha256(repr(facts).encode())
        for array in (self.template, self.annotation, self.hemispheres):
            content.update(np.ascontiguousarray(array).tobytes())
        return content.hexdigest()

    @property
    def record(self) -> dict[str, str | None]:
        """Which atlas it is, as results keep it."""
        return {"name": self.name, "identity": self.identity, "version": self.version}

    def scaled(self, scale: float) -> Atlas:
        """The same atlas with every length multiplied by `scale`; arrays are shared."""
        if not scale > 0:
            raise InputError(f"the scale of an atlas must be positive, got {scale}")
        spacing = um3(s * scale for s in self.space.spacing_um)
        return replace(self, name=f"{self.name} x {scale:g}", space=VoxelSpace(spacing))

    def only(self, side: Side) -> Atlas:
        """The same atlas with regions on one side alone; other voxels have neither region nor side."""
        if side == "both":
            return self
        kept = self.hemispheres == (LEFT if side == "left" else RIGHT)
        return replace(
            self, annotation=np.where(kept, self.annotation, 0), hemispheres=np.where(kept, self.hemispheres, 0)
        )

    def lookup(self, points_um: npt.NDArray[np.float64]) -> tuple[RegionIds, npt.NDArray[np.uint8]]:
        """Region id and hemisphere of (n, 3) atlas points in um, nearest voxel; 0 outside the array."""
        return nearest(self.annotation, points_um, self.space), nearest(self.hemispheres, points_um, self.space)
