"""HDF5 files: any dataset of z, y, x or c, z, y, x; several datasets of one grid are channels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3, index3
from volumetric.geometry.space import Um3
from volumetric.storage.provenance import files_identity
from volumetric.storage.sources.source import channel_name, check_dtype, whole_spacing, words

SPACING_ATTRIBUTE = "element_size_um"
"""Voxel size (z, y, x), as ImageJ's and BigDataViewer's HDF5 writers store it."""


@dataclass(frozen=True)
class Hdf5Source:
    """Datasets of one file. `places` names, for each channel, a dataset and an index on its first axis, or None."""

    path: Path
    places: tuple[tuple[str, int | None], ...]
    channels: tuple[str, ...]
    shape: Index3
    dtype: str
    spacing_um: Um3 | None
    grain: Index3
    identity: str

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """The voxels of a box."""
        name, index = self.places[channel]
        with opened(self.path) as file:
            voxels = file[name][box.slices if index is None else (index, *box.slices)]
            if voxels.shape != out.shape:
                raise InputError(f"{self.path} was replaced: {name} ends within z, y, x {box.start} to {box.stop}")
            out[...] = voxels


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file, read without locking it; damage is an `InputError` that names the file."""
    with path.open("rb"):
        pass  # what the system refuses is said in the system's own words
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (InputError, MemoryError):
        raise
    except Exception as error:  # h5py raises many kinds for damaged content
        said = " ".join(str(error).split()) or type(error).__name__
        unknown = "required filter" in said or "plugin" in said
        hint = "Its compression needs a plugin: pip install hdf5plugin" if unknown else "Replace the file"
        raise InputError(f"{path} cannot be read as HDF5: {said}. {hint}") from error


def load_plugins() -> None:
    """Make the compressions of the optional package `hdf5plugin` known, where it is installed."""
    try:
        import hdf5plugin  # noqa: F401 - importing registers its filters
    except ImportError:
        return


def open_hdf5(path: Path, dataset: str | None = None) -> Hdf5Source:
    """The images of an HDF5 file; raises `InputError` that lists its datasets where a choice is needed."""
    load_plugins()
    with opened(path) as file:
        found = _images(file)
        chosen = {name: d for name, d in found.items() if dataset is None or name == dataset.strip("/")}
        grids = {(d.shape, str(d.dtype)) for d in chosen.values()}
        if len(grids) != 1:
            listed = "; ".join(f"{name} ({words(d.shape, str(d.dtype))})" for name, d in list(found.items())[:8])
            given = f" {dataset!r}" if dataset else ""
            raise InputError(
                f"{path} does not hold one image{given}: it has {listed or 'no dataset of three or four axes'}. "
                f"Give one as {path}:/NAME"
            )
        first = next(iter(chosen.values()))
        check_dtype(str(path), str(first.dtype.newbyteorder("=")))
        for data in chosen.values():
            refuse_unwritten(path, data)
        names = list(chosen)
        places: list[tuple[str, int | None]]
        if first.ndim == 4:
            places = [(name, c) for name in names for c in range(first.shape[0])]
            labels = [f"{name}-{c}" if len(names) > 1 else f"channel{c}" for name, c in places]
        else:
            places = [(name, None) for name in names]
            labels = names if len(names) > 1 else [channel_name(path)]
        return Hdf5Source(
            path=path,
            places=tuple(places),
            channels=tuple(label.replace("/", "-") for label in labels),
            shape=index3(first.shape[-3:]),
            dtype=str(first.dtype.newbyteorder("=")),
            spacing_um=_spacing(first),
            grain=grain_of(first),
            identity=files_identity([path]),
        )


def refuse_unwritten(path: Path, dataset: h5py.Dataset) -> None:
    """Raise `InputError` where nothing was ever written, which HDF5 reads as zeros."""
    if dataset.is_virtual:
        missing = [s.file_name for s in dataset.virtual_sources() if not _reaches(path, s.file_name)]
        if missing:
            raise InputError(f"{path} is incomplete: {missing[0]}, which holds voxels of {dataset.name}, is missing")
    elif dataset.id.get_storage_size() == 0:
        raise InputError(f"{path} is damaged or unfinished: nothing was written to {dataset.name}. Replace the file")


def _reaches(path: Path, name: str) -> bool:
    """Whether the file of a virtual dataset's source is there; names with a number to fill in are not checked."""
    return name == "." or "%" in name or (path.parent / name).is_file()


def grain_of(dataset: h5py.Dataset) -> Index3:
    """The chunk of a dataset in z, y, x; one row where it is not chunked."""
    chunk = dataset.chunks or (1, 1, dataset.shape[-1])
    return index3(chunk[-3:])


def _images(file: h5py.File) -> dict[str, h5py.Dataset]:
    found: dict[str, h5py.Dataset] = {}

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim in {3, 4} and item.size and item.dtype.kind in "iuf":
            found[name] = item

    file.visititems(note)
    return found


def _spacing(dataset: h5py.Dataset) -> Um3 | None:
    value = dataset.attrs.get(SPACING_ATTRIBUTE)
    return whole_spacing(list(np.ravel(value)))
