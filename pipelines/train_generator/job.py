"""A training of a generator, prepared."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from pipelines.layouts import Named
from pipelines.planes import Plane
from pipelines.report.picture import render
from pipelines.step_log import StepLog
from pipelines.train_generator.config import Config
from pipelines.train_generator.figure import curves_figure, grid_figure
from pipelines.train_generator.material import Pool, ready
from volumetric.blocks.plan import Facts
from volumetric.blocks.telling import tell
from volumetric.learn.device import choose_device
from volumetric.storage.atomic import replacing
from volumetric.storage.provenance import versions
from volumetric.synthesis.adversarial import Contest, GanSettings, GanStep
from volumetric.synthesis.appearance import compose
from volumetric.synthesis.critic import Critic
from volumetric.synthesis.discs import Discs
from volumetric.synthesis.generator import Generator
from volumetric.synthesis.model import GeneratorSettings, save_generator
from volumetric.synthesis.sample import visibility_of

COLUMNS = ("distance", "penalty", "score", "visibility")
SHOWN = 12
"""Planes in a sample grid."""

TIMED = 3
"""Steps from which the time of a training is foretold; the first, which is slower, does not count."""

WATCHING = 2**31
"""Stream of the layouts in sample grids: the same in all of them, and in no batch."""


@dataclass(frozen=True)
class Job:
    """A training, prepared."""

    planes: tuple[Plane, ...]
    config: Config
    out: Path
    work: Path
    folders: tuple[Path, ...]
    layout: Named | None = None

    @cached_property
    def pool(self) -> Pool:
        """What is learned from."""
        config = self.config
        discs = Discs(config.cells_per_mpx, config.radius_px, config.light)
        sampler = self.layout.sampler if self.layout else discs
        seen = visibility_of(sampler, config.px, config.recipe.appearance, config.seed)
        return Pool(ready(self.planes, config), sampler, seen, config)

    def contest(self) -> Contest:
        """Fresh networks, the same for a seed, on their device."""
        config, recipe = self.config, self.config.recipe
        torch.manual_seed(config.seed)
        generator, critic = Generator(config.channels, recipe.style), Critic(config.critic_channels, recipe.whole)
        settings = GanSettings(
            steps=config.steps,
            seed=config.seed,
            critic_steps=config.critic_steps,
            generator_rate=config.generator_rate,
            critic_rate=config.critic_rate,
            penalty=config.penalty,
            history=config.history,
            average=recipe.average,
        )
        device = choose_device(config.device)
        return Contest(generator.to(device), critic.to(device), settings)

    def seconds_a_step(self) -> float:
        """Measured on networks that are thrown away."""
        contest, device = self.contest(), choose_device(self.config.device)
        material = self.pool.material(contest.generator, device)
        began = 0.0
        for turn in range(TIMED + 1):
            contest.one_step(material)
            if device.type == "cuda":
                torch.cuda.synchronize()
            began = began or (time.perf_counter() if turn == 0 else 0.0)
        return (time.perf_counter() - began) / TIMED

    def learn(self) -> Facts:
        """All steps, going on where a stopped training was."""
        contest, config = self.contest(), self.config
        log = StepLog(self.work / "steps.csv", COLUMNS)

        def report(step: int, figures: GanStep) -> None:
            log.add(step, *(getattr(figures, name) for name in COLUMNS))
            tell(step + 1, config.steps)
            if (step + 1) % config.show_every == 0 or step + 1 == config.steps:
                self._show(contest, step + 1)

        contest.train(
            self.pool.material(contest.generator, choose_device(config.device)), self.work / "state.pt", report
        )
        log.keep()
        tail = log.table().tail(max(1, config.steps // 10)).mean()
        return {name: float(tail[name]) for name in COLUMNS}

    @property
    def settings(self) -> GeneratorSettings:
        """What the checkpoint says."""
        recipe = self.config.recipe
        return GeneratorSettings(
            channels=self.config.channels,
            style=recipe.style,
            scale=recipe.scale,
            appearance=recipe.appearance,
            visibility=self.pool.visibility,
            px=self.config.px,
        )

    def publish(self) -> Facts:
        """Write the checkpoint and the picture of how it learned."""
        contest = self.contest()
        state = torch.load(self.work / "state.pt", map_location="cpu", weights_only=True)
        contest.averaged.load_state_dict(state["averaged"])
        log = StepLog(self.work / "steps.csv", COLUMNS).table()
        with replacing(self.picture) as temporary:
            temporary.write_bytes(render(curves_figure(log), "png"))
        provenance = {
            "config": self.config.model_dump(mode="json"),
            "planes": len(self.planes),
            "layout": self.layout.name if self.layout else "discs",
            "brains": sorted({plane.brain for plane in self.planes}),
            "versions": versions(),
        }
        return {"sha256": save_generator(self.out, contest.averaged, self.settings, provenance)}

    @property
    def picture(self) -> Path:
        """Of distance and penalty over the steps, beside the checkpoint."""
        return self.out.with_suffix(".learning.png")

    @property
    def samples(self) -> Path:
        """Folder of sample grids, beside the checkpoint."""
        return self.out.with_suffix(".samples")

    def _show(self, contest: Contest, step: int) -> None:
        """A grid of planes made so far, the same layouts each time, above real ones."""
        device = choose_device(self.config.device)
        condition = self.pool.condition(contest.generator, SHOWN, WATCHING).to(device)
        with torch.no_grad():
            background = contest.averaged(condition.mask, condition.cells, condition.chance)
            planes = compose(background, condition.mask, condition.cells, self.config.recipe.appearance)
        real = torch.cat([self.pool.real(WATCHING, turn) for turn in range(-(-SHOWN // self.config.batch))])[:SHOWN]
        with replacing(self.samples / f"step-{step:07d}.png") as temporary:
            figure = grid_figure(planes[:, 0].cpu().numpy(), real[:, 0].numpy(), step)
            temporary.write_bytes(render(figure, "png"))
