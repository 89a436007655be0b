"""Single images as TIFF, without loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt
import tifffile

from volumetric.storage.atomic import replacing


def write_tiff(path: Path, image: npt.NDArray[Any]) -> None:
    """Write an image (y, x) of any numeric type whole or not at all."""
    with replacing(path) as temporary:
        tifffile.imwrite(temporary, image, compression="zlib", photometric="minisblack", metadata=None)
