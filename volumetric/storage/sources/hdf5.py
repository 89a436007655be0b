"""HDF5 files: any dataset of z, y, x and c in an order that it names; several datasets of one grid are channels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3
from volumetric.storage.axes import StoredAxes, arranged, channel_count, grid_shape, selection, understand_axes
from volumetric.storage.provenance import digest, files_identity
from volumetric.storage.sources.source import channel_name, check_dtype, words
from volumetric.storage.stated import UNSTATED, Described, StatedVoxel

SPACING_ATTRIBUTE = "element_size_um"
"""Voxel size (z, y, x), as ImageJ's and BigDataViewer's HDF5 writers store it."""


@dataclass(frozen=True)
class Hdf5Source(Described):
    """Datasets of one file. `places` names, for each channel, a dataset and an index on its axis c, if it has one.

    `stored` is the data type of the file where that is not what its bits mean.
    """

    path: Path
    places: tuple[tuple[str, int], ...]
    axes: tuple[str, ...]
    channels: tuple[str, ...]
    shape: Index3
    dtype: str
    grain: Index3
    identity: str
    stored: str | None = None

    def fill(self, out: npt.NDArray[Any], box: Box, channel: int = 0) -> None:
        """The voxels of a box."""
        name, index = self.places[channel]
        with opened(self.path) as file:
            voxels = arranged(self.axes, file[name][selection(self.axes, box, index)])
            if voxels.shape != out.shape:
                raise InputError(f"{self.path} was replaced: {name} ends within z, y, x {box.start} to {box.stop}")
            out[...] = voxels.astype(self.stored, copy=False).view(self.dtype) if self.stored else voxels


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
        if not isinstance(error, OSError | RuntimeError):  # raised by what its attributes say, not by HDF5
            hint = "Its metadata are not as expected, its voxels may be whole: export it again"
        raise InputError(f"{path} cannot be read as HDF5: {said}. {hint}") from error


def load_plugins() -> None:
    """Make the compressions of the optional package `hdf5plugin` known, where it is installed."""
    try:
        import hdf5plugin  # noqa: F401 - importing registers its filters
    except ImportError:
        return


def open_hdf5(path: Path, dataset: str | None = None, axes: str | None = None) -> Hdf5Source:
    """The images of an HDF5 file, their axes named by the user where `axes` is given.

    Raises `InputError` that lists its datasets where a choice is needed, and where the axes are not known.
    """
    load_plugins()
    with opened(path) as file:
        found = _images(file)
        chosen = {name: d for name, d in found.items() if dataset is None or name == dataset.strip("/")}
        grids = {(d.shape, str(d.dtype)) for d in chosen.values()}
        if len(grids) != 1:
            listed = "; ".join(f"{name} ({words(d.shape, str(d.dtype))})" for name, d in list(found.items())[:8])
            given = f" {dataset!r}" if dataset else ""
            raise InputError(
                f"{path} does not hold one image{given}: it has {listed or 'no dataset of three to five axes'}. "
                f"Give one as {path}:/NAME"
            )
        name, first = next(iter(chosen.items()))
        dtype = str(first.dtype.newbyteorder("="))
        check_dtype(str(path), dtype)
        for data in chosen.values():
            refuse_unwritten(path, data)
        order = _axes(f"{path}:/{name}", first, axes)
        for other, data in chosen.items():
            letters = _axes(f"{path}:/{other}", data, axes).letters
            if letters != order.letters:
                raise InputError(
                    f"{path} holds arrays whose axes differ: {name} has {', '.join(order.letters)}, {other} has "
                    f"{', '.join(letters)}. Give one as {path}:/NAME"
                )
        places, channels = _channels(path, chosen, channel_count(order.letters, first.shape), "c" in order.letters)
        identity = files_identity([path])
        if len(chosen) < len(found):
            identity = digest([identity, list(chosen)])
        return Hdf5Source(
            path=path,
            places=places,
            axes=order.letters,
            channels=channels,
            shape=grid_shape(order.letters, first.shape),
            dtype=dtype,
            grain=grain_of(first, order.letters),
            identity=identity if order.is_usual else digest([identity, order.letters]),
            voxel=_voxel(first, order),
            facts=(("kind", f"HDF5, {', '.join(f'/{name}' for name in chosen)}"), ("axes", str(order))),
            doubts=order.doubts,
        )


def _channels(
    path: Path, chosen: dict[str, h5py.Dataset], count: int, several: bool
) -> tuple[tuple[tuple[str, int], ...], tuple[str, ...]]:
    """Where each channel lies, and its name."""
    names = list(chosen)
    places = tuple((name, c) for name in names for c in range(count))
    if several:
        labels = [f"{name}-{c}" if len(names) > 1 else f"channel{c}" for name, c in places]
    else:
        labels = names if len(names) > 1 else [channel_name(path)]
    return places, tuple(label.replace("/", "-") for label in labels)


def _axes(what: str, dataset: h5py.Dataset, given: str | None) -> StoredAxes:
    """The axes of a dataset by vigra's and ilastik's `axistags`, or by HDF5's own labels and scales."""
    if "axistags" in dataset.attrs:
        tags = dataset.attrs["axistags"]
        try:
            names = [axis["key"] for axis in json.loads(tags)["axes"]]
        except (ValueError, KeyError, TypeError) as error:
            if given is None:
                raise InputError(
                    f"the axistags of {what} cannot be read ({error!r}): say with --axes how its axes are stored, for "
                    "example --axes zyxc"
                ) from error
            names = []
        return understand_axes(what, dataset.shape, names, "its axistags", given)
    said = [_decoded(label) for label in np.ravel(dataset.attrs.get("DIMENSION_LABELS", ()))]
    scales = [(dim[0].name or "").rpartition("/")[2] if len(dim) else "" for dim in dataset.dims]
    return understand_axes(what, dataset.shape, said if any(said) else scales, "its dimension labels", given)


def _decoded(label: object) -> str:
    return label.decode("utf-8", errors="replace") if isinstance(label, bytes) else str(label or "")


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


def grain_of(dataset: h5py.Dataset, axes: tuple[str, ...]) -> Index3:
    """The chunk of a dataset in z, y, x; one run of the last axis where it is not chunked."""
    return grid_shape(axes, dataset.chunks or (*(1 for _ in dataset.shape[1:]), dataset.shape[-1]))


def _images(file: h5py.File) -> dict[str, h5py.Dataset]:
    found: dict[str, h5py.Dataset] = {}

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and 3 <= item.ndim <= 5 and item.size and item.dtype.kind in "iuf":
            found[name] = item

    file.visititems(note)
    return found


def _voxel(dataset: h5py.Dataset, axes: StoredAxes) -> StatedVoxel:
    """The voxel size, which is written for arrays of z, y, x; in another order it is not clear what it means."""
    value = np.ravel(dataset.attrs.get(SPACING_ATTRIBUTE, ()))
    in_order = [axis for axis in axes.letters if axis in "zyx"] == ["z", "y", "x"]
    if len(value) != 3 or not (in_order or len(set(value.tolist())) == 1):
        return UNSTATED
    return StatedVoxel.of(SPACING_ATTRIBUTE, value.tolist(), ["um"] * 3)
