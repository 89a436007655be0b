"""How a volume is stored: the choices a user has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from volumetric.errors import InputError

Ngff = Literal["0.5", "0.4"]
Codec = Literal["zstd-1", "zstd-3", "lz4"]

BLOSC: Mapping[Codec, tuple[Literal["zstd", "lz4"], int, Literal["shuffle", "bitshuffle"]]] = {
    "zstd-1": ("zstd", 1, "shuffle"),
    "zstd-3": ("zstd", 3, "shuffle"),
    "lz4": ("lz4", 5, "bitshuffle"),
}
"""Compressor, level and filter. zstd-3 is slower to write and quicker to read; lz4 is quickest and a tenth larger."""


@dataclass(frozen=True)
class Encoding:
    """How a volume is stored: NGFF version, files of one chunk or of many, compression."""

    ngff: Ngff = "0.5"
    sharded: bool = True
    codec: Codec = "zstd-1"

    def __post_init__(self) -> None:
        if self.ngff == "0.4" and self.sharded:
            raise InputError("NGFF 0.4 (Zarr v2) has no shards: ask for one file a chunk as well (--no-shards)")
