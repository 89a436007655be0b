"""Small images of known voxels in every format that is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile
import zarr
from zarr.codecs import BloscCodec, ZstdCodec

from volumetric.geometry.box import Index3
from volumetric.geometry.space import Um3

SHAPE = (5, 22, 34)
SPACING = (5.0, 0.7, 0.65)
NAMES = ("signal", "background")
OME_SIZES = {f"PhysicalSize{axis}": size for axis, size in zip("ZYX", SPACING, strict=True)}


def image(channels: int = 1, dtype: str = "uint16") -> np.ndarray:
    """c, z, y, x: noise on a slope, so that it compresses a little, and nowhere 0."""
    noise = np.random.default_rng(channels).integers(1, 60, (channels, *SHAPE))
    slope = np.arange(SHAPE[0] * SHAPE[1]).reshape(*SHAPE[:2], 1)
    return (noise + slope).astype(dtype)


@dataclass(frozen=True)
class Written:
    """What lies on disk, and what reading it must give. `image` is c, z, y, x."""

    path: Path
    image: np.ndarray
    channels: tuple[str, ...]
    spacing_um: Um3 | None
    grain: Index3


Writer = Callable[[Path], Written]


def slices(folder: Path, *, dtype: str = "uint16", grain: Index3 = (1, 1, 34), **options: object) -> Written:
    stack = image(dtype=dtype)
    brain = folder / "brain"
    brain.mkdir()
    for number, page in enumerate(stack[0]):
        tifffile.imwrite(brain / f"s{number:03}.tif", page, **options)
    return Written(brain, stack, ("brain",), None, grain)


def channel_folders(folder: Path) -> Written:
    stack = image(2)
    for channel, name in zip(stack, sorted(NAMES), strict=True):
        (folder / "brain" / name).mkdir(parents=True)
        for number, page in enumerate(channel):
            tifffile.imwrite(folder / "brain" / name / f"s{number:03}.tif", page)
    return Written(folder / "brain", stack, tuple(sorted(NAMES)), None, (1, 1, 34))


def stack(
    folder: Path, *, dtype: str = "uint16", ending: str = "tif", grain: Index3 = (1, 1, 34), **options: object
) -> Written:
    pages = image(dtype=dtype)
    path = folder / f"brain.{ending}"
    tifffile.imwrite(path, pages[0], **options)
    return Written(path, pages, ("brain",), None, grain)


def pages_one_by_one(folder: Path) -> Written:
    pages = image()
    with tifffile.TiffWriter(folder / "brain.tif") as tif:
        for page in pages[0]:
            tif.write(page, compression="zlib", metadata=None)
    return Written(folder / "brain.tif", pages, ("brain",), None, (1, 22, 34))


def ome(folder: Path, *, axes: str, unit: str = "µm", grain: Index3 = (1, 1, 34), **options: object) -> Written:
    pages = image(1 + ("C" in axes))
    ordered = {"ZYX": pages[0], "CZYX": pages, "ZCYX": pages.swapaxes(0, 1)}[axes]
    factor = {"µm": 1, "nm": 1000}[unit]
    sizes = {key: size * factor for key, size in OME_SIZES.items()} | {
        f"PhysicalSize{axis}Unit": unit for axis in "ZYX"
    }
    names: dict[str, Any] = {"Channel": {"Name": list(NAMES)}} if "C" in axes else {}
    tifffile.imwrite(
        folder / "brain.ome.tif",
        ordered,
        photometric="minisblack",
        ome=True,
        metadata={"axes": axes, **sizes, **names},
        **options,
    )
    return Written(folder / "brain.ome.tif", pages, NAMES if "C" in axes else ("brain",), SPACING, grain)


def ome_files(folder: Path, *, give: str) -> Written:
    """One file a slice; the OME-XML in each describes them all."""
    pages = image()
    (folder / "brain").mkdir()
    files = [folder / "brain" / f"s{z:03}.ome.tif" for z in range(SHAPE[0])]
    uuids = [f"urn:uuid:00000000-0000-0000-0000-{z:012}" for z in range(SHAPE[0])]
    data = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="{file.name}">{uuid}</UUID></TiffData>'
        for z, (file, uuid) in enumerate(zip(files, uuids, strict=True))
    )
    sizes = " ".join(f'{key}="{size}"' for key, size in OME_SIZES.items())
    for file, uuid, page in zip(files, uuids, pages[0], strict=True):
        xml = (
            f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{uuid}">'
            f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="{SHAPE[2]}" '
            f'SizeY="{SHAPE[1]}" SizeZ="{SHAPE[0]}" SizeC="1" SizeT="1" {sizes}>'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
        )
        tifffile.imwrite(file, page, description=xml, metadata=None)
    given = {"folder": folder / "brain", "file": files[0]}[give]
    return Written(given, pages, ("brain" if give == "folder" else "s000",), SPACING, (1, 1, 34))


def imagej(folder: Path, **options: object) -> Written:
    pages = image(2)
    tifffile.imwrite(
        folder / "brain.tif",
        pages.swapaxes(0, 1),
        imagej=True,
        resolution=(1 / SPACING[2], 1 / SPACING[1]),
        metadata={"axes": "ZCYX", "spacing": SPACING[0], "unit": "um"},
        **options,
    )
    grain = (1, 22, 34) if options else (1, 1, 34)
    return Written(folder / "brain.tif", pages, ("channel0", "channel1"), SPACING, grain)


def hdf5(folder: Path, *, dtype: str = "uint16", grain: Index3 = (1, 1, 34), **options: object) -> Written:
    pages = image(dtype=dtype.strip("<>").replace("u2", "uint16"))
    with h5py.File(folder / "brain.h5", "w") as file:
        data = file.create_dataset("images/raw", data=pages[0].astype(dtype), **options)
        data.attrs["element_size_um"] = SPACING
    return Written(folder / "brain.h5", pages, ("brain",), SPACING, grain)


def hdf5_four_axes(folder: Path) -> Written:
    pages = image(2)
    with h5py.File(folder / "brain.h5", "w") as file:
        file.create_dataset("raw", data=pages, chunks=(1, 2, 16, 16), compression="gzip", shuffle=True)
    return Written(folder / "brain.h5", pages, ("channel0", "channel1"), None, (2, 16, 16))


def hdf5_several(folder: Path) -> Written:
    pages = image(2)
    with h5py.File(folder / "brain.h5", "w") as file:
        for name, channel in zip(sorted(NAMES), pages, strict=True):
            file.create_dataset(f"images/{name}", data=channel, chunks=(4, 8, 8), compression="gzip")
    return Written(folder / "brain.h5", pages, tuple(f"images-{name}" for name in sorted(NAMES)), None, (4, 8, 8))


def characters(text: str) -> np.ndarray:
    """Text as Imaris keeps it: an array of single bytes."""
    return np.frombuffer(text.encode("latin-1"), "S1")


def imaris(folder: Path, *, unit: str = "um", factor: float = 1) -> Written:
    """Data padded to whole chunks; axes numbered 0, 1, 2 are x, y, z."""
    pages = image(2)
    with h5py.File(folder / "brain.ims", "w") as file:
        for number, channel in enumerate(pages):
            group = file.create_group(f"DataSet/ResolutionLevel 0/TimePoint 0/Channel {number}")
            padded = np.zeros((8, 32, 48), channel.dtype)
            padded[tuple(slice(n) for n in SHAPE)] = channel
            group.create_dataset("Data", data=padded, chunks=(4, 16, 16), compression="gzip")
            for axis, length in zip("ZYX", SHAPE, strict=True):
                group.attrs[f"ImageSize{axis}"] = characters(str(length))
            file.create_group(f"DataSetInfo/Channel {number}").attrs["Name"] = characters(NAMES[number])
            coarse = file.create_group(f"DataSet/ResolutionLevel 1/TimePoint 0/Channel {number}")
            coarse.create_dataset("Data", data=padded[::2, ::2, ::2])
        info = file.create_group("DataSetInfo/Image").attrs
        info["Unit"] = characters(unit)
        for axis, (length, size) in enumerate(zip(SHAPE[::-1], SPACING[::-1], strict=True)):
            info[f"ExtMin{axis}"] = characters("-10")
            info[f"ExtMax{axis}"] = characters(f"{length * size * factor - 10:.6f}")
    return Written(folder / "brain.ims", pages, NAMES, SPACING, (4, 16, 16))


def numpy_file(folder: Path, *, channels: int | None = None, order: str = "C") -> Written:
    pages = image(channels or 1)
    array = pages if channels else pages[0]
    np.save(folder / "brain.npy", np.asfortranarray(array) if order == "F" else array)
    names = tuple(f"channel{i}" for i in range(channels)) if channels else ("brain",)
    return Written(folder / "brain.npy", pages, names, None, (1, 1, 34))


def bare_zarr(folder: Path, *, channels: int | None = None, grain: Index3 = (4, 16, 16), **options: object) -> Written:
    pages = image(channels or 1)
    array = pages if channels else pages[0]
    chunks = (1, *grain) if channels else grain
    zarr.create_array(str(folder / "brain.zarr"), data=array, chunks=chunks, **options)
    return Written(folder / "brain.zarr", pages, tuple(f"channel{i}" for i in range(channels or 1)), None, grain)


def ome_zarr(folder: Path, *, version: str) -> Written:
    pages = image(2)
    image_group = zarr.create_group(str(folder / "brain.zarr"), zarr_format=3 if version == "0.5" else 2)
    keys = {"name": "v2", "separator": "/"} if version == "0.4" else {"name": "default", "separator": "/"}
    for level in range(2):
        data = pages[..., :: 2**level, :: 2**level].copy()
        image_group.create_array(str(level), data=data, chunks=(1, 2, 16, 16), chunk_key_encoding=keys)
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
    scales = [[1.0, SPACING[0] * 1000, SPACING[1] * 1000 * 2**n, SPACING[2] * 1000 * 2**n] for n in range(2)]
    described: Mapping[str, Any] = {
        "multiscales": [
            {
                "axes": axes,
                "datasets": [
                    {"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
                    for n, scale in enumerate(scales)
                ],
                **({"version": "0.4"} if version == "0.4" else {}),
            }
        ],
        "omero": {"channels": [{"label": name} for name in NAMES]},
    }
    image_group.attrs.update({"ome": {"version": "0.5", **described}} if version == "0.5" else dict(described))
    return Written(folder / "brain.zarr", pages, NAMES, SPACING, (2, 16, 16))


FORMATS: Mapping[str, Writer] = {
    "slices": slices,
    "slices uint8": partial(slices, dtype="uint8"),
    "slices float32": partial(slices, dtype="float32"),
    "slices in strips": partial(slices, rowsperstrip=4),
    "slices lzw predictor": partial(slices, compression="lzw", predictor=True, rowsperstrip=4, grain=(1, 4, 34)),
    "slices zlib one strip": partial(slices, compression="zlib", rowsperstrip=22, grain=(1, 22, 34)),
    "slices tiled": partial(slices, tile=(16, 16), grain=(1, 16, 16)),
    "slices tiled zlib": partial(slices, tile=(16, 16), compression="zlib", grain=(1, 16, 16)),
    "slices big-endian": partial(slices, byteorder=">"),
    "slices big-endian tiled": partial(slices, byteorder=">", tile=(16, 32), grain=(1, 16, 32)),
    "slices bigtiff": partial(slices, bigtiff=True),
    "slices bigtiff big-endian lzw": partial(
        slices, bigtiff=True, byteorder=">", compression="lzw", rowsperstrip=8, grain=(1, 8, 34)
    ),
    "channel folders": channel_folders,
    "stack": stack,
    "stack uint8": partial(stack, dtype="uint8"),
    "stack zlib": partial(stack, compression="zlib", rowsperstrip=8, grain=(1, 8, 34)),
    "stack without notes": partial(stack, metadata=None, ending="tiff"),
    "stack big-endian bigtiff": partial(stack, byteorder=">", bigtiff=True),
    "stack of single pages": pages_one_by_one,
    "ome zyx": partial(ome, axes="ZYX"),
    "ome zcyx": partial(ome, axes="ZCYX"),
    "ome czyx": partial(ome, axes="CZYX"),
    "ome czyx zlib": partial(ome, axes="CZYX", compression="zlib", rowsperstrip=8, grain=(1, 8, 34)),
    "ome czyx nanometres": partial(ome, axes="CZYX", unit="nm"),
    "ome files as a folder": partial(ome_files, give="folder"),
    "ome files by one": partial(ome_files, give="file"),
    "imagej": imagej,
    "imagej zlib": partial(imagej, compression="zlib"),
    "hdf5": hdf5,
    "hdf5 gzip": partial(hdf5, chunks=(2, 8, 16), compression="gzip", grain=(2, 8, 16)),
    "hdf5 big-endian": partial(hdf5, dtype=">u2"),
    "hdf5 float32": partial(hdf5, dtype="float32"),
    "hdf5 four axes": hdf5_four_axes,
    "hdf5 several": hdf5_several,
    "imaris": imaris,
    "imaris millimetres": partial(imaris, unit="mm", factor=1e-3),
    "npy": numpy_file,
    "npy four axes": partial(numpy_file, channels=2),
    "npy fortran": partial(numpy_file, order="F"),
    "npy fortran four axes": partial(numpy_file, channels=2, order="F"),
    "zarr 2": partial(bare_zarr, zarr_format=2),
    "zarr 2 uncompressed": partial(bare_zarr, zarr_format=2, channels=2, compressors=None),
    "zarr 3": partial(bare_zarr, compressors=ZstdCodec()),
    "zarr 3 sharded": partial(bare_zarr, channels=2, shards=(1, 8, 32, 32), compressors=BloscCodec()),
    "ome-zarr 0.4": partial(ome_zarr, version="0.4"),
    "ome-zarr 0.5": partial(ome_zarr, version="0.5"),
}
