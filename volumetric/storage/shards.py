"""Files of a Zarr array, to disk and back: chunks compressed, with checksums, gathered to shards, renamed into place.

zarr-python takes the same bytes through one event loop a process at more than twice the CPU; here a thread takes a
file from voxels to disk, or what is wanted of it from the disk, in one go, and threads do not wait for each other.
Formats: Zarr v3 core specification and its `sharding_indexed` codec, Zarr v2.
"""

from __future__ import annotations

import itertools
import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import google_crc32c
import numcodecs
import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from volumetric.errors import InputError
from volumetric.geometry.box import Box, Index3, index3
from volumetric.storage.atomic import replacing

CRC_BYTES = 4

BLOSC_HEADER = struct.Struct("<4xI4xI")
"""Of what Blosc has compressed: its bytes without compression, and with it."""

ABSENT = 2**64 - 1
"""Offset and length, in a shard's index, of a chunk that lies wholly outside the array."""


@dataclass(frozen=True)
class FileFormat:
    """How the files of an array are made: chunk (z, y, x), chunks gathered to shards or not, compression, checksums."""

    chunk: Index3
    sharded: bool
    codec: numcodecs.Blosc
    checksums: bool


def write_file(path: Path, voxels: npt.NDArray[Any], shape: Index3, form: FileFormat) -> None:
    """Write one file whole or not at all.

    `voxels` (z, y, x) are the part of the file's box of `shape` that lies inside the array; the rest is padded with 0.
    """
    pieces = _shard(voxels, shape, form) if form.sharded else _encoded(voxels, shape, form)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.writelines(pieces)


def read_file(path: Path, box: Box, shape: Index3, form: FileFormat, out: npt.NDArray[Any]) -> None:
    """Fill `out` (z, y, x) with the voxels of a box of a file that holds `shape`; only its chunks are read and decoded.

    Raises `FileNotFoundError` where there is no file, and `ValueError` where a checksum or a length is wrong.
    """
    chunk = np.empty(form.chunk, out.dtype)
    counts = index3(n // c for n, c in zip(shape, form.chunk, strict=True))
    touched = box.divide(form.chunk)
    with path.open("rb") as file:
        index = _index(file, counts) if form.sharded else None
        for at in itertools.product(*(range(a, b) for a, b in zip(touched.start, touched.stop, strict=True))):
            place = index3(at)
            _decode(file, index, place, form, chunk)
            whole = Box(place, index3(p + 1 for p in place)).multiply(form.chunk)
            wanted = whole.intersect(box)
            out[wanted.relative_to(box).slices] = chunk[wanted.relative_to(whole).slices]


def file_format(array: zarr.Array[Any]) -> FileFormat:
    """The format of an array that this package created; raises `InputError` for any other."""
    chunk = array.chunks[-3:]
    first, *others = array.compressors
    if isinstance(first, numcodecs.Blosc) and not others:
        return FileFormat((chunk[0], chunk[1], chunk[2]), False, first, False)
    if isinstance(first, BloscCodec) and len(others) == 1 and isinstance(others[0], Crc32cCodec):
        shuffle = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}[first.shuffle.value]
        codec = numcodecs.Blosc(first.cname.value, first.clevel, shuffle, first.blocksize)
        return FileFormat((chunk[0], chunk[1], chunk[2]), array.shards is not None, codec, True)
    raise InputError(f"{array.store_path} was not made by this program and cannot be written to")


def _shard(voxels: npt.NDArray[Any], shape: Index3, form: FileFormat) -> Iterator[bytes]:
    """Compressed chunks in C order, then the index of their places, then the index's checksum."""
    counts = [n // c for n, c in zip(shape, form.chunk, strict=True)]
    index = np.full((*counts, 2), ABSENT, dtype="<u8")
    offset = 0
    for place in itertools.product(*map(range, counts)):
        corner = [p * c for p, c in zip(place, form.chunk, strict=True)]
        part = voxels[tuple(slice(a, a + c) for a, c in zip(corner, form.chunk, strict=True))]
        if part.size == 0:
            continue
        pieces = _encoded(part, form.chunk, form)
        length = sum(map(len, pieces))
        index[place] = offset, length
        offset += length
        yield from pieces
    table = index.tobytes()
    yield from (table, _crc32c(table))


def _encoded(part: npt.NDArray[Any], shape: Index3, form: FileFormat) -> tuple[bytes, ...]:
    """The compressed chunk and, where the format has one, its checksum; short chunks are padded to `shape`."""
    if part.shape == shape:
        whole = np.ascontiguousarray(part)
    else:
        whole = np.zeros(shape, part.dtype)
        whole[tuple(slice(n) for n in part.shape)] = part
    payload: bytes = form.codec.encode(whole)
    return (payload, _crc32c(payload)) if form.checksums else (payload,)


def _index(file: BinaryIO, counts: Index3) -> npt.NDArray[np.uint64]:
    """Offset and length of every chunk of a shard."""
    size = 16 * math.prod(counts) + CRC_BYTES
    if file.seek(0, os.SEEK_END) < size:
        raise ValueError("the file is too short to hold its index")
    file.seek(-size, os.SEEK_END)
    return np.frombuffer(_checked(file.read(), "the index"), dtype="<u8").reshape(*counts, 2)


def _decode(
    file: BinaryIO, index: npt.NDArray[np.uint64] | None, place: Index3, form: FileFormat, out: npt.NDArray[Any]
) -> None:
    """Fill `out` with one chunk."""
    if index is None:
        payload = file.read()
    else:
        offset, length = map(int, index[place])
        file.seek(offset)
        payload = file.read(length)
    name = f"the chunk {place}"
    if form.checksums:
        payload = _checked(payload, name)
    # Blosc believes its header: what it says of the lengths must be so.
    if len(payload) < BLOSC_HEADER.size or BLOSC_HEADER.unpack_from(payload) != (out.nbytes, len(payload)):
        raise ValueError(f"{name} is cut short or does not hold {out.nbytes} bytes")
    form.codec.decode(payload, out=out)


def _checked(payload: bytes, name: str) -> bytes:
    """What stands before a checksum, which must fit."""
    content, found = payload[:-CRC_BYTES], payload[-CRC_BYTES:]
    if _crc32c(content) != found:
        raise ValueError(f"the checksum of {name} is wrong")
    return content


def _crc32c(payload: bytes) -> bytes:
    return int(google_crc32c.value(payload)).to_bytes(4, "little")
