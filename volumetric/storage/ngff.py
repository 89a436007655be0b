"""What the metadata of an OME-Zarr say, versions 0.1 to 0.6: levels, axes, scales, channels; and where its images are.

A value of `ImageMetadata` holds them in the order in which the axes are stored, sizes as they are written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zarr

from volumetric.errors import InputError
from volumetric.geometry.box import Index3
from volumetric.geometry.lengths import positive, unit_um
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.storage.axes import spatial

VERSIONS = ("0.1", "0.2", "0.3", "0.4", "0.5", "0.6")
DEPTH = 3
"""A plate's images are below row, column and field."""

LISTED = 8
AXES_BEFORE_0_3 = ("t", "c", "z", "y", "x")

Numbers = tuple[object, ...]


@dataclass(frozen=True)
class Dataset:
    """One level: its path, and for each stored axis a voxel's size and the place of the first, None if not said."""

    path: str
    scale: Numbers | None
    translation: Numbers | None


@dataclass(frozen=True)
class ImageMetadata:
    """One multiscale image. `axes` and `units` are those stored, None where the version does not know them."""

    version: str
    axes: tuple[str, ...] | None
    units: tuple[object, ...]
    datasets: tuple[Dataset, ...]
    labels: tuple[str, ...]
    images: int


def is_zarr(path: Path) -> bool:
    """Whether a folder holds a Zarr group or array of either version."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zattrs", ".zarray"))


def ome_attributes(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a group's attributes that is OME's: below `ome` since 0.5."""
    found = attributes.get("ome", attributes)
    return found if isinstance(found, Mapping) else {}


def read_metadata(path: Path, ome: Mapping[str, Any]) -> ImageMetadata:
    """The first multiscale image of a group's metadata; raises `InputError` for a version or transform not known."""
    images = ome["multiscales"]
    image = images[0]
    version = str(ome.get("version") or image.get("version") or "")
    if version and not version.startswith(VERSIONS):
        raise InputError(
            f"{path} is OME-Zarr {version}: {VERSIONS[0]} to {VERSIONS[-1]} are read. Convert it to one of them, or "
            "give the path of one of its arrays with --voxel-um"
        )
    systems = image.get("coordinateSystems")
    axes = _system(image, systems)["axes"] if systems else image.get("axes")
    names, units = _axes(axes)
    count = len(names) if names else len(AXES_BEFORE_0_3)
    whole = () if systems else image.get("coordinateTransformations", ())  # those of 0.6 lead to other systems
    datasets = tuple(
        _dataset(path, dataset, [*dataset.get("coordinateTransformations", ()), *whole], count)
        for dataset in image["datasets"]
    )
    channels = ome.get("omero", {}).get("channels", [])
    labels = tuple(str(channel.get("label") or "").strip() for channel in channels)
    return ImageMetadata(version or "without version", names, units, datasets, labels, len(images))


def level_spaces(
    axes: Sequence[str], datasets: Sequence[Dataset], shapes: Sequence[Index3], units: Sequence[object]
) -> list[VoxelSpace]:
    """Where the voxels of each level lie; along an axis of no length as if its numbers were um, or a voxel 1 um."""
    factors = [unit_um(unit) or 1.0 for unit in units]
    sizes = [[positive(n) for n in spatial(axes, d.scale)] if d.scale else [None] * 3 for d in datasets]
    places = [spatial(axes, d.translation) if d.translation else (0.0,) * 3 for d in datasets]
    columns = []
    for axis, factor in enumerate(factors):
        said = [level[axis] for level in sizes]
        if all(size is not None for size in said):
            spacing = [float(size or 1.0) * factor for size in said]
            origin = [float(place[axis]) * factor for place in places]
        else:
            spacing = [_step(shapes[0][axis], shape[axis]) for shape in shapes]
            origin = [(step - 1) / 2 for step in spacing]
        columns.append(list(zip(spacing, origin, strict=True)))
    return [VoxelSpace(um3(a for a, _ in level), um3(b for _, b in level)) for level in zip(*columns, strict=True)]


def _step(fine: int, coarse: int) -> float:
    """How many voxels make one of a coarser level: a whole number where the lengths differ from it by rounding."""
    step = fine / coarse
    return round(step) if abs(step - round(step)) * coarse <= step else step


