"""What a TIFF says about itself: voxel size and channel names, from OME-XML, ImageJ's notes or its resolution tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tifffile

from volumetric.geometry.lengths import INCH_UM, micrometres, positive
from volumetric.storage.stated import AXES, UNSTATED, StatedVoxel

RESOLUTION_UNITS = {2: "inch", 3: "cm"}
"""Of the tag ResolutionUnit; 1 is none."""

COARSEST_PIXEL_UM = 20.0
"""A resolution tag that makes pixels coarser speaks of paper or a screen: 72, 96, 150, 300, 600 and 1200 dots an inch
are what programs write that know none."""

SCANNER_DPI = 1200
"""Whole multiples of it are a scanner's too."""


@dataclass(frozen=True)
class Metadata:
    """Voxel size as far as it is stated, and channel names as far as they are given."""

    voxel: StatedVoxel = UNSTATED
    channels: tuple[str, ...] = ()


def read_metadata(tif: tifffile.TiffFile, image: int = 0) -> Metadata:
    """The metadata of one of the images of a TIFF; what it does not state is left open."""
    if tif.is_ome and tif.ome_metadata:
        return _of_ome(tifffile.xml2dict(tif.ome_metadata, sep="\x00"), image)  # a decimal comma is no list
    if tif.is_imagej and tif.imagej_metadata and "unit" in tif.imagej_metadata:
        return Metadata(_of_imagej(tif.imagej_metadata, tif.pages.first.aspage()))
    return Metadata(_of_tags(tif.pages.first.aspage()))


def _of_ome(xml: Mapping[str, Any], image: int) -> Metadata:
    """OME-XML, where a size without a unit is in micrometres by its schema."""
    images = xml.get("OME", {}).get("Image", {})
    pixels = _first((images[image] if isinstance(images, list) else images).get("Pixels", {}))
    sizes = [pixels.get(f"PhysicalSize{axis.upper()}") for axis in AXES]
    units = [pixels.get(f"PhysicalSize{axis.upper()}Unit", "µm") for axis in AXES]
    listed = pixels.get("Channel", ())
    channels = listed if isinstance(listed, Sequence) else [listed]
    names = tuple(str(channel.get("Name", "")) for channel in channels)
    return Metadata(StatedVoxel.of("OME-XML", sizes, units), names if all(names) else ())


def _of_imagej(notes: Mapping[str, Any], page: tifffile.TiffPage) -> StatedVoxel:
    """ImageJ's notes: `unit` is that of x, and of y and z where they have none of their own."""
    unit = notes["unit"]
    units = [notes.get("zunit", unit), notes.get("yunit", unit), unit]
    pixels = [_pixel(page, tag) for tag in ("YResolution", "XResolution")]
    return StatedVoxel.of("ImageJ's metadata", [notes.get("spacing"), *pixels], units)


def _of_tags(page: tifffile.TiffPage) -> StatedVoxel:
    """The resolution tags of any TIFF, unless they are a scanner's, a printer's or a default."""
    number = page.tags["ResolutionUnit"].value if "ResolutionUnit" in page.tags else 1
    unit = RESOLUTION_UNITS.get(int(number))
    pixels = [_pixel(page, tag) for tag in ("YResolution", "XResolution")]
    sizes = [micrometres(pixel, unit) for pixel in pixels]
    if not all(size and _is_a_microscopes(size) for size in sizes):
        return UNSTATED
    return StatedVoxel.of("the TIFF's resolution tags", [None, *pixels], [None, unit, unit])


def _is_a_microscopes(pixel_um: float) -> bool:
    steps = INCH_UM / pixel_um / SCANNER_DPI
    return pixel_um <= COARSEST_PIXEL_UM and abs(steps - round(steps)) > 1e-3


def _pixel(page: tifffile.TiffPage, tag: str) -> float | None:
    """The length of a pixel in the unit of a resolution tag, which counts pixels in a length."""
    value = page.tags[tag].value if tag in page.tags else None
    if not isinstance(value, tuple) or len(value) != 2:
        return None
    pixels, length = positive(value[0]), positive(value[1])
    return length / pixels if pixels and length else None


def _first(item: Any) -> Any:  # noqa: ANN401 - parsed XML: one element, or a list where there are several
    return item[0] if isinstance(item, list) else item
