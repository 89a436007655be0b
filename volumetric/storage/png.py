"""Grey images as PNG, for browsers and people; without loss."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.storage.atomic import replacing

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def write_png(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write a grey image (y, x) of 8 bits whole or not at all; equal images give equal bytes."""
    with replacing(path) as temporary:
        temporary.write_bytes(imagecodecs.png_encode(image))


def read_png(path: Path) -> npt.NDArray[np.uint8 | np.uint16]:
    """A grey image (y, x) of 8 or 16 bits; raises `InputError` for a damaged file and for colours."""
    try:
        image: npt.NDArray[np.uint8 | np.uint16] = imagecodecs.png_decode(path.read_bytes())
    except imagecodecs.PngError as error:
        raise InputError(f"{path} cannot be read as PNG: {error}. Replace the file") from error
    if image.ndim != 2:
        raise InputError(f"{path} has {image.shape[-1]} values a pixel: expected a grey image, without transparency")
    return image