def only_image(path: Path) -> Path:
    """The one image below a group that is none itself, such as a plate or the root that bioformats2raw writes.

    Raises `InputError` that names them where there are several, or the arrays where there is none.
    """
    found = sorted(_images_below(path, DEPTH))
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(str(image.relative_to(path)) for image in found[:LISTED])
        raise InputError(
            f"{path} holds {len(found)} images ({shown}{', ...' if len(found) > LISTED else ''}), not one: give the "
            f"path of one, such as {found[0]}"
        )
    group = zarr.open_group(str(path), mode="r")
    arrays = ", ".join(sorted(name for name, _ in group.arrays()))
    hint = f" Its arrays are {arrays}: give the path of one, with --voxel-um" if arrays else ""
    raise InputError(f"{path} is a Zarr group but not an OME-Zarr image: it has no 'multiscales' metadata.{hint}")


def _images_below(path: Path, depth: int) -> Iterator[Path]:
    """The groups with an image below a group; label images, which belong to an image, left out."""
    for child in path.iterdir():
        if child.name in {"OME", "labels"} or not child.is_dir() or not is_zarr(child):
            continue
        found = zarr.open(str(child), mode="r")
        if not isinstance(found, zarr.Group):
            continue
        if ome_attributes(found.attrs.asdict()).get("multiscales"):
            yield child
        elif depth > 1:
            yield from _images_below(child, depth - 1)


def _system(image: Mapping[str, Any], systems: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The coordinate system (0.6) that the levels are placed in."""
    transforms = image["datasets"][0].get("coordinateTransformations") or [{}]
    output = transforms[0].get("output")
    wanted = output.get("name") if isinstance(output, Mapping) else output
    return next((system for system in systems if system.get("name") == wanted), systems[0])


def _axes(axes: Sequence[Any] | None) -> tuple[tuple[str, ...] | None, tuple[object, ...]]:
    """Names and units of axes: objects since 0.4, names alone in 0.3, none before."""
    if not axes:
        return None, ()
    described = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in axes]
    kinds = {"channel": "c", "time": "t"}
    names = tuple(kinds.get(str(axis.get("type")), str(axis.get("name", ""))) for axis in described)
    return names, tuple(axis.get("unit") for axis in described)


def _dataset(path: Path, dataset: Mapping[str, Any], transforms: Sequence[Mapping[str, Any]], count: int) -> Dataset:
    """A level with all transforms applied one after another."""
    scale: list[float] | None = None
    offset: list[float] | None = None
    for transform in _flat(transforms):
        kind = transform.get("type")
        if kind == "identity":
            continue
        values = transform.get(str(kind))
        if kind not in {"scale", "translation"} or not isinstance(values, Sequence) or isinstance(values, str):
            raise InputError(
                f"{path} places its level {dataset['path']} by a transformation of the kind "
                f"{kind!r}{' kept in an array' if 'path' in transform else ''}: scale and translation written as "
                "numbers are read. Save it with these, or give the path of the array with --voxel-um"
            )
        if len(values) != count:
            raise InputError(
                f"{path} places its level {dataset['path']} with a {kind} of {len(values)} numbers, but it has {count} "
                "axes: its metadata contradict each other. Give the path of the array with --voxel-um"
            )
        numbers = [_number(value) for value in values]
        if kind == "scale":
            scale = [a * b for a, b in zip(scale or [1.0] * count, numbers, strict=True)]
            offset = [a * b for a, b in zip(offset, numbers, strict=True)] if offset else None
        else:
            offset = [a + b for a, b in zip(offset or [0.0] * count, numbers, strict=True)]
    return Dataset(str(dataset["path"]), tuple(scale) if scale else None, tuple(offset) if offset else None)


def _flat(transforms: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Transforms one by one, sequences (0.6) taken apart."""
    for transform in transforms:
        if transform.get("type") == "sequence":
            yield from _flat(transform.get("transformations", ()))
        else:
            yield transform


def _number(value: object) -> float:
    """A number, also as text and with a decimal comma; NaN where it is none."""
    text = str(value).strip()
    return float(text.replace(",", ".")) if re.fullmatch(r"[-+]?\d*[.,]?\d+([eE][-+]?\d+)?\.?", text) else math.nan
