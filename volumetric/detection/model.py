"""A detector as it is used: weights ready for inference, and what its checkpoint says about them."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from volumetric.detection.centernet import CenterNet
from volumetric.errors import InputError
from volumetric.learn.unet import fold_batch_norm, fold_cells, use_quick_relu
from volumetric.points.expected import CountModel
from volumetric.points.linking import LinkSettings
from volumetric.points.reliability import Logistic
from volumetric.storage.checkpoints import read_checkpoint, write_checkpoint

ARCHITECTURE = "centernet-unet-2"
NORMALISATION = "shot-noise-contrast-2"
"""What the network's input means: `imaging.intensity`; a change there needs a new name and new weights."""


@dataclass(frozen=True, kw_only=True)
class DetectorSettings:
    """What a checkpoint's header says besides its provenance."""

    channels: tuple[int, ...] = (24, 48, 96)
    stride: int = 2
    neighbours: int = 2
    """Slices on either side that the network sees."""

    peak_threshold: float = 0.02
    """Least score of a peak in a slice: what is never looked at."""

    threshold: float = 0.5
    """Least score of a cell, the best of its peaks'."""

    calibration: Logistic | None = None
    """From the score of a cell to its probability, for cells above the threshold."""

    counts: CountModel | None = None
    """How many cells there are, from the probabilities of those above the threshold."""

    linking: LinkSettings = field(default_factory=LinkSettings)
    radius_range_px: tuple[float, float] = (2.0, 6.0)
    """Radii of cells in the training data; an image should be taken at a pyramid level that fits."""


@dataclass(frozen=True)
class Detector:
    """A network in inference mode with its settings; do not train it, normalisation layers are merged."""

    network: CenterNet
    settings: DetectorSettings
    device: torch.device
    sha256: str
    provenance: dict[str, Any]

    @property
    def halo_px(self) -> int:
        return self.network.halo_px

    @property
    def dtype(self) -> torch.dtype:
        """In which it computes; what comes out is float32."""
        return next(self.network.backbone.parameters()).dtype


SHIPPED = {"cfos": "centernet-cfos-1", "phantom": "centernet-phantom-2"}
"""Checkpoints of the package by the name a user gives."""

DEFAULT = "cfos"


def checkpoint_path(model: Path | None = None) -> Path:
    """Where a checkpoint is: a path, or the name of one of the package (`default`, like None, the usual one)."""
    name = DEFAULT if model is None or str(model) == "default" else str(model)
    if name not in SHIPPED:
        return Path(name)
    return Path(str(files("volumetric.detection"))) / "weights" / f"{SHIPPED[name]}.safetensors"


def save_detector(path: Path, network: CenterNet, settings: DetectorSettings, provenance: dict[str, Any]) -> str:
    """Write a checkpoint; returns its sha256."""
    tensors = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
    header = {
        "architecture": ARCHITECTURE,
        "normalisation": NORMALISATION,
        "settings": asdict(settings),
        "training": provenance,
    }
    return write_checkpoint(path, tensors, header)


def save_adapted(
    path: Path, detector: Detector, settings: DetectorSettings, source: Path | None, adaptation: dict[str, Any]
) -> str:
    """Write the same weights with other settings; returns the sha256.

    Args:
        path: to write.
        detector: as it was read from `source`.
        settings: new threshold, calibration or linking; the network's own must be equal.
        source: path or name of the checkpoint it was read from.
        adaptation: what was done, for the header.
    """
    tensors, header = read_checkpoint(checkpoint_path(source))
    header = {name: value for name, value in header.items() if name not in ("sha256", "format")}
    training = {**detector.provenance, "adapted": adaptation, "adapted_from": detector.sha256}
    return write_checkpoint(path, tensors, {**header, "settings": asdict(settings), "training": training})


def load_detector(
    path: Path | None = None, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> Detector:
    """The detector of a checkpoint, by path or name (`checkpoint_path`), on a device (by default the CPU).

    It computes in `dtype`, float32 or bfloat16, but for the last layer, always float32. It is read once a process.

    Raises:
        InputError: the file is no such checkpoint, is damaged, or was made for another version.
    """
    whole = checkpoint_path(path).resolve()
    if not whole.is_file():
        raise InputError(
            f"there is no checkpoint at {path}; expected a .safetensors file of a trained model, or one of the "
            f"package: {', '.join(SHIPPED)}"
        )
    return _load(whole, whole.stat().st_mtime_ns, device or torch.device("cpu"), dtype)


@lru_cache(maxsize=4)
def _load(path: Path, written_ns: int, device: torch.device, dtype: torch.dtype) -> Detector:
    # The time of writing is part of the cache's key alone: a new file at the same place is read anew.
    tensors, header = read_checkpoint(path)
    found = (header.get("architecture"), header.get("normalisation"))
    if found != (ARCHITECTURE, NORMALISATION):
        raise InputError(f"{path} holds {found}; this version needs {(ARCHITECTURE, NORMALISATION)}: train it again")
    settings = _settings(header.get("settings"), path)
    network = CenterNet(settings.channels, settings.stride, settings.neighbours)
    try:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    except RuntimeError as error:
        raise InputError(f"the weights in {path} do not fit their own header: {error}") from error
    _make_ready(network, device, dtype)
    return Detector(network, settings, device, header["sha256"], header.get("training", {}))


def detector_of(network: CenterNet, settings: DetectorSettings, device: torch.device) -> Detector:
    """A network that is still learning, as a detector that is in no file: a copy, in float32."""
    ready = deepcopy(network)
    _make_ready(ready, device, torch.float32)
    return Detector(ready, settings, device, sha256="", provenance={})


def _make_ready(network: CenterNet, device: torch.device, dtype: torch.dtype) -> None:
    """Inference mode, layers merged."""
    network.eval()
    fold_batch_norm(network)
    fold_cells(network.backbone)
    if dtype == torch.bfloat16 and device.type == "cpu":
        use_quick_relu(network)
    network.requires_grad_(False)
    network.to(device=device, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.head[-1].float()


def _settings(value: object, path: Path) -> DetectorSettings:
    known = {f.name for f in fields(DetectorSettings)}
    if not isinstance(value, dict) or set(value) != known or not isinstance(value["linking"], dict):
        raise InputError(f"{path} has settings that this version does not know: {value}; train it again")
    calibration, counts = value["calibration"], value["counts"]
    try:
        return DetectorSettings(
            **{
                **value,
                "channels": tuple(value["channels"]),
                "radius_range_px": tuple(value["radius_range_px"]),
                "linking": LinkSettings(**value["linking"]),
                "calibration": Logistic(**calibration) if calibration else None,
                "counts": CountModel(**counts) if counts else None,
            }
        )
    except (TypeError, KeyError) as error:
        raise InputError(f"{path} has settings that this version does not know ({error}); train it again") from error
