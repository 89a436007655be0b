"""A TIFF file opened: whatever is wrong with it, raised or only logged by tifffile, is an error that names it."""

from __future__ import annotations

import errno
import logging
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import tifffile

from volumetric.errors import InputError

STRUCTURE = frozenset({256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339})
"""Tags without which pixels are decoded wrongly: sizes, compression, predictor, places of strips and tiles."""

DAMAGE = re.compile(
    "|".join(
        (
            r"corrupt",
            r"zeroed",
            r"missing",
            r"index out of range",
            r"failed to read",
            r"invalid (page )?offset",
            r"invalid circular reference",
            r"incorrect Strip",
            r"shaped series",
            r"ImageJ series metadata",
            r"OME series (raised|expected)",
            rf"TiffTag ({'|'.join(map(str, sorted(STRUCTURE)))}) ",
            r"TiffTag 270 .*b['\"](ImageJ|<\?xml|<OME|\{)",  # the description that says how the planes are ordered
        )
    )
)
"""What tifffile logs when data is missing or contradicts itself, and then reads on with zeros or fewer images."""

DISAGREEMENT = re.compile(r"OME series (expected|is missing|raised)|shaped series|ImageJ series metadata")
"""What it logs where a file may be whole, but its description tells of other images than there are."""

UNREADABLE = re.compile(r"not supported|unsupported|unknown compression|requires the", re.IGNORECASE)
"""What is said of a whole file in a compression that cannot be read."""

STUMBLES = (TypeError, AttributeError, AssertionError, LookupError, ArithmeticError, struct.error)
"""What a parser raises that took damaged content for sound."""

_heard: ContextVar[list[str] | None] = ContextVar("_heard", default=None)


def _listen(record: logging.LogRecord) -> bool:
    """Keep what tifffile logs while this thread has a file open; pass on everything else."""
    messages = _heard.get()
    if messages is None:
        return True
    messages.append(record.getMessage())
    return False


logging.getLogger("tifffile").addFilter(_listen)


@contextmanager
def opened(
    path: Path, *, is_ome: bool | None = None, multifile: bool = True, omexml: str | None = None
) -> Iterator[tifffile.TiffFile]:
    """A TIFF file; whatever is wrong with it, then or while it is used, is an `InputError` that names it.

    `omexml` is its description where that is not its own.
    What the system says (`OSError`: no permission, a lost network drive) stays an `OSError`: it may pass.
    """
    messages: list[str] = []
    token = _heard.set(messages)
    try:
        with naming(path), tifffile.TiffFile(path, is_ome=is_ome, omexml=omexml, _multifile=multifile) as tif:
            yield tif
    except InputError:
        _refuse_damage(path, messages)  # says more than what followed from it
        raise
    finally:
        _heard.reset(token)
    _refuse_damage(path, messages)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What is raised inside names `path`."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except OSError as error:
        if error.errno in {None, errno.EINVAL, errno.EOVERFLOW}:  # a damaged offset, not a failing system
            raise InputError(f"{path} cannot be read as a TIFF: {reason(error)}. Replace the file") from error
        raise OSError(error.errno, error.strerror, str(path)) from error
    except Exception as error:  # tifffile and its codecs raise many kinds for damaged content
        way = "Save it in another compression" if UNREADABLE.search(str(error)) else "Replace the file"
        raise InputError(f"{path} cannot be read as a TIFF: {reason(error)}. {way}") from error


def reason(error: Exception) -> str:
    """What an exception says, in one line."""
    said = " ".join(str(error).split()) or type(error).__name__
    return f"its structure is damaged ({said})" if isinstance(error, STUMBLES) else said


def _refuse_damage(path: Path, messages: list[str]) -> None:
    for message in messages:
        if DAMAGE.search(message):
            said = re.sub(r"^<tifffile\.\w+[^>]*> ", "", " ".join(message.split()))
            elsewhere = re.search(r"failed to read '([^']+)'", said)
            if elsewhere:
                raise InputError(
                    f"{path} is incomplete: {elsewhere[1]}, which belongs to it by its OME metadata, cannot be read "
                    f"({said}). Put it beside the others under this name"
                )
            if DISAGREEMENT.search(said):
                raise InputError(
                    f"{path} has metadata that tell of other images than it holds ({said}). If it was copied, compare "
                    "its size with that of the original; if that is right, export it again, or save it as a plain "
                    "TIFF in Fiji"
                )
            raise InputError(f"{path} is damaged or incomplete: {said}. Replace the file")
