"""A registered brain, opened again: where its points lie in the atlas, and the atlas' regions in it.

    R/sample_to_atlas.zarr, R/atlas_to_sample.zarr   the maps
    R/imaged.ome.zarr                                where the image shows the brain
    R/excluded.ome.zarr                              damaged tissue, where there is any
    R/quality.json                                   which volume, which atlas, which run

All carry the identity of the run that wrote them and are refused in any other company.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from volumetric.atlas.atlas import Atlas
from volumetric.atlas.labels import Assignment, assign
from volumetric.atlas.loader import load_atlas
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.geometry.field_of_view import Exclusion, FieldOfView
from volumetric.geometry.orientation import Side
from volumetric.geometry.space import Points
from volumetric.geometry.transform import SmoothMap
from volumetric.storage.atomic import read_json
from volumetric.storage.omezarr import open_ome_zarr
from volumetric.storage.transforms import read_map
from volumetric.storage.volume_record import VolumeRecord

SAMPLE_TO_ATLAS, ATLAS_TO_SAMPLE = "sample_to_atlas.zarr", "atlas_to_sample.zarr"
LABELS, IMAGED, EXCLUDED = "labels.ome.zarr", "imaged.ome.zarr", "excluded.ome.zarr"
QUALITY = "quality.json"


def read_quality(registration: Path) -> dict[str, Any]:
    """What `quality.json` of a registration folder says; raises `InputError` where there is none."""
    path = registration / QUALITY
    if not path.is_file():
        raise InputError(f"{registration} holds no registration: run `volumetric register` first")
    found: dict[str, Any] = read_json(path)
    return found


def open_registration(
    path: str | Path, atlas: Atlas | str | Path | None = None, atlas_dir: Path | None = None
) -> RegisteredBrain:
    """Open what `volumetric register` or `count` left, to map points and look regions up.

    Args:
        path: a registration folder, or a run folder with one.
        atlas: the atlas, its name or its folder; by default the one that the brain was registered to.
        atlas_dir: where named atlases are.

    Raises `InputError` where there is no registration, its files are of different runs, or the atlas is another one.
    """
    folder = Path(path) / "registration" if (Path(path) / "registration").is_dir() else Path(path)
    quality = read_quality(folder)
    if not isinstance(atlas, Atlas):
        try:
            atlas = load_atlas(atlas or quality["atlas"]["given"], atlas_dir)
        except InputError as error:
            raise InputError(
                f"the atlas of {folder} was not found: give atlas_dir=, the folder that named atlases are in, or set "
                f"$VOLUMETRIC_ATLAS_DIR; or atlas=, its own folder. {error}"
            ) from error
    return RegisteredBrain.open(folder, atlas)


@dataclass(frozen=True)
class RegisteredBrain:
    """The result of a registration with the atlas it was made to; points are um, z, y, x of the image or the atlas.

    Laws: `to_sample(to_atlas(p))` is p to the registration's inverse consistency; every process that opens the same
    folder maps a point to the same bits.
    """

    folder: Path
    atlas: Atlas = field(repr=False)
    quality: dict[str, Any] = field(repr=False)

    @classmethod
    def open(cls, folder: str | Path, atlas: Atlas) -> RegisteredBrain:
        """Open a registration folder; raises `InputError` where it is none or was made to another atlas."""
        quality = read_quality(Path(folder))
        known = quality["atlas"]
        if known["identity"] != atlas.identity:
            names = [
                f"{name!r}, version {version or 'not stated'}"
                for name, version in ((known["name"], known.get("version")), (atlas.name, atlas.version))
            ]
            raise InputError(
                f"{folder} was registered to the atlas {names[0]} (identity {known['identity'][:8]}), not to this "
                f"{names[1]} ({atlas.identity[:8]}): give the same --atlas; NAME==VERSION names a version"
            )
        return cls(Path(folder), atlas, quality)

    @property
    def identity(self) -> str:
        """Of the run that made it."""
        return str(self.quality["identity"])

    @cached_property
    def sample_to_atlas(self) -> SmoothMap:
        """The map of points; raises `InputError` where it is missing or of another run."""
        return read_map(self.folder / SAMPLE_TO_ATLAS, self.identity)

    @cached_property
    def atlas_to_sample(self) -> SmoothMap:
        """The map back; raises `InputError` where it is missing or of another run."""
        return read_map(self.folder / ATLAS_TO_SAMPLE, self.identity)

    @property
    def volume(self) -> VolumeRecord:
        """What was registered."""
        return VolumeRecord.from_json(self.quality["volume"])

    @property
    def side(self) -> Side:
        """The side of the brain that was imaged; both, where that is not known."""
        side: Side = self.quality.get("imaged_side", "both")
        return side

    @cached_property
    def counted(self) -> Atlas:
        """The atlas with the regions that can be counted: those of the side that was imaged."""
        return self.atlas.only(self.side)

    @cached_property
    def field_of_view(self) -> FieldOfView:
        """Where the sample was imaged and shows the brain, less what the user excluded."""
        return FieldOfView.of_image(self.volume.shape, self.volume.space, self._exclusion())

    def to_atlas(self, points_um: npt.ArrayLike) -> Points:
        """(n, 3) um of the image to um of the atlas."""
        return self.sample_to_atlas(points_um)

    def to_sample(self, points_um: npt.ArrayLike) -> Points:
        """(n, 3) um of the atlas to um of the image."""
        return self.atlas_to_sample(points_um)

    def assign(self, points_um: npt.ArrayLike) -> Assignment:
        """Region, hemisphere and atlas position of (n, 3) um of the image.

        What is excluded, does not show the brain or lies on a side that was not imaged has no region.
        """
        return assign(points_um, self.sample_to_atlas, self.counted, self.field_of_view.exclusion)

    def _exclusion(self) -> Exclusion | None:
        """What of the image is left out: excluded, or without brain."""
        parts = []
        if "imaged" in self.quality:
            seen = self._mask(IMAGED)
            parts.append(Exclusion(~seen.mask, seen.grid))
        if (self.folder / EXCLUDED).exists():
            parts.append(self._mask(EXCLUDED))
        if not parts:
            return None
        return Exclusion(np.logical_or.reduce([part.mask for part in parts]), parts[0].grid)

    def _mask(self, name: str) -> Exclusion:
        """A mask of the folder; raises `InputError` where it is missing or of another run."""
        stored = open_ome_zarr(self.folder / name)
        if stored.identity != self.identity:
            raise InputError(f"{stored.path} belongs to another registration than {self.folder}")
        return Exclusion(stored.read(Box.of_shape(stored.shape)).astype(np.bool_), stored.space)
