"""OME-Zarr: one multiscale image with axes c, z, y, x; NGFF 0.5 (Zarr v3, sharded), or 0.4 on request.

Reading also takes axes without c, or with a single time point, and bare Zarr arrays, which say nothing of themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from volumetric.errors import InputError
from volumetric.geometry.box import index3
from volumetric.geometry.orientation import check_orientation
from volumetric.geometry.space import Um3, VoxelSpace, um3
from volumetric.storage.atomic import replacing
from volumetric.storage.encoding import BLOSC, Encoding
from volumetric.storage.levels import Level
from volumetric.storage.volume import StoredLevel, Volume

ATTRIBUTE = "volumetric"
"""Our own group attribute beside `ome`: orientation and identity."""

TO_UM = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "meter": 1e6}

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
        levels=tuple(StoredLevel(path / str(lv.number), lv.shape, lv.space, ("c", "z", "y", "x")) for lv in levels),
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
        dimension_names=("c", "z", "y", "x"),
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


def is_zarr(path: Path) -> bool:
    """Whether a folder holds a Zarr group or array of either version."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zattrs", ".zarray"))


UNSTATED = (1.0, 1.0, 1.0)
"""The voxel size to open a bare array with where it does not matter."""


def open_zarr(path: Path, voxel_um: Um3 | None = None) -> Volume:
    """An OME-Zarr image, or a bare array whose voxel size is given.

    Raises `InputError` where it is neither, cannot be understood, or states no voxel size and none is given.
    """
    try:
        found = zarr.open(str(path), mode="r")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # zarr's, for damaged metadata
        raise InputError(f"{path} cannot be read as Zarr: {error}. Its metadata is damaged or missing") from error
    if isinstance(found, zarr.Group):
        return open_ome_zarr(path)
    if voxel_um is None:
        raise InputError(
            f"{path} is a bare Zarr array, which does not say how large its voxels are: give --voxel-um Z Y X in um"
        )
    return _bare_array(path, found, VoxelSpace(voxel_um))


def open_ome_zarr(path: Path) -> Volume:
    """Open an OME-Zarr 0.4 or 0.5 image; raises `InputError` where it is none or cannot be understood."""
    if not path.is_dir() or not is_zarr(path):
        raise InputError(f"{path} is not an OME-Zarr: expected a folder with zarr.json or .zattrs")
    try:
        return _open_image(path)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(
            f"{path} cannot be read as an OME-Zarr image: {type(error).__name__}: {error}. Its metadata is damaged"
        ) from error


def _open_image(path: Path) -> Volume:
    group = zarr.open_group(str(path), mode="r")
    attributes: dict[str, Any] = group.attrs.asdict()
    ome: dict[str, Any] = attributes.get("ome", attributes)
    multiscales = ome.get("multiscales")
    if not multiscales:
        arrays = ", ".join(sorted(name for name, _ in group.arrays()))
        hint = f" Its arrays are {arrays}: give the path of one, with --voxel-um" if arrays else ""
        raise InputError(f"{path} is a Zarr group but not an OME-Zarr image: it has no 'multiscales' metadata.{hint}")
    image = multiscales[0]
    axes = tuple(str(axis["name"]) for axis in image["axes"])
    if axes[-3:] != ("z", "y", "x") or any(axis not in "tczyx" for axis in axes):
        raise InputError(f"{path}: expected axes that end in z, y, x, got {', '.join(axes)}")
    units = [TO_UM.get(axis.get("unit", "micrometer"), 1.0) for axis in image["axes"]][-3:]
    found = {str(dataset["path"]): _level_array(path, str(dataset["path"])) for dataset in image["datasets"]}
    levels = tuple(
        StoredLevel(path / name, index3(array.shape[-3:]), _space(dataset, image, units), axes)
        for dataset, (name, array) in zip(image["datasets"], found.items(), strict=True)
    )
    first = next(iter(found.values()))
    if "t" in axes and first.shape[axes.index("t")] != 1:
        raise InputError(f"{path} holds {first.shape[axes.index('t')]} time points; expected one")
    count = first.shape[axes.index("c")] if "c" in axes else 1
    own = attributes.get(ATTRIBUTE, {})
    return Volume(
        path=path,
        levels=levels,
        channels=_channel_names(ome, count),
        dtype=str(first.dtype.newbyteorder("=")),
        orientation=check_orientation(own["orientation"]) if own.get("orientation") else None,
        identity=own.get("identity"),
    )


def _bare_array(path: Path, array: zarr.Array[Any], space: VoxelSpace) -> Volume:
    if array.ndim not in {3, 4}:
        raise InputError(f"{path} has {array.ndim} axes: expected z, y, x or c, z, y, x")
    axes = ("z", "y", "x") if array.ndim == 3 else ("c", "z", "y", "x")
    count = array.shape[0] if array.ndim == 4 else 1
    return Volume(
        path=path,
        levels=(StoredLevel(path, index3(array.shape[-3:]), space, axes),),
        channels=_channel_names({}, count),
        dtype=str(array.dtype.newbyteorder("=")),
        orientation=None,
        identity=None,
    )


def _channel_names(ome: Mapping[str, Any], count: int) -> tuple[str, ...]:
    """The labels of the channels; numbers where they are not given, or do not tell the channels apart."""
    listed = ome.get("omero", {}).get("channels", [])
    numbered = tuple(f"channel{i}" for i in range(count))
    labels = tuple(_label(listed[i]) or numbered[i] if i < len(listed) else numbered[i] for i in range(count))
    return labels if len(set(labels)) == count else numbered


def _label(channel: Mapping[str, Any]) -> str:
    return str(channel.get("label") or "").strip()


def _space(dataset: Mapping[str, Any], image: Mapping[str, Any], units: Sequence[float]) -> VoxelSpace:
    """Where the voxels of a level lie, its own transforms and then the image's applied."""
    scale, offset = np.ones(3), np.zeros(3)
    for transform in [*dataset.get("coordinateTransformations", []), *image.get("coordinateTransformations", [])]:
        if transform["type"] == "scale":
            factor = np.asarray(transform["scale"][-3:], dtype=float)
            scale, offset = scale * factor, offset * factor
        elif transform["type"] == "translation":
            offset = offset + np.asarray(transform["translation"][-3:], dtype=float)
    return VoxelSpace(um3(scale * np.asarray(units)), um3(offset * np.asarray(units)))


def _level_array(path: Path, name: str) -> zarr.Array[Any]:
    array = zarr.open(str(path / name), mode="r")
    if not isinstance(array, zarr.Array):
        raise InputError(f"{path}: level {name!r} is not an array")
    return array
