"""OME-Zarr volumes: one multiscale image with axes c, z, y, x, sharded, NGFF 0.5 (Zarr v3).

Reading also takes 0.4 and axes without c, or with a single time point. A volume is a path and its metadata, so
it can be sent to another process; arrays are opened once a process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3, index3
from volumetric.geometry.orientation import check_orientation
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.storage.atomic import replacing
from volumetric.storage.levels import Level
from volumetric.storage.provenance import folder_identity

ATTRIBUTE = "volumetric"
"""Our own group attribute beside `ome`: orientation and identity."""

TO_UM = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "meter": 1e6}


@dataclass(frozen=True)
class StoredLevel:
    """A level as found on disk: path inside the group, shape (z, y, x) and where its voxels lie."""

    path: str
    shape: Index3
    space: VoxelSpace


@dataclass(frozen=True)
class Volume:
    """An OME-Zarr image on disk. Raises `InputError` on opening anything else."""

    path: Path
    axes: tuple[str, ...]
    levels: tuple[StoredLevel, ...]
    channels: tuple[str, ...]
    dtype: str
    orientation: str | None
    identity: str | None

    @property
    def shape(self) -> Index3:
        return self.levels[0].shape

    @property
    def space(self) -> VoxelSpace:
        return self.levels[0].space

    def channel_index(self, channel: str | None) -> int:
        """The position of a named channel; None means the only or first one."""
        if channel is None:
            return 0
        if channel not in self.channels:
            raise InputError(f"{self.path} has no channel {channel!r}; it has {', '.join(self.channels)}")
        return self.channels.index(channel)

    def read(self, box: Box, level: int = 0, channel: int = 0) -> npt.NDArray[np.generic]:
        """The voxels (z, y, x) of a box of one level and channel."""
        spatial = dict(zip("zyx", box.slices, strict=True))
        index = tuple(spatial.get(axis, channel if axis == "c" else 0) for axis in self.axes)
        data: npt.NDArray[np.generic] = np.asarray(self._array(level, "r")[index])
        return data

    def write(self, box: Box, data: npt.NDArray[np.generic], level: int = 0, channel: int = 0) -> None:
        """Write the voxels of a box made of whole shards of one level and channel."""
        if data.shape != box.shape:
            raise InputError(f"a box of shape {box.shape} cannot take data of shape {data.shape}")
        self._array(level, "r+")[(channel, *box.slices)] = data

    def _array(self, level: int, mode: Literal["r", "r+"]) -> zarr.Array[Any]:
        stored = self.levels[level]
        return _open_array(str(self.path), stored.path, stored.shape, self.identity, mode)

    def fingerprint(self) -> str:
        """Changes when the volume does: its own identity, or names, sizes and times of a foreign one's files."""
        return self.identity or folder_identity(self.path)

    def nearest_level(self, spacing_um: float) -> int:
        """The coarsest level whose voxel edges are all at most `spacing_um`; 0 where none is."""
        fitting = [i for i, lv in enumerate(self.levels) if max(lv.space.spacing_um) <= spacing_um * 1.0001]
        return max(fitting, default=0)


@lru_cache(maxsize=64)
def _open_array(
    path: str, level: str, shape: Index3, identity: str | None, mode: Literal["r", "r+"]
) -> zarr.Array[Any]:
    """Shape and identity only keep a volume apart from an earlier one at the same path."""
    # Empty chunks are written: 1.6 times faster than looking for them, and a shard on disk then means "done".
    return zarr.open_array(path, path=level, mode=mode, config={"write_empty_chunks": True})


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
        axes=("c", "z", "y", "x"),
        levels=tuple(StoredLevel(str(level.number), level.shape, level.space) for level in levels),
        channels=tuple(channels),
        dtype=dtype,
        orientation=orientation,
        identity=identity,
    )


def create_volume(volume: Volume, levels: Sequence[Level]) -> None:
    """Write the metadata of an empty volume: c, z, y, x arrays of every level. What was there is replaced."""
    with replacing(volume.path) as temporary:
        group = zarr.open_group(str(temporary), mode="w", zarr_format=3)
        for level in levels:
            group.create_array(
                str(level.number),
                shape=(len(volume.channels), *level.shape),
                chunks=(1, *level.chunk),
                shards=(1, *level.shard),
                dtype=np.dtype(volume.dtype),
                compressors=BloscCodec(cname="zstd", clevel=1, shuffle="shuffle"),
                dimension_names=("c", "z", "y", "x"),
            )
        group.attrs.update(
            {
                "ome": _ngff(volume.path.name.split(".ome.zarr")[0], levels, volume),
                ATTRIBUTE: {"orientation": volume.orientation, "identity": volume.identity},
            }
        )


