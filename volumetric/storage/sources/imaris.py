"""Imaris files (.ims): HDF5 in the layout of Bitplane's file format 5.5; the full resolution of its one time point."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from volumetric.errors import InputError
from volumetric.geometry.box import Index3, index3
from volumetric.geometry.lengths import positive
from volumetric.storage.provenance import files_identity
from volumetric.storage.sources.hdf5 import Hdf5Source, grain_of, load_plugins, opened, refuse_unwritten
from volumetric.storage.sources.source import check_dtype, words
from volumetric.storage.stated import UNSTATED, StatedVoxel

FULL = "DataSet/ResolutionLevel 0"
AXES = ("Z", "Y", "X")


def is_imaris(path: Path) -> bool:
    """Whether an HDF5 file has the groups of an Imaris image."""
    with opened(path) as file:
        return FULL in file


def open_imaris(path: Path) -> Hdf5Source:
    """An Imaris image; raises `InputError` for several time points or missing parts."""
    load_plugins()
    with opened(path) as file:
        times = [name for name in file[FULL] if name.startswith("TimePoint")]
        if len(times) != 1:
            raise InputError(f"{path} holds {len(times)} time points; expected one. Export the one to be counted")
        time = f"{FULL}/{times[0]}"
        numbers = sorted(int(name.split()[-1]) for name in file[time] if name.startswith("Channel"))
        if not numbers:
            raise InputError(f"{path} is damaged: it holds no channel. Export it again")
        groups = [file[f"{time}/Channel {n}"] for n in numbers]
        grids = {(_sizes(path, file, group), str(group["Data"].dtype.newbyteorder("="))) for group in groups}
        if len(grids) != 1:
            listed = ", ".join(words(shape, dtype) for shape, dtype in sorted(grids))
            raise InputError(f"{path} is damaged: its channels are not alike but {listed}. Export it again")
        sizes, dtype = grids.pop()
        check_dtype(str(path), dtype)
        for group in groups:
            refuse_unwritten(path, group["Data"])
        return Hdf5Source(
            path=path,
            places=tuple((f"{time}/Channel {n}/Data", 0) for n in numbers),
            axes=("z", "y", "x"),
            channels=_names(file, numbers),
            shape=sizes,
            dtype=dtype,
            grain=grain_of(groups[0]["Data"], ("z", "y", "x")),
            identity=files_identity([path]),
            voxel=_voxel(file, sizes),
            facts=(("kind", "Imaris"), ("axes", "z, y, x")),
            doubts=()
            if all(_said_sizes(file, groups[0]))
            else (
                f"{path} does not say how large its image is: the stored array is read, which may be padded with zeros",
            ),
        )


def _sizes(path: Path, file: h5py.File, group: h5py.Group) -> Index3:
    """The image's own size, said beside the channel or for the file: the stored array is padded to whole chunks."""
    stored, said = group["Data"].shape, _said_sizes(file, group)
    sizes = index3(int(positive(text) or -1) if text else n for text, n in zip(said, stored, strict=True))
    if not all(0 < size <= n for size, n in zip(sizes, stored, strict=True)):
        raise InputError(
            f"{path} is damaged: {group.name} should hold {' x '.join(text or '?' for text in said)} voxels but holds "
            f"{' x '.join(map(str, stored))}. Export it again"
        )
    return sizes


def _said_sizes(file: h5py.File, group: h5py.Group) -> list[str]:
    image = file["DataSetInfo/Image"].attrs if "DataSetInfo/Image" in file else {}
    return [_text(group.attrs, f"ImageSize{axis}") or _text(image, axis) for axis in AXES]


def _voxel(file: h5py.File, sizes: Index3) -> StatedVoxel:
    """Extent over size, which Imaris gives in x, y, z numbered 0, 1, 2."""
    if "DataSetInfo/Image" not in file:
        return UNSTATED
    image = file["DataSetInfo/Image"].attrs
    bounds = [(_number(image, f"ExtMin{i}"), _number(image, f"ExtMax{i}")) for i in (2, 1, 0)]
    edges = [(high - low) / n for (low, high), n in zip(bounds, sizes, strict=True)]
    values = [None if math.isnan(edge) else edge for edge in edges]
    return StatedVoxel.of("Imaris' extents", values, [_text(image, "Unit")] * 3)


def _names(file: h5py.File, numbers: list[int]) -> tuple[str, ...]:
    groups = [f"DataSetInfo/Channel {n}" for n in numbers]
    names = [(_text(file[group].attrs, "Name") if group in file else "") or "" for group in groups]
    unique = all(names) and len(set(names)) == len(names)
    return tuple(names) if unique else tuple(f"channel{n}" for n in numbers)


def _number(attributes: Mapping[str, Any], name: str) -> float:
    """A number that may be negative, with a decimal point or comma; NaN where there is none."""
    try:
        return float(_text(attributes, name).replace(",", "."))
    except ValueError:
        return math.nan


def _text(attributes: Mapping[str, Any], name: str) -> str:
    """An attribute, which Imaris stores as an array of single characters; empty where it is missing."""
    value = attributes.get(name)
    if value is None:
        return ""
    return np.asarray(value).astype("S").tobytes().decode("latin-1").strip("\x00 ")
