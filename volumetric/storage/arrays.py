"""A few named arrays in one file (.npz), written whole or not at all; nothing in it is ever executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError
from volumetric.storage.atomic import replacing


def write_arrays(path: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    """Write arrays and numbers by name."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **{name: np.asarray(value) for name, value in arrays.items()})


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read them back; raises `InputError` where the file is missing."""
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
