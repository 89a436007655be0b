"""Training a generator against a critic: a killed training goes on as if it had not been."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from volumetric.errors import InputError
from volumetric.learn.saving import Saving
from volumetric.storage.atomic import replacing
from volumetric.synthesis.appearance import Appearance, compose
from volumetric.synthesis.critic import Critic
from volumetric.synthesis.generator import Chance, Generator
from volumetric.synthesis.history import History
from volumetric.synthesis.wgan import critic_loss, generator_loss

WATCHED = 100
"""Steps over which the penalty is averaged to see whether the training still holds."""

DIVERGED = 10.0
"""Mean penalty from which it does not: gradients of the critic are then about four, where one is asked for."""


@dataclass(frozen=True)
class Condition:
    """What a batch of planes is made from, on one device.

    Args:
        mask: (n, 1, H, W) 1 within cells, otherwise 0.
        cells: (n, 1, H, W) cell images.
        centres: (n, 1, H, W) 1 at the pixel of each cell's centre, otherwise 0.
        chance: of the backgrounds.
    """

    mask: torch.Tensor
    cells: torch.Tensor
    centres: torch.Tensor
    chance: Chance

    def to(self, device: torch.device) -> Condition:
        """The same on a device."""
        return Condition(self.mask.to(device), self.cells.to(device), self.centres.to(device), self.chance.to(device))


@dataclass(frozen=True, kw_only=True)
class GanSettings:
    """How to learn; the defaults are the method's (section 2.5.2)."""

    steps: int
    seed: int = 1
    critic_steps: int = 2
    generator_rate: float = 1e-4
    critic_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    penalty: float = 10.0
    history: int = 500
    average: float = 0.0
    """Decay of the running mean of the generator's weights, which is then what is used; 0 for the last ones."""

    save_every: int = 500


@dataclass(frozen=True)
class GanStep:
    """Figures of one step: estimate of the distance, penalty, and the generator's two losses."""

    distance: float
    penalty: float
    score: float
    visibility: float


@dataclass(frozen=True)
class Material:
    """What a training draws from; each call depends on its numbers alone.

    Args:
        real: step and turn to real planes (n, 1, H, W), 0 to 1.
        condition: step and turn to what as many planes are made from; turn `critic_steps` is the generator's own.
        appearance: of cells.
        visibility: of made-up planes and their condition to a scalar added to the generator's loss; None for none.
    """

    real: Callable[[int, int], torch.Tensor]
    condition: Callable[[int, int], Condition]
    appearance: Appearance
    visibility: Callable[[torch.Tensor, Condition], torch.Tensor] | None = None


