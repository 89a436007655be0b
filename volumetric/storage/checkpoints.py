"""Network weights on disk: safetensors with a JSON header; opening one runs no code.

The header is one JSON object under the key `header` of the file's metadata; `sha256` in it is the digest of the
weights and of the rest of the header, so that a damaged or edited file is refused rather than used.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from volumetric.errors import InputError
from volumetric.storage.atomic import replacing

Tensors = dict[str, npt.NDArray[Any]]
Header = dict[str, Any]

FORMAT = "volumetric-checkpoint-1"


def checkpoint_sha256(tensors: Tensors, header: Header) -> str:
    """Digest of the header without its `sha256` and of the tensors' names, types, shapes and values."""
    rest = {key: value for key, value in header.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_checkpoint(path: Path, tensors: Tensors, header: Header) -> str:
    """Write weights and header (JSON values) whole or not at all; returns the sha256, which the header gains."""
    full = {**header, "format": FORMAT}
    digest = full["sha256"] = checkpoint_sha256(tensors, full)
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    with replacing(path) as temporary:
        save_file(arrays, temporary, metadata={"header": json.dumps(full, sort_keys=True)})
    return digest


def read_checkpoint(path: Path) -> tuple[Tensors, Header]:
    """Weights and header of a checkpoint.

    Raises:
        InputError: there is no such file, it is not a checkpoint of this format, or it is truncated or changed.
    """
    if not path.is_file():
        raise InputError(f"there is no checkpoint at {path}; expected a .safetensors file of a trained model")
    try:
        with safe_open(path, framework="numpy") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a whole safetensors file ({error}); fetch or train the model again") from error
    try:
        header = json.loads(metadata.get("header", ""))
    except json.JSONDecodeError as error:
        raise InputError(f"{path} has no readable header, so it is not a checkpoint of this program") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(f"{path} is not of the format {FORMAT}; train it again with this version")
    if header.get("sha256") != checkpoint_sha256(tensors, header):
        raise InputError(f"{path} was changed after it was written: its contents do not match their sha256")
    return tensors, header
