"""OME-Zarr: one multiscale image with axes c, z, y, x; NGFF 0.5 (Zarr v3, sharded), or 0.4 on request.

Reading takes all versions, axes of any order, one time point, the only image of a plate or of a file of series, and
bare Zarr arrays, which may name their axes and say nothing of their voxels.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from volumetric.errors import InputError
from volumetric.geometry.orientation import check_orientation
from volumetric.geometry.space import Um3, VoxelSpace, um3
from volumetric.storage.atomic import replacing
from volumetric.storage.axes import channel_count, grid_shape, spatial, understand_axes
from volumetric.storage.encoding import BLOSC, Encoding
from volumetric.storage.levels import Level
from volumetric.storage.ngff import AXES_BEFORE_0_3, is_zarr, level_spaces, ome_attributes, only_image, read_metadata
from volumetric.storage.stated import UNSTATED, StatedVoxel
from volumetric.storage.volume import OWN_AXES, StoredLevel, Volume

ATTRIBUTE = "volumetric"
"""Our own group attribute beside `ome`: orientation and identity."""

ONE_UM = (1.0, 1.0, 1.0)
"""The voxel size to see a bare array with until it is given."""

COLOURS = ("00FF00", "FF00FF", "00FFFF", "FFFF00")


def describe_volume(
    path: Path,
    levels: Sequence[Level],
    channels: Sequence[str],
    dtype: str,
    *,
    orientation: str | None,
    identity: str,
) -> Volume:
    """The volume that `create_volume` will lay out; nothing is written."""
    return Volume(
        path=path,
        levels=tuple(StoredLevel(path / str(lv.number), lv.shape, lv.space, OWN_AXES) for lv in levels),
        channels=tuple(channels),
        dtype=dtype,
        orientation=orientation,
        identity=identity,
    )


def create_volume(volume: Volume, levels: Sequence[Level], encoding: Encoding | None = None) -> None:
    """Write the metadata of an empty volume: c, z, y, x arrays of every level. What was there is replaced."""
    encoding = encoding or Encoding()
    ome = _ngff(volume.path.name.split(".ome.zarr")[0], levels, volume)
    own = {"orientation": volume.orientation, "identity": volume.identity}
    with replacing(volume.path) as temporary:
        group = zarr.open_group(str(temporary), mode="w", zarr_format=3 if encoding.ngff == "0.5" else 2)
        for level in levels:
            _create_array(group, level, volume, encoding)
        if encoding.ngff == "0.5":
            group.attrs.update({"ome": {"version": "0.5", **ome}, ATTRIBUTE: own})
        else:
            ome["multiscales"][0]["version"] = "0.4"
            group.attrs.update({**ome, ATTRIBUTE: own})


def _create_array(group: zarr.Group, level: Level, volume: Volume, encoding: Encoding) -> None:
    name, strength, shuffle = BLOSC[encoding.codec]
    shape, chunks = (len(volume.channels), *level.shape), (1, *level.chunk)
    if encoding.ngff == "0.4":
        number = numcodecs.Blosc.SHUFFLE if shuffle == "shuffle" else numcodecs.Blosc.BITSHUFFLE
        group.create_array(
            str(level.number),
            shape=shape,
            chunks=chunks,
            dtype=np.dtype(volume.dtype),
            compressors=numcodecs.Blosc(cname=name, clevel=strength, shuffle=number),
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )
        return
    group.create_array(
        str(level.number),
        shape=shape,
        chunks=chunks,
        shards=(1, *level.shard) if encoding.sharded else None,
        dtype=np.dtype(volume.dtype),
        # The checksum behind each compressed chunk makes damage an error for every reader, never a wrong number.
        compressors=[BloscCodec(cname=name, clevel=strength, shuffle=shuffle), Crc32cCodec()],
        dimension_names=OWN_AXES,
    )


def set_display_range(volume: Volume, ranges: Sequence[tuple[float, float]]) -> None:
    """Store, for viewers, between which values each channel is shown."""
    group = zarr.open_group(str(volume.path), mode="r+")
    attributes: dict[str, Any] = group.attrs.asdict()
    omero = attributes.get("ome", attributes)["omero"]
    for channel, (start, end) in zip(omero["channels"], ranges, strict=True):
        channel["window"] |= {"start": float(start), "end": float(end)}
    group.attrs.update(attributes)


def set_orientation(path: Path, orientation: str) -> None:
    """Store the orientation of a volume of our own, where it is not that already."""
    group = zarr.open_group(str(path), mode="r+")
    attributes: dict[str, Any] = group.attrs.asdict()
    own = attributes[ATTRIBUTE]
    if own.get("orientation") != orientation:
        group.attrs[ATTRIBUTE] = {**own, "orientation": orientation}


def _ngff(name: str, levels: Sequence[Level], volume: Volume) -> dict[str, Any]:
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    datasets = [
        {
            "path": str(level.number),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1.0, *level.space.spacing_um]},
                {"type": "translation", "translation": [0.0, *level.space.origin_um]},
            ],
        }
        for level in levels
    ]
    kind = np.dtype(volume.dtype)
    low, high = (np.iinfo(kind).min, np.iinfo(kind).max) if kind.kind in "iu" else (0.0, 1.0)
    window = {"min": float(low), "max": float(high), "start": float(low), "end": float(high)}
    return {
        "multiscales": [{"name": name, "type": "mean", "axes": axes, "datasets": datasets}],
        "omero": {
            "channels": [
                {"label": label, "active": True, "color": COLOURS[i % len(COLOURS)], "window": dict(window)}
                for i, label in enumerate(volume.channels)
            ]
        },
    }


def look_at_zarr(path: Path, axes: str | None = None) -> Volume:
    """An OME-Zarr image, or a bare array, as it says itself, its axes named by the user where `axes` is given.

    Where it does not state how large its voxels are (`Volume.voxel`), they are 1 um along that axis.
    Raises `InputError` where it is neither or cannot be understood.
    """
    if not path.is_dir() or not is_zarr(path):
        raise InputError(
            f"{path} is not an OME-Zarr nor a Zarr array: expected a folder with zarr.json, .zarray or .zattrs"
        )
    try:
        found = zarr.open(str(path), mode="r")
        if isinstance(found, zarr.Array):
            return _bare_array(path, found, axes)
        if not ome_attributes(found.attrs.asdict()).get("multiscales"):
            path = only_image(path)
            found = zarr.open_group(str(path), mode="r")
        return _image(path, found, axes)
    except InputError:
        raise
    except OSError as error:
        if error.errno in {None, errno.ENOENT}:
            raise InputError(f"{path} cannot be read as Zarr: {error}. Its metadata are damaged or missing") from error
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(
            f"{path} cannot be read as Zarr: {type(error).__name__}: {error}. Its metadata are damaged, missing or not "
            "those of an OME-Zarr; its voxels may be whole"
        ) from error


def open_zarr(path: Path, voxel_um: Um3 | None = None, axes: str | None = None) -> Volume:
    """An OME-Zarr image or a bare array whose voxel size it states itself or is given.

    Raises `InputError` where it is neither, cannot be understood, or states no voxel size and none is given.
    """
    return with_voxel(look_at_zarr(path, axes), voxel_um)


def open_ome_zarr(path: Path) -> Volume:
    """Open an OME-Zarr image that states its voxel size; raises `InputError` where it is none."""
    return open_zarr(path)


def with_voxel(volume: Volume, given: Um3 | None) -> Volume:
    """A volume with the voxel size that holds, the user's or its own; where they disagree, that is among its doubts.

    Raises `InputError` where none is stated and none given.
    """
    size, conflicts = volume.voxel.settle(given)
    if volume.voxel.whole_um is not None and not conflicts:
        return volume  # what is written differs from what is given by no more than its rounding
    factors = [a / b for a, b in zip(size, volume.space.spacing_um, strict=True)]
    levels = tuple(replace(level, space=_stretched(level.space, factors)) for level in volume.levels)
    doubts, read_as = (*volume.doubts, *conflicts), (*volume.read_as, f"voxel {size}")
    return replace(volume, levels=levels, doubts=doubts, read_as=read_as)


def _stretched(space: VoxelSpace, factors: Sequence[float]) -> VoxelSpace:
    return VoxelSpace(
        um3(a * f for a, f in zip(space.spacing_um, factors, strict=True)),
        um3(a * f for a, f in zip(space.origin_um, factors, strict=True)),
    )


def _image(path: Path, group: zarr.Group, given: str | None) -> Volume:
    attributes: dict[str, Any] = group.attrs.asdict()
    found = read_metadata(path, ome_attributes(attributes))
    arrays = [_level_array(path, dataset.path) for dataset in found.datasets]
    first = arrays[0]
    names = found.axes
    if names is None and first.ndim == len(AXES_BEFORE_0_3):
        names = AXES_BEFORE_0_3
    said_by = "its metadata" if found.axes else f"OME-Zarr {found.version}"
    axes = understand_axes(str(path), first.shape, names, said_by, given)
    units = spatial(axes.letters, found.units or (None,) * first.ndim)
    shapes = [grid_shape(axes.letters, array.shape) for array in arrays]
    spaces = level_spaces(axes.letters, found.datasets, shapes, units)
    scale = found.datasets[0].scale
    own = attributes.get(ATTRIBUTE, {})
    several = f"{path} holds {found.images} multiscale images: the first is read"
    return Volume(
        path=path,
        levels=tuple(
            StoredLevel(path / dataset.path, shape, space, axes.letters)
            for dataset, shape, space in zip(found.datasets, shapes, spaces, strict=True)
        ),
        channels=_channel_names(found.labels, channel_count(axes.letters, first.shape)),
        dtype=str(first.dtype.newbyteorder("=")),
        orientation=check_orientation(own["orientation"]) if own.get("orientation") else None,
        identity=own.get("identity"),
        voxel=StatedVoxel.of("the OME-Zarr's metadata", spatial(axes.letters, scale), units) if scale else UNSTATED,
        facts=(("kind", f"OME-Zarr {found.version}"), ("axes", str(axes))),
        doubts=(*axes.doubts, *([several] if found.images > 1 else [])),
        read_as=() if given is None else (f"axes {''.join(axes.letters)}",),
    )


def _bare_array(path: Path, array: zarr.Array[Any], given: str | None) -> Volume:
    names = getattr(array.metadata, "dimension_names", None)
    said_by = "its dimension names"
    if names is None:
        listed = array.attrs.asdict().get("_ARRAY_DIMENSIONS")
        names, said_by = listed if isinstance(listed, list) else None, "its _ARRAY_DIMENSIONS"
    axes = understand_axes(str(path), array.shape, names, said_by, given)
    return Volume(
        path=path,
        levels=(StoredLevel(path, grid_shape(axes.letters, array.shape), VoxelSpace(ONE_UM), axes.letters),),
        channels=_channel_names((), channel_count(axes.letters, array.shape)),
        dtype=str(array.dtype.newbyteorder("=")),
        orientation=None,
        identity=None,
        facts=(("kind", "bare Zarr array"), ("axes", str(axes))),
        doubts=axes.doubts,
        read_as=() if axes.is_usual else (f"axes {''.join(axes.letters)}",),
    )


def _channel_names(labels: Sequence[str], count: int) -> tuple[str, ...]:
    """The labels of the channels; numbers where they are not given, or do not tell the channels apart."""
    numbered = tuple(f"channel{i}" for i in range(count))
    names = tuple((labels[i] if i < len(labels) else "") or numbered[i] for i in range(count))
    return names if len(set(names)) == count else numbered


def _level_array(path: Path, name: str) -> zarr.Array[Any]:
    array = zarr.open(str(path / name), mode="r")
    if not isinstance(array, zarr.Array):
        raise InputError(f"{path}: level {name!r} is not an array")
    return array