@dataclass
class Contest:
    """A generator and its critic while they learn: what the state file holds.

    Args:
        generator: on its device.
        critic: on the same.
        settings: how to learn.
    """

    generator: Generator
    critic: Critic
    settings: GanSettings
    step: int = 0
    averaged: Generator = field(init=False)
    history: History = field(init=False)
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=WATCHED), init=False)

    def __post_init__(self) -> None:
        self.averaged = deepcopy(self.generator).requires_grad_(False)
        self.history = History(self.settings.history)
        one = self.settings
        self._generator_adam = torch.optim.Adam(self.generator.parameters(), one.generator_rate, one.betas)
        self._critic_adam = torch.optim.Adam(self.critic.parameters(), one.critic_rate, one.betas)

    def train(
        self, material: Material, state: Path | None = None, report: Callable[[int, GanStep], None] | None = None
    ) -> None:
        """Go all steps that are left.

        Args:
            material: to learn from.
            state: file for resuming, written every `save_every` steps, every half minute and at the end.
            report: called with each step and its figures.

        Raises:
            InputError: a figure is not finite, or the penalty grew: the training diverged; the state of some steps
                before is kept.
        """
        if state is not None and state.exists():
            self._resume(state)
        saving = Saving(self.settings.save_every)
        while self.step < self.settings.steps:
            figures = self.one_step(material)
            self._check(figures)
            if report is not None:
                report(self.step, figures)
            self.step += 1
            if state is not None and saving.is_due(self.step, self.step == self.settings.steps):
                self._save(state)

    def one_step(self, material: Material) -> GanStep:
        """Some steps of the critic, then one of the generator."""
        one = self.settings
        rng = np.random.default_rng([one.seed, self.step])
        for turn in range(one.critic_steps):
            condition, real = material.condition(self.step, turn), material.real(self.step, turn)
            with torch.no_grad():
                fake = self._made(condition, material)
            fake = self.history.mixed(fake, rng)
            mix = torch.from_numpy(rng.random(len(real), dtype=np.float32)).to(real.device)
            loss = critic_loss(self.critic, real, fake, mix, one.penalty)
            self._critic_adam.zero_grad(set_to_none=True)
            loss.total.backward()  # type: ignore[no-untyped-call]
            self._critic_adam.step()
        condition = material.condition(self.step, one.critic_steps)
        fake = self._made(condition, material)
        score = generator_loss(self.critic, fake)
        seen = material.visibility(fake, condition) if material.visibility else torch.zeros_like(score)
        self._generator_adam.zero_grad(set_to_none=True)
        (score + seen).backward()  # type: ignore[no-untyped-call]
        self._generator_adam.step()
        self._average()
        return GanStep(float(loss.distance), float(loss.penalty), float(score.detach()), float(seen.detach()))

    def _made(self, condition: Condition, material: Material) -> torch.Tensor:
        # bfloat16 takes half of the time; the critic, whose gradients are differentiated again, stays in float32.
        with torch.autocast(condition.mask.device.type, dtype=torch.bfloat16):
            background = self.generator(condition.mask, condition.cells, condition.chance).float()
        return compose(background, condition.mask, condition.cells, material.appearance)

    def _average(self) -> None:
        # The first steps count less than they will: a mean of a hundred steps is not one of ten thousand.
        decay = min(self.settings.average, (self.step + 1) / (self.step + 10)) if self.settings.average else 0.0
        with torch.no_grad():
            for mean, last in zip(self.averaged.parameters(), self.generator.parameters(), strict=True):
                mean.lerp_(last, 1 - decay)

    def _check(self, figures: GanStep) -> None:
        self._recent.append(figures.penalty)
        mean = sum(self._recent) / len(self._recent)
        finite = all(math.isfinite(value) for value in vars(figures).values())
        if not finite or (len(self._recent) == WATCHED and mean > DIVERGED):
            raise InputError(
                f"the training diverged at step {self.step + 1}: distance {figures.distance:.3g}, gradient penalty "
                f"{figures.penalty:.3g}, {mean:.3g} on average of {len(self._recent)} steps. Lower the learning rates, "
                "raise the penalty's weight, or look whether the tiles are what they should be"
            )

    def _save(self, path: Path) -> None:
        images = self.history.images
        whole = {
            "generator": self.generator.state_dict(),
            "averaged": self.averaged.state_dict(),
            "critic": self.critic.state_dict(),
            "generator_adam": self._generator_adam.state_dict(),
            "critic_adam": self._critic_adam.state_dict(),
            "history": torch.stack(images) if images else torch.zeros(0),
            "recent": list(self._recent),
            "step": self.step,
        }
        with replacing(path) as temporary:
            torch.save(whole, temporary)

    def _resume(self, path: Path) -> None:
        device = next(self.generator.parameters()).device
        whole: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        try:
            self.generator.load_state_dict(whole["generator"])
            self.averaged.load_state_dict(whole["averaged"])
            self.critic.load_state_dict(whole["critic"])
            self._generator_adam.load_state_dict(whole["generator_adam"])
            self._critic_adam.load_state_dict(whole["critic_adam"])
            self.history.images = list(whole["history"].cpu())
            self._recent.extend(whole["recent"])
            self.step = whole["step"]
        except (RuntimeError, ValueError, KeyError) as error:
            raise InputError(f"{path} is the state of another training ({error}); delete it to start anew") from error
