"""What a TIFF says about itself: voxel size and channel names, from OME-XML or from ImageJ's notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tifffile

from volumetric.geometry.space import Um3
from volumetric.storage.sources.source import UNITS_UM, whole_spacing


@dataclass(frozen=True)
class Metadata:
    """Voxel size in um, each axis None where it is not stated, and channel names as far as they are given."""

    spacing_um: tuple[float | None, float | None, float | None] = (None, None, None)
    channels: tuple[str, ...] = ()

    @property
    def whole_spacing_um(self) -> Um3 | None:
        """The voxel size where all of it is stated."""
        return whole_spacing(self.spacing_um)


def read_metadata(tif: tifffile.TiffFile) -> Metadata:
    """The metadata of a TIFF; what it does not state is left open."""
    if tif.is_ome and tif.ome_metadata:
        return _of_ome(tifffile.xml2dict(tif.ome_metadata))
    if tif.is_imagej and tif.imagej_metadata:
        return _of_imagej(tif.imagej_metadata, tif.pages.first)
    return Metadata()


def _of_ome(xml: Mapping[str, Any]) -> Metadata:
    pixels = _first(_first(xml.get("OME", {}).get("Image", {})).get("Pixels", {}))
    sizes = [
        _micrometres(pixels.get(f"PhysicalSize{axis}"), str(pixels.get(f"PhysicalSize{axis}Unit", "µm")))
        for axis in "ZYX"
    ]
    listed = pixels.get("Channel", ())
    channels = listed if isinstance(listed, Sequence) else [listed]
    names = tuple(str(channel.get("Name", "")) for channel in channels)
    return Metadata((sizes[0], sizes[1], sizes[2]), names if all(names) else ())


def _of_imagej(notes: Mapping[str, Any], page: tifffile.TiffPage | tifffile.TiffFrame) -> Metadata:
    unit = str(notes.get("unit", ""))
    sizes = [_micrometres(notes.get("spacing"), unit)]
    for tag in ("YResolution", "XResolution"):
        pixels, length = page.aspage().tags[tag].value if tag in page.aspage().tags else (0, 1)
        sizes.append(_micrometres(length / pixels if pixels else None, unit))
    return Metadata((sizes[0], sizes[1], sizes[2]))


def _micrometres(value: object, unit: str) -> float | None:
    if not isinstance(value, int | float) or value <= 0 or unit not in UNITS_UM:
        return None
    return float(value) * UNITS_UM[unit]


def _first(item: Any) -> Any:  # noqa: ANN401 - parsed XML: one element, or a list where there are several
    return item[0] if isinstance(item, list) else item
