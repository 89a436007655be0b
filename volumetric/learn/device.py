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


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """What a network computes in, for `auto` (bfloat16 where the device is fast in it), `float32`, or `bfloat16`.

    Raises `InputError` for another name.
    """
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if name in known:
        return known[name]
    if name != "auto":
        raise InputError(f"unknown precision {name!r}: expected auto, float32 or bfloat16")
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported()
    else:
        able = torch.cpu.get_capabilities()
        fast = bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return torch.bfloat16 if fast else torch.float32
