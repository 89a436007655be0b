"""A training, prepared: its settings, its tiles, and each step of the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field

from pipelines.config import Settings
from pipelines.train_detector.material import CROP_UM, FAINTEST, synthetic_training, synthetic_volume, tile_training
from volumetric.blocks.plan import Facts
from volumetric.blocks.telling import tell
from volumetric.detection.cells import candidates, contrast_of, contrast_of_tiles
from volumetric.detection.centernet import CenterNet
from volumetric.detection.losses import TargetBatch, finetuning_loss, joint_loss, pretraining_loss
from volumetric.detection.model import Detector, DetectorSettings, load_detector, save_detector
from volumetric.detection.operating_point import operating_point
from volumetric.detection.samples import TrainingVolume, sample_batch
from volumetric.detection.tileset import Tile
from volumetric.geometry.space import VoxelSpace
from volumetric.learn.device import choose_device
from volumetric.learn.loop import TrainSettings, train
from volumetric.points.curves import ScoredTile, curve, score_tile
from volumetric.points.matching import match_points
from volumetric.storage.provenance import versions
from volumetric.storage.tables import read_table, write_table

HELD_OUT_CROPS = 24
"""Synthetic crops on which the threshold is chosen where there are no tiles of several brains."""

HELD_OUT_SEED = 1_000_003


class Config(Settings):
    """What changes the checkpoint, besides the tiles."""

    mode: Literal["best", "method"] = "best"
    seed: int = Field(default=1, ge=0)
    channels: tuple[int, ...] = (24, 48, 96)
    stride: Literal[1, 2, 4] | None = None
    neighbours: int | None = Field(default=None, ge=0, le=4)
    synthetic: int = Field(default=160, ge=0)
    pretrain_steps: int = Field(default=3000, ge=0)
    steps: int = Field(default=1500, ge=0)
    synthetic_share: float = Field(default=0.5, ge=0, le=1)
    batch: int = Field(default=16, ge=1)
    window_px: int = Field(default=96, ge=16)
    learning_rate: float = Field(default=2e-3, gt=0)
    tolerance_um: float = Field(default=8.0, gt=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"


Loss = Callable[[torch.Tensor, TargetBatch], torch.Tensor]

DEFAULTS: Mapping[str, dict[str, Any]] = {
    "best": {"stride": 2, "neighbours": 2},
    "method": {"stride": 4, "neighbours": 0},
}

PHASES: Mapping[str, tuple[Loss, Loss]] = {
    "best": (joint_loss, joint_loss),
    "method": (pretraining_loss, finetuning_loss),
}
"""The losses of pre-training on synthetic crops and of fine-tuning on tiles."""


@dataclass(frozen=True)
class Job:
    """A training, prepared."""

    tiles: tuple[Tile, ...]
    config: Config
    out: Path
    work: Path

    @cached_property
    def settings(self) -> DetectorSettings:
        """Of the network, before its threshold is known."""
        chosen = {
            **DEFAULTS[self.config.mode],
            **self.config.model_dump(include={"stride", "neighbours"}, exclude_none=True),
        }
        return DetectorSettings(channels=self.config.channels, **chosen)

    @cached_property
    def brains(self) -> tuple[str, ...]:
        """Of the tiles, each once."""
        return tuple(dict.fromkeys(tile.brain for tile in self.tiles))

    @property
    def folds(self) -> tuple[str, ...]:
        """Brains that are held out in turn; none where there is one alone."""
        return self.brains if len(self.brains) > 1 else ()

    @cached_property
    def _synthetic(self) -> list[TrainingVolume]:
        return [synthetic_training(self.config.seed, i) for i in range(self.config.synthetic)]

    @cached_property
    def _real(self) -> list[TrainingVolume]:
        return tile_training(self.tiles)

    def pretrain(self) -> Facts:
        """Learn from synthetic crops."""
        losses = self._train("pretrain", None, self._synthetic, self.config.pretrain_steps, 0)
        return {"loss": losses}

    def finetune(self, held_out: str | None) -> Facts:
        """Go on with the tiles of all brains but one, and some synthetic crops; where one was, score its tiles."""
        name = "final" if held_out is None else f"without-{held_out}"
        real = [v for v, tile in zip(self._real, self.tiles, strict=True) if tile.brain != held_out]
        losses = self._train(
            name, "pretrain", real, self.config.steps, 1 + self.brains.index(held_out) if held_out else 99
        )
        if held_out is not None:
            write_table(self._found(name), self._candidates(held_out))
        return {"loss": losses}

    def _train(self, name: str, start: str | None, volumes: Sequence[TrainingVolume], steps: int, stream: int) -> float:
        """Train a network, resuming; returns the mean loss of the last tenth."""
        config, settings = self.config, self.settings
        device = choose_device(config.device)
        torch.manual_seed(config.seed)
        network = CenterNet(settings.channels, settings.stride, settings.neighbours)
        if start is not None and config.synthetic and config.pretrain_steps:
            network.load_state_dict(torch.load(self._state(start), weights_only=True)["network"])
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        mixed = start is not None and config.mode == "best" and bool(self._synthetic)
        pool = [*volumes, *(self._synthetic if mixed else [])]
        share = config.synthetic_share if mixed else 0.0
        chances = np.concatenate(
            [
                np.full(len(volumes), (1 - share) / len(volumes)),
                np.full(len(pool) - len(volumes), share / max(len(pool) - len(volumes), 1)),
            ]
        )
        objective = PHASES[config.mode][0 if start is None else 1]

        def batch(step: int) -> tuple[torch.Tensor, TargetBatch]:
            images, targets = sample_batch(
                pool,
                chances,
                np.random.default_rng([config.seed, stream, step]),
                count=config.batch,
                window_px=config.window_px,
                stride=settings.stride,
                neighbours=settings.neighbours,
            )
            moved = TargetBatch(**{name: value.to(device) for name, value in vars(targets).items()})
            return images.to(device, memory_format=torch.channels_last), moved

        def loss(module: torch.nn.Module, data: tuple[torch.Tensor, TargetBatch]) -> torch.Tensor:
            # bfloat16 halves the time and costs nothing measurable; weights and losses stay in float32.
            with torch.autocast(device.type, dtype=torch.bfloat16):
                output = module(data[0])
            return objective(output.float(), data[1])

        losses: list[float] = []

        def report(step: int, value: float) -> None:
            losses.append(value)
            tell(step + 1, steps)

        schedule = TrainSettings(steps=steps, learning_rate=config.learning_rate)
        train(network, batch, loss, schedule, state=self._state(name), report=report)
        save_detector(self._checkpoint(name), network, settings, {})
        return float(np.mean(losses[-max(1, steps // 10) :])) if losses else float("nan")

    def publish(self) -> Facts:
        """Choose the threshold on what was held out, and write the checkpoint."""
        scored = self._scored()
        settings = operating_point(self.settings, scored, calibrated=bool(self.folds))
        curves = {brain: curve(tiles) for brain, tiles in scored.items()}
        figures = {
            brain: {
                "ap": one.average_precision,
                **one.at(settings.threshold),
                "f1_best_possible": float(one.f1.max(initial=0)),
            }
            for brain, one in curves.items()
        }
        state = torch.load(self._state("final" if self.config.steps and self.tiles else "pretrain"), weights_only=True)
        network = CenterNet(settings.channels, settings.stride, settings.neighbours)
        network.load_state_dict(state["network"])
        provenance = {
            "config": self.config.model_dump(mode="json"),
            "tiles": {brain: sum(tile.brain == brain for tile in self.tiles) for brain in self.brains},
            "threshold_chosen_on": "brains held out in turn" if self.folds else "synthetic crops held out",
            "held_out": figures,
            "versions": versions(),
        }
        digest = save_detector(self.out, network, settings, provenance)
        return {"held_out": figures, "threshold": settings.threshold, "sha256": digest}

    def _scored(self) -> dict[str, list[ScoredTile]]:
        if not self.folds:
            return {"synthetic": self._scored_crops()}
        scored: dict[str, list[ScoredTile]] = {}
        for brain in self.folds:
            found = read_table(self._found(f"without-{brain}"))
            for tile in self.tiles:
                if tile.brain == brain and tile.cells is not None:
                    own = found[found["tile"] == tile.name]
                    points = own[["z_um", "y_um", "x_um"]].to_numpy()
                    one = score_tile(tile.cells_um, points, own["score"], self.config.tolerance_um)
                    scored.setdefault(brain, []).append(one)
        return scored

    def _candidates(self, brain: str) -> pd.DataFrame:
        """All that the network that never saw a brain finds in its tiles."""
        detector = self._detector(f"without-{brain}")
        own = [tile for tile in self.tiles if tile.brain == brain]
        parts = []
        for tile, field in zip(own, contrast_of_tiles(own), strict=True):
            found = candidates(tile.image, field, detector)
            um = tile.space.to_um(found[["z_vox", "y_vox", "x_vox"]].to_numpy())
            parts.append(
                pd.DataFrame(
                    {"tile": tile.name, "z_um": um[:, 0], "y_um": um[:, 1], "x_um": um[:, 2], "score": found["score"]}
                )
            )
        return pd.concat(parts, ignore_index=True)

    def _scored_crops(self) -> list[ScoredTile]:
        detector = self._detector("final" if self.config.steps and self.tiles else "pretrain")
        space = VoxelSpace(CROP_UM)
        scored = []
        for index in range(HELD_OUT_CROPS):
            image, true = synthetic_volume(self.config.seed + HELD_OUT_SEED, index)
            found = candidates(image, contrast_of(image), detector)
            asked = (true["inside"] & (true["snr"] >= FAINTEST)).to_numpy()
            cells, places = (
                space.to_um(t[["z_vox", "y_vox", "x_vox"]].to_numpy(dtype=np.float64)) for t in (true, found)
            )
            # Finding a cell that is not asked for is no mistake.
            pairs = match_points(cells, places, self.config.tolerance_um)
            judged = np.ones(len(places), dtype=bool)
            judged[pairs[~asked[pairs[:, 0]], 1]] = False
            score = found["score"].to_numpy()[judged]
            scored.append(score_tile(cells[asked], places[judged], score, self.config.tolerance_um))
        return scored

    def _detector(self, name: str) -> Detector:
        return load_detector(self._checkpoint(name), choose_device(self.config.device))

    def _state(self, name: str) -> Path:
        return self.work / f"{name}.pt"

    def _checkpoint(self, name: str) -> Path:
        return self.work / f"{name}.safetensors"

    def _found(self, name: str) -> Path:
        return self.work / f"{name}.parquet"
