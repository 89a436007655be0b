"""One training loop: a killed run continues as if it had not been."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from volumetric.errors import InputError
from volumetric.learn.saving import Saving
from volumetric.storage.atomic import replacing

B = TypeVar("B")
N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How long and how fast to learn."""

    steps: int = 6000
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    warmup_steps: int = 200
    save_every: int = 500
    until: int | None = None
    """Step after which to end, on the same learning rates, where that is before `steps`."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0 or self.save_every < 1 or self.warmup_steps < 0:
            raise InputError(f"training needs positive steps and learning rate: {self}")
        if self.until is not None and not 1 <= self.until <= self.steps:
            raise InputError(f"a training ends after one of its {self.steps} steps, got {self.until}")

    @property
    def end(self) -> int:
        """Steps to go at most."""
        return self.until or self.steps

    def rate(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, then half a cosine to zero (Loshchilov and Hutter 2017)."""
        warm = min(1.0, (step + 1) / max(self.warmup_steps, 1))
        return self.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / self.steps))


@dataclass(frozen=True)
class Validation(Generic[N]):
    """Judges a network while it learns; where it gets no better, learning ends (early stopping: Prechelt 1998).

    Args:
        figure: how good the network is, higher is better; must leave it as it is.
        every: steps from one check to the next; one more follows the last step.
        patience: checks in a row without a better figure that end the learning.
        report: called with each check.
    """

    figure: Callable[[N], float]
    every: int
    patience: int
    report: Callable[[Check], None] | None = None

    def __post_init__(self) -> None:
        if self.every < 1 or self.patience < 1:
            raise InputError(f"checks need a positive distance and patience, got {self.every} and {self.patience}")


@dataclass(frozen=True)
class Check:
    """The figure of a network after some steps."""

    step: int
    figure: float


def train(
    network: N,
    batch: Callable[[int], B],
    loss: Callable[[nn.Module, B], torch.Tensor],
    settings: TrainSettings,
    *,
    validation: Validation[N] | None = None,
    state: Path | None = None,
    report: Callable[[int, float], None] | None = None,
) -> list[Check]:
    """Train a network in place with AdamW; returns what the validation said, in order.

    Args:
        network: on its device; its weights are the start, unless `state` holds a later one. With a validation, those
            of its best check are what remains, of equal ones the first.
        batch: the training data of a step; must depend on the step alone (seed a generator with it), which makes
            a resumed run equal to an uninterrupted one. Chance within the network is torch's, kept in `state`.
        loss: of the network on a batch, a scalar.
        settings: steps and rates.
        validation: checks on the way; without it all steps are gone.
        state: file for resuming, written every `save_every` steps, every half minute and at the end.
        report: called with each step and its loss.

    Raises:
        InputError: the loss is not finite, or the state is of a different network.
    """
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=settings.weight_decay)
    run = _Run(network, optimiser)
    if state is not None and state.exists():
        run.resume(state)
    saving = Saving(settings.save_every)
    while not run.finished:
        network.train()
        for group in optimiser.param_groups:
            group["lr"] = settings.rate(run.step)
        optimiser.zero_grad(set_to_none=True)
        value = loss(network, batch(run.step))
        if not torch.isfinite(value):
            raise InputError(f"the loss is {value.item()} at step {run.step}; use a lower learning rate")
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        if report is not None:
            report(run.step, float(value.item()))
        run.step += 1
        run.finished = run.step == settings.end
        if validation is not None and (run.step % validation.every == 0 or run.finished):
            run.check(validation)
        if state is not None and saving.is_due(run.step, run.finished):
            run.save(state)
    return run.checks


@dataclass
class _Run(Generic[N]):
    """How far a training is: what its state file holds."""

    network: N
    optimiser: torch.optim.Optimizer
    step: int = 0
    finished: bool = False
    checks: list[Check] = field(default_factory=list)
    best: dict[str, torch.Tensor] = field(default_factory=dict)

    def check(self, validation: Validation[N]) -> None:
        """Judge the network; at the end it gets its best weights back."""
        # Judging draws no numbers that learning would have drawn: with and without it a network learns the same.
        device = _device(self.network)
        with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.no_grad():
            self.checks.append(Check(self.step, validation.figure(self.network)))
        if validation.report is not None:
            validation.report(self.checks[-1])
        best = max(self.checks, key=lambda check: check.figure)
        if best is self.checks[-1]:
            self.best = {name: value.clone() for name, value in self.network.state_dict().items()}
        worse = len(self.checks) - 1 - self.checks.index(best)
        self.finished = self.finished or worse >= validation.patience
        if self.finished:
            self.network.load_state_dict(self.best)

    def save(self, path: Path) -> None:
        device = _device(self.network)
        whole = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "finished": self.finished,
            "checks": [(check.step, check.figure) for check in self.checks],
            "best": self.best,
            "chance": torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state(),
        }
        with replacing(path) as temporary:
            torch.save(whole, temporary)

    def resume(self, path: Path) -> None:
        device = _device(self.network)
        whole: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        try:
            self.network.load_state_dict(whole["network"])
            self.optimiser.load_state_dict(whole["optimiser"])
            self.step, self.finished, self.best = whole["step"], whole["finished"], whole["best"]
            self.checks = [Check(step, figure) for step, figure in whole["checks"]]
            chance = whole["chance"].cpu()
        except (RuntimeError, ValueError, KeyError) as error:
            raise InputError(f"{path} is the state of another training ({error}); delete it to start anew") from error
        if device.type == "cuda":
            torch.cuda.set_rng_state(chance, device)
        else:
            torch.set_rng_state(chance)


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
