"""BigDataViewer's HDF5: the full resolution of one time point; its view setups are the channels.

The format is that of Pietzsch et al., Nat Methods 2015: `tTTTTT/sSS/LEVEL/cells`, whose 16 bits are unsigned although
HDF5 calls them signed, and an XML file that says what the setups are and how large a voxel is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import h5py

from volumetric.errors import InputError
from volumetric.geometry.box import index3
from volumetric.storage.provenance import digest, files_identity
from volumetric.storage.sources.hdf5 import Hdf5Source, grain_of, load_plugins, opened, refuse_unwritten
from volumetric.storage.sources.source import channel_name, check_dtype, words
from volumetric.storage.stated import UNSTATED, StatedVoxel

TIME, SETUP = re.compile(r"t\d+"), re.compile(r"s\d+")
ZYX = ("z", "y", "x")
UNSIGNED = {"int8": "uint8", "int16": "uint16"}
PARTS = ("tile", "angle", "illumination")
"""What a setup may be besides a channel; setups that differ in them show different places, or the same one twice."""


@dataclass(frozen=True)
class Setup:
    """What the XML says of a view setup."""

    name: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    voxel: StatedVoxel = UNSTATED


def is_bigdataviewer(path: Path) -> bool:
    """Whether an HDF5 file has the groups of a BigDataViewer image."""
    with opened(path) as file:
        return any(TIME.fullmatch(name) for name in file) and any(SETUP.fullmatch(name) for name in file)


def is_project(first: bytes) -> bool:
    """Whether a file that begins so may be a BigDataViewer's XML; any XML may."""
    return first.lstrip(b"\xef\xbb\xbf \r\n").startswith((b"<?xml", b"<SpimData"))


def open_project(path: Path) -> Hdf5Source:
    """The images of a BigDataViewer's XML file; raises `InputError` where it is another XML or has no HDF5."""
    root = _root(path)
    loader = root.find("SequenceDescription/ImageLoader") if root is not None else None
    if loader is None:
        raise InputError(f"{path} is XML but not of BigDataViewer: give the file that holds the images")
    file = loader.findtext("hdf5")
    if loader.get("format") != "bdv.hdf5" or not file:
        raise InputError(
            f"{path} describes images of the kind {loader.get('format')}, which are not read: save them as HDF5 or "
            "OME-Zarr (in BigStitcher: fuse and export)"
        )
    return open_bigdataviewer(path.parent / file, setups=_setups(path))


def open_bigdataviewer(path: Path, dataset: str | None = None, setups: Mapping[int, Setup] | None = None) -> Hdf5Source:
    """A BigDataViewer image; `dataset` chooses a time point (`t00000`), or a setup of it (`t00000/s01`).

    Raises `InputError` for several time points, for setups that are tiles, angles or unlike, and for missing parts.
    """
    load_plugins()
    known = _beside(path) if setups is None else setups
    with opened(path) as file:
        names = _chosen(path, file, [part for part in (dataset or "").split("/") if part])
        found = {name: _dataset(path, file, name) for name in names}
        numbers = [int(name.split("/")[1][1:]) for name in names]
        _refuse_parts(path, names, [known.get(number, Setup()) for number in numbers])
        grids = {(data.shape, str(data.dtype)) for data in found.values()}
        if len(grids) != 1:
            listed = "; ".join(f"{name} ({words(data.shape, str(data.dtype))})" for name, data in found.items())
            raise InputError(
                f"{path} holds setups of several sizes, which are not channels of one image: {listed}. Give one, such "
                f"as {path}:/{names[0]}"
            )
        for data in found.values():
            refuse_unwritten(path, data)
        first = found[names[0]]
        stored = str(first.dtype.newbyteorder("="))
        dtype = UNSIGNED.get(stored, stored)
        check_dtype(str(path), dtype)
        doubts: tuple[str, ...] = ()
        if len(names) > 1 and not all(number in known for number in numbers):
            doubts = (
                f"{path} has {len(names)} setups, which are taken for channels: no XML beside it says whether they are "
                "tiles or angles",
            )
        return Hdf5Source(
            path=path,
            places=tuple((name, 0) for name in names),
            axes=ZYX,
            channels=_names(path, numbers, known),
            shape=index3(first.shape),
            dtype=dtype,
            grain=grain_of(first, ZYX),
            identity=digest([files_identity([path]), names]) if dataset else files_identity([path]),
            stored=stored if dtype != stored else None,
            voxel=known.get(numbers[0], Setup()).voxel,
            facts=(("kind", f"BigDataViewer HDF5, {', '.join(f'/{name}' for name in names)}"), ("axes", "z, y, x")),
            doubts=doubts,
        )


