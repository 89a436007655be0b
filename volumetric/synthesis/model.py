"""A generator as it is used: weights, and what its checkpoint says about them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from volumetric.errors import InputError
from volumetric.storage.checkpoints import read_checkpoint, write_checkpoint
from volumetric.synthesis.appearance import Appearance
from volumetric.synthesis.generator import Generator
from volumetric.synthesis.scale import Scale
from volumetric.synthesis.visibility import Visibility

ARCHITECTURE = "wgan-unet-1"


@dataclass(frozen=True, kw_only=True)
class GeneratorSettings:
    """What a checkpoint's header says besides its provenance.

    Args:
        channels: of the U-Net's levels, finest first.
        style: numbers of a style.
        scale: of the planes that it makes.
        appearance: of cells.
        visibility: from when a cell is seen.
        px: edge of the planes that it learned from.
    """

    channels: tuple[int, ...]
    style: int
    scale: Scale
    appearance: Appearance
    visibility: Visibility
    px: int


@dataclass(frozen=True)
class Model:
    """A generator that no longer learns."""

    network: Generator
    settings: GeneratorSettings
    device: torch.device
    sha256: str
    provenance: dict[str, Any]


def save_generator(path: Path, network: Generator, settings: GeneratorSettings, provenance: dict[str, Any]) -> str:
    """Write a checkpoint; returns its sha256."""
    tensors = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
    header = {"architecture": ARCHITECTURE, "settings": asdict(settings), "training": provenance}
    return write_checkpoint(path, tensors, header)


def load_generator(path: Path, device: torch.device) -> Model:
    """The generator of a checkpoint, on a device.

    Raises `InputError` for what is no such checkpoint, is damaged, or was made for another version.
    """
    tensors, header = read_checkpoint(path)
    if header.get("architecture") != ARCHITECTURE:
        raise InputError(
            f"{path} holds {header.get('architecture')}: expected {ARCHITECTURE}, a generator of `train-generator`"
        )
    try:
        settings = _settings(header["settings"])
        network = Generator(settings.channels, settings.style)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    except (KeyError, TypeError, RuntimeError) as error:
        raise InputError(f"{path} has weights or settings that this version does not know ({error})") from error
    network.eval().requires_grad_(False).to(device)
    return Model(network, settings, device, header["sha256"], header.get("training", {}))


def _settings(value: dict[str, Any]) -> GeneratorSettings:
    seen = Visibility(**value["visibility"])
    return GeneratorSettings(**{**value, "channels": tuple(value["channels"]), "visibility": seen})
