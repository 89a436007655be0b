"""One training loop: seeded by step, so that a killed run continues as if it had not been."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from volumetric.errors import InputError
from volumetric.storage.atomic import replacing

B = TypeVar("B")


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How long and how fast to learn."""

    steps: int = 6000
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    warmup_steps: int = 200
    save_every: int = 500

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0 or self.save_every < 1 or self.warmup_steps < 0:
            raise InputError(f"training needs positive steps and learning rate: {self}")

    def rate(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, then half a cosine to zero (Loshchilov and Hutter 2017)."""
        warm = min(1.0, (step + 1) / max(self.warmup_steps, 1))
        return self.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / self.steps))


def train(
    network: nn.Module,
    batch: Callable[[int], B],
    loss: Callable[[nn.Module, B], torch.Tensor],
    settings: TrainSettings,
    *,
    state: Path | None = None,
    report: Callable[[int, float], None] | None = None,
) -> None:
    """Train a network in place with AdamW.

    Args:
        network: on its device; its weights are the start, unless `state` holds a later one.
        batch: the training data of a step; must depend on the step alone (seed a generator with it), which makes
            a resumed run equal to an uninterrupted one.
        loss: of the network on a batch, a scalar.
        settings: steps and rates.
        state: file for resuming, written every `save_every` steps and at the end.
        report: called with each step and its loss.

    Raises:
        InputError: the loss is not finite, or the state is of a different network.
    """
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=settings.weight_decay)
    first = _resume(network, optimiser, state)
    network.train()
    for step in range(first, settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.rate(step)
        optimiser.zero_grad(set_to_none=True)
        value = loss(network, batch(step))
        if not torch.isfinite(value):
            raise InputError(f"the loss is {value.item()} at step {step}; use a lower learning rate")
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        if report is not None:
            report(step, float(value.item()))
        if state is not None and ((step + 1) % settings.save_every == 0 or step + 1 == settings.steps):
            _save(network, optimiser, step + 1, state)


def _save(network: nn.Module, optimiser: torch.optim.Optimizer, step: int, path: Path) -> None:
    whole = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
    with replacing(path) as temporary:
        torch.save(whole, temporary)


def _resume(network: nn.Module, optimiser: torch.optim.Optimizer, path: Path | None) -> int:
    if path is None or not path.exists():
        return 0
    device = next(network.parameters()).device
    whole = torch.load(path, map_location=device, weights_only=True)
    try:
        network.load_state_dict(whole["network"])
        optimiser.load_state_dict(whole["optimiser"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"{path} is the state of another training ({error}); delete it to start anew") from error
    return int(whole["step"])
