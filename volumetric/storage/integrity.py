"""Whether what lies on disk is what was written: every file there, every stored checksum right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.storage.volume import Volume


@dataclass(frozen=True)
class Layout:
    """How a level lies on disk: file and chunk shape (z, y, x), codecs, files present and expected."""

    shard: tuple[int, ...]
    chunk: tuple[int, ...]
    codec: str
    checksums: bool
    present: int
    expected: int


@dataclass(frozen=True)
class Damage:
    """A file whose content cannot be believed, and the voxels (z, y, x) of its level that it holds."""

    level: int
    channel: int
    box: Box
    file: Path
    reason: str

    def __str__(self) -> str:
        where = ", ".join(f"{axis} {part.start}:{part.stop}" for axis, part in zip("zyx", self.box.slices, strict=True))
        return f"{self.file} (level {self.level}, {where}): {self.reason}"


def layout(volume: Volume, level: int) -> Layout:
    """The layout of one level. Fewer files than expected is complete only where a writer leaves out empty ones."""
    array = volume.array(level)
    names = [_codec_name(codec) for codec in array.compressors]
    files = list(expected_files(volume, level))
    return Layout(
        shard=volume.shard(level),
        chunk=volume.chunk(level),
        codec=" + ".join(names) or "none",
        checksums="crc32c" in names,
        present=sum(file.is_file() for file in files),
        expected=len(files),
    )


def expected_files(volume: Volume, level: int) -> Iterator[Path]:
    """The file of every shard of a level, channel by channel, whether it is there or not."""
    for channel in range(len(volume.channels)):
        for box in volume.shards(level, Box.of_shape(volume.levels[level].shape)):
            yield volume.shard_file(level, box, channel)


def refuse_incomplete(volume: Volume) -> None:
    """Raise `InputError` where files of a volume of our own are missing: they would be read as zeros."""
    if volume.identity is None:
        return
    for level in range(len(volume.levels)):
        missing = next((file for file in expected_files(volume, level) if not file.is_file()), None)
        if missing:
            raise InputError(
                f"{volume.path} is incomplete: {missing} is missing. `volumetric info {volume.path} --verify` "
                "lists all damage; `volumetric ingest` with --repair rebuilds it from the source"
            )


def check_shard(volume: Volume, level: int, channel: int, box: Box) -> Damage | None:
    """Read one file whole, which checks its checksums; what is wrong with it, or None.

    Of a volume of our own every file is written; other programs leave out those that hold the fill value alone.
    """
    file = volume.shard_file(level, box, channel)
    if not file.is_file():
        return Damage(level, channel, box, file, "the file is missing") if volume.identity else None
    try:
        volume.read(box, level, channel)
    except InputError as error:
        return Damage(level, channel, box, file, str(error.__cause__))
    except OSError as error:
        return Damage(level, channel, box, file, f"cannot be read: {error.strerror or error}")
    return None


def _codec_name(codec: object) -> str:
    name = getattr(codec, "cname", None) or getattr(codec, "codec_id", None)
    return str(getattr(name, "value", name)) if name else type(codec).__name__.removesuffix("Codec").lower()
