"""Where networks run."""

from __future__ import annotations

import torch

from volumetric.errors import InputError


def choose_device(name: str = "auto") -> torch.device:
    """The device for `auto` (a GPU if there is one), `cpu`, or `cuda`.

    Raises:
        InputError: another name, or `cuda` on a machine where torch sees no GPU.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"unknown device {name!r}: expected auto, cpu or cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError(
            "the device cuda was asked for, but torch sees no GPU; use --device auto or cpu, or install a build "
            "of torch that fits the driver"
        )
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def use_threads(count: int) -> None:
    """Let torch use `count` CPU threads in this process: tasks side by side must not each take all cores."""
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)