def set_display_range(volume: Volume, ranges: Sequence[tuple[float, float]]) -> None:
    """Store, for viewers, between which values each channel is shown."""
    group = zarr.open_group(str(volume.path), mode="r+")
    attributes: dict[str, Any] = group.attrs.asdict()
    ome = attributes["ome"]
    for channel, (start, end) in zip(ome["omero"]["channels"], ranges, strict=True):
        channel["window"] |= {"start": float(start), "end": float(end)}
    group.attrs["ome"] = ome


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
    colours = ("00FF00", "FF00FF", "00FFFF", "FFFF00")
    kind = np.dtype(volume.dtype)
    low, high = (np.iinfo(kind).min, np.iinfo(kind).max) if kind.kind in "iu" else (0.0, 1.0)
    window = {"min": float(low), "max": float(high), "start": float(low), "end": float(high)}
    return {
        "version": "0.5",
        "multiscales": [{"name": name, "type": "mean", "axes": axes, "datasets": datasets}],
        "omero": {
            "channels": [
                {"label": label, "active": True, "color": colours[i % len(colours)], "window": window}
                for i, label in enumerate(volume.channels)
            ]
        },
    }


def is_ome_zarr(path: Path) -> bool:
    """Whether a folder holds a Zarr group's metadata."""
    return (path / "zarr.json").is_file() or (path / ".zattrs").is_file()


def open_ome_zarr(path: Path) -> Volume:
    """Open an OME-Zarr 0.4 or 0.5 image; raises `InputError` where it is none or cannot be understood."""
    if not path.is_dir() or not is_ome_zarr(path):
        raise InputError(f"{path} is not an OME-Zarr: expected a folder with zarr.json or .zattrs")
    group = zarr.open_group(str(path), mode="r")
    attributes: dict[str, Any] = group.attrs.asdict()
    ome: dict[str, Any] = attributes.get("ome", attributes)
    multiscales = ome.get("multiscales")
    if not multiscales:
        raise InputError(f"{path} is a Zarr group but not an OME-Zarr image: it has no 'multiscales' metadata")
    image = multiscales[0]
    axes = tuple(str(axis["name"]) for axis in image["axes"])
    if axes[-3:] != ("z", "y", "x") or any(axis not in "tczyx" for axis in axes):
        raise InputError(f"{path}: expected axes that end in z, y, x, got {', '.join(axes)}")
    units = [TO_UM.get(axis.get("unit", "micrometer"), 1.0) for axis in image["axes"]][-3:]
    levels = tuple(_stored_level(group, dataset, image, units) for dataset in image["datasets"])
    first = group[levels[0].path]
    if not isinstance(first, zarr.Array):
        raise InputError(f"{path}: level {levels[0].path!r} is not an array")
    if "t" in axes and first.shape[axes.index("t")] != 1:
        raise InputError(f"{path} holds {first.shape[axes.index('t')]} time points; expected one")
    count = first.shape[axes.index("c")] if "c" in axes else 1
    own = attributes.get(ATTRIBUTE, {})
    return Volume(
        path=path,
        axes=axes,
        levels=levels,
        channels=_channel_names(ome, count),
        dtype=str(first.dtype),
        orientation=check_orientation(own["orientation"]) if own.get("orientation") else None,
        identity=own.get("identity"),
    )


def _channel_names(ome: Mapping[str, Any], count: int) -> tuple[str, ...]:
    listed = ome.get("omero", {}).get("channels", [])
    return tuple(
        str(listed[i].get("label") or f"channel{i}") if i < len(listed) else f"channel{i}" for i in range(count)
    )


def _stored_level(
    group: zarr.Group, dataset: Mapping[str, Any], image: Mapping[str, Any], units: Sequence[float]
) -> StoredLevel:
    scale, offset = np.ones(3), np.zeros(3)
    transforms = [*dataset.get("coordinateTransformations", []), *image.get("coordinateTransformations", [])]
    for transform in transforms:
        if transform["type"] == "scale":
            factor = np.asarray(transform["scale"][-3:], dtype=float)
            scale, offset = scale * factor, offset * factor
        elif transform["type"] == "translation":
            offset = offset + np.asarray(transform["translation"][-3:], dtype=float)
    array = group[dataset["path"]]
    if not isinstance(array, zarr.Array):
        raise InputError(f"{group.store_path}: level {dataset['path']!r} is not an array")
    space = VoxelSpace(um3(scale * np.asarray(units)), um3(offset * np.asarray(units)))
    return StoredLevel(str(dataset["path"]), index3(array.shape[-3:]), space)


@dataclass(frozen=True)
class Layout:
    """How a level lies on disk: file shape and chunk in the array's own axes, codec, files present and expected."""

    shard: tuple[int, ...]
    chunk: tuple[int, ...]
    codec: str
    present: int
    expected: int


def storage_layout(volume: Volume, level: int) -> Layout:
    """The layout of one level. Fewer files than expected is complete only where a writer leaves out empty ones."""
    array = zarr.open_array(str(volume.path), path=volume.levels[level].path, mode="r")
    shard = array.shards or array.chunks
    expected = int(np.prod([-(-n // s) for n, s in zip(array.shape, shard, strict=True)]))
    codec = array.compressors[0] if array.compressors else None
    name = getattr(codec, "cname", None) or getattr(codec, "codec_id", None) or type(codec).__name__
    return Layout(
        shard=tuple(shard),
        chunk=tuple(array.chunks),
        codec=str(getattr(name, "value", name)),
        present=sum(1 for file in (volume.path / volume.levels[level].path).rglob("*") if _is_data(file)),
        expected=expected,
    )


def _is_data(file: Path) -> bool:
    return file.is_file() and not file.name.startswith(".") and file.name != "zarr.json"