def _chosen(path: Path, file: h5py.File, parts: Sequence[str]) -> list[str]:
    """The datasets of all setups of the one time point, or of those that were chosen."""
    times = sorted(name for name in file if TIME.fullmatch(name) and (not parts or name == parts[0]))
    if len(times) != 1:
        there = sorted(name for name in file if TIME.fullmatch(name))
        if parts:
            raise InputError(f"{path} has no time point {parts[0]}: it has {', '.join(there)}")
        raise InputError(
            f"{path} holds {len(there)} time points ({', '.join(there[:8])}); expected one. Give it as "
            f"{path}:/{there[0]}"
        )
    group = file.get(times[0])
    if group is None:
        raise InputError(f"{path} is incomplete: the file that holds {times[0]} is missing. Put it beside this one")
    setups = sorted(name for name in group if SETUP.fullmatch(name) and (len(parts) < 2 or name == parts[1]))
    if not setups:
        raise InputError(f"{path} has no setup {'/'.join(parts)}: it has {', '.join(sorted(group))}")
    return [f"{times[0]}/{name}/{parts[2] if len(parts) > 2 else 0}/cells" for name in setups]


def _dataset(path: Path, file: h5py.File, name: str) -> h5py.Dataset:
    data = file.get(name)
    if not isinstance(data, h5py.Dataset) or data.ndim != len(ZYX):
        raise InputError(f"{path} is incomplete: there is no array {name}, or the file that holds it is missing")
    return data


def _refuse_parts(path: Path, names: Sequence[str], setups: Sequence[Setup]) -> None:
    """Raise `InputError` where setups are other places, not other channels."""
    for part in PARTS:
        values = {setup.attributes.get(part) for setup in setups} - {None}
        if len(values) > 1:
            raise InputError(
                f"{path} holds {len(names)} setups that are {len(values)} {part}s of the brain, not its channels, by "
                "the XML "
                f"beside it. Fuse them in BigStitcher and give what it exports, or give one as {path}:/{names[0]}"
            )


def _names(path: Path, numbers: Sequence[int], known: Mapping[int, Setup]) -> tuple[str, ...]:
    if len(numbers) == 1:
        return (channel_name(path),)
    names = tuple(known.get(number, Setup()).name or f"setup{number:02}" for number in numbers)
    return names if len(set(names)) == len(names) else tuple(f"setup{number:02}" for number in numbers)


def _beside(path: Path) -> Mapping[int, Setup]:
    """What the XML beside an HDF5 file says: the one of its name, or one that names it."""
    for xml in sorted(path.parent.glob("*.xml"), key=lambda file: file.stem != path.stem):
        root = _root(xml)
        if root is not None and root.findtext("SequenceDescription/ImageLoader/hdf5") == path.name:
            return _setups(xml)
    return {}


def _root(path: Path) -> ElementTree.Element | None:
    """The root of a BigDataViewer's XML; None for another one."""
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, UnicodeError):
        return None
    return root if root.tag == "SpimData" else None


def _setups(path: Path) -> Mapping[int, Setup]:
    root = _root(path)
    sequence = root.find("SequenceDescription/ViewSetups") if root is not None else None
    if sequence is None:
        return {}
    channels = {
        channel.findtext("id", ""): channel.findtext("name", "")
        for attributes in sequence.findall("Attributes")
        if attributes.get("name") == "channel"
        for channel in attributes
    }
    found = {}
    for setup in sequence.findall("ViewSetup"):
        attributes = {str(item.tag): (item.text or "").strip() for item in setup.findall("attributes/*")}
        sizes = setup.findtext("voxelSize/size", "").split()
        unit = setup.findtext("voxelSize/unit", "")
        name = channels.get(attributes.get("channel", ""), "") or setup.findtext("name", "")
        voxel = StatedVoxel.of("BigDataViewer's XML", sizes[::-1], [unit] * 3) if len(sizes) == len(ZYX) else UNSTATED
        found[int(setup.findtext("id", "0"))] = Setup(name.strip(), attributes, voxel)
    return found
