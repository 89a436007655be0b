"""Imaris files (.ims): HDF5 in the layout of Bitplane's file format 5.5; the full resolution of its one time point."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from volumetric.errors import InputError
from volumetric.geometry.box import Index3, index3
from volumetric.geometry.space import Um3
from volumetric.storage.provenance import files_identity
from volumetric.storage.sources.hdf5 import Hdf5Source, grain_of, load_plugins, opened, refuse_unwritten
from volumetric.storage.sources.source import UNITS_UM, check_dtype, whole_spacing, words

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
            raise InputError(f"{path} holds {len(times)} time points; expected one")
        time = f"{FULL}/{times[0]}"
        numbers = sorted(int(name.split()[-1]) for name in file[time] if name.startswith("Channel"))
        if not numbers:
            raise InputError(f"{path} is damaged: it holds no channel. Export it again")
        groups = [file[f"{time}/Channel {n}"] for n in numbers]
        grids = {(_sizes(path, group), str(group["Data"].dtype.newbyteorder("="))) for group in groups}
        if len(grids) != 1:
            listed = ", ".join(words(shape, dtype) for shape, dtype in sorted(grids))
            raise InputError(f"{path} is damaged: its channels are not alike but {listed}. Export it again")
        sizes, dtype = grids.pop()
        check_dtype(str(path), dtype)
        for group in groups:
            refuse_unwritten(path, group["Data"])
        return Hdf5Source(
            path=path,
            places=tuple((f"{time}/Channel {n}/Data", None) for n in numbers),
            channels=_names(file, numbers),
            shape=sizes,
            dtype=dtype,
            spacing_um=_spacing(file, sizes),
            grain=grain_of(groups[0]["Data"]),
            identity=files_identity([path]),
        )


def _sizes(path: Path, group: h5py.Group) -> Index3:
    """The image's own size: the stored array is padded to whole chunks."""
    stored = group["Data"].shape
    sizes = index3(int(_text(group.attrs, f"ImageSize{axis}") or n) for axis, n in zip(AXES, stored, strict=True))
    if not all(0 < size <= n for size, n in zip(sizes, stored, strict=True)):
        raise InputError(
            f"{path} is damaged: {group.name} should hold {' x '.join(map(str, sizes))} voxels but holds "
            f"{' x '.join(map(str, stored))}. Export it again"
        )
    return sizes


def _spacing(file: h5py.File, sizes: Index3) -> Um3 | None:
    """Extent over size, which Imaris gives in x, y, z numbered 0, 1, 2."""
    if "DataSetInfo/Image" not in file:
        return None
    image = file["DataSetInfo/Image"].attrs
    unit = UNITS_UM.get(_text(image, "Unit") or "um")
    bounds = [(_text(image, f"ExtMin{i}"), _text(image, f"ExtMax{i}")) for i in (2, 1, 0)]
    if unit is None or not all(low and high for low, high in bounds):
        return None
    z, y, x = ((float(high) - float(low)) / n * unit for (low, high), n in zip(bounds, sizes, strict=True))
    return whole_spacing((z, y, x))


def _names(file: h5py.File, numbers: list[int]) -> tuple[str, ...]:
    groups = [f"DataSetInfo/Channel {n}" for n in numbers]
    names = [(_text(file[group].attrs, "Name") if group in file else "") or "" for group in groups]
    unique = all(names) and len(set(names)) == len(names)
    return tuple(names) if unique else tuple(f"channel{n}" for n in numbers)


def _text(attributes: h5py.AttributeManager, name: str) -> str:
    """An attribute, which Imaris stores as an array of single characters; empty where it is missing."""
    value = attributes.get(name)
    if value is None:
        return ""
    return np.asarray(value).astype("S").tobytes().decode("latin-1").strip("\x00 ")
