"""One network that learns from some volumes: a phase of a training."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pipelines.step_log import StepLog
from pipelines.train_detector.board import Scalars
from pipelines.train_detector.config import Config
from pipelines.train_detector.judge import Judge
from pipelines.train_detector.learning import write_checks
from pipelines.train_detector.recipe import Loss
from volumetric.blocks.plan import Facts
from volumetric.blocks.telling import tell
from volumetric.detection.centernet import CenterNet
from volumetric.detection.losses import TargetBatch
from volumetric.detection.model import DetectorSettings, detector_of, save_detector
from volumetric.detection.samples import TrainingVolume, sample_batch
from volumetric.learn.device import choose_device
from volumetric.learn.loop import Check, TrainSettings, Validation, train


@dataclass(frozen=True)
class Phase:
    """What a network learns from, and how.

    Args:
        name: of the network's files.
        volumes: to draw windows from: groups, each with the share of windows that comes from it.
        loss: of outputs and targets.
        steps: to go.
        stream: of random numbers, another for each phase.
        start: the phase whose weights it begins with; None for weights drawn by chance.
        judge: whose best network is kept; None keeps the last.
        until: step after which to end, where that is before `steps`.
    """

    name: str
    volumes: Sequence[tuple[Sequence[TrainingVolume], float]]
    loss: Loss
    steps: int
    stream: int
    start: str | None = None
    judge: Judge | None = None
    until: int | None = None


@dataclass(frozen=True)
class Networks:
    """The networks of one training, in its work folder."""

    settings: DetectorSettings
    config: Config
    work: Path
    dropout: float
    board: Path | None = None

    def fit(self, phase: Phase) -> Facts:
        """Train, going on where a stopped training was; tells the mean loss of the last tenth, and the best check."""
        config, device = self.config, choose_device(self.config.device)
        network = self.fresh() if phase.start is None else self.trained(phase.start)
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        pool = [volume for volumes, _ in phase.volumes for volume in volumes]
        chances = np.concatenate([np.full(len(volumes), share / len(volumes)) for volumes, share in phase.volumes])

        def batch(step: int) -> tuple[torch.Tensor, TargetBatch]:
            images, targets = sample_batch(
                pool,
                chances,
                np.random.default_rng([config.seed, phase.stream, step]),
                count=config.batch,
                window_px=config.window_px,
                stride=self.settings.stride,
                neighbours=self.settings.neighbours,
                confidence=config.confidence,
            )
            moved = TargetBatch(**{name: value.to(device) for name, value in vars(targets).items()})
            return images.to(device, memory_format=torch.channels_last), moved

        def loss(module: torch.nn.Module, data: tuple[torch.Tensor, TargetBatch]) -> torch.Tensor:
            # bfloat16 halves the time and costs nothing measurable; weights and losses stay in float32.
            with torch.autocast(device.type, dtype=torch.bfloat16):
                output = module(data[0])
            return phase.loss(output.float(), data[1])

        schedule = TrainSettings(steps=phase.steps, learning_rate=config.learning_rate, until=phase.until)
        log = StepLog(self.losses(phase.name), ("loss",))
        state = self._state(phase.name)
        with closing(Scalars(self.board / phase.name if self.board else None)) as scalars:

            def report(step: int, value: float) -> None:
                log.add(step, value)
                scalars.add("loss", step + 1, value)
                tell(step + 1, schedule.end)

            validation = self._validation(phase.judge, device, scalars) if phase.judge else None
            checks = train(network, batch, loss, schedule, validation=validation, state=state, report=report)
        save_detector(self.checkpoint(phase.name), network, self.settings, {})
        log.keep()
        last = float(log.table()["loss"].tail(max(1, schedule.end // 10)).mean())
        if not checks:
            return {"loss": last}
        write_checks(self.checks(phase.name), checks)
        best = max(checks, key=lambda check: check.figure)
        return {"loss": last, "best_step": best.step, "ap": best.figure}

    def _validation(self, judge: Judge, device: torch.device, scalars: Scalars) -> Validation[CenterNet]:
        def figure(network: CenterNet) -> float:
            return judge.average_precision(detector_of(network, self.settings, device))

        def report(check: Check) -> None:
            scalars.add("average precision", check.step, check.figure)

        return Validation(figure, self.config.check_every, self.config.patience, report)

    def fresh(self) -> CenterNet:
        """A network that knows nothing, the same for a seed."""
        torch.manual_seed(self.config.seed)
        return CenterNet(self.settings.channels, self.settings.stride, self.settings.neighbours, self.dropout)

    def trained(self, name: str) -> CenterNet:
        """The network of a finished phase."""
        network = self.fresh()
        network.load_state_dict(torch.load(self._state(name), weights_only=True)["network"])
        return network

    def checkpoint(self, name: str) -> Path:
        """Where the network of a finished phase is, ready for use."""
        return self.work / f"{name}.safetensors"

    def losses(self, name: str) -> Path:
        """Where the loss of every step of a phase is kept."""
        return self.work / f"{name}.csv"

    def checks(self, name: str) -> Path:
        """Where the checks of a phase are kept, if it had any."""
        return self.work / f"{name}.checks.csv"

    def _state(self, name: str) -> Path:
        return self.work / f"{name}.pt"
