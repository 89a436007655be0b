"""A training, prepared: its settings, its tiles, and each step of the work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from pipelines.report.picture import render
from pipelines.scored import find, found_in
from pipelines.train_detector.config import Config
from pipelines.train_detector.judge import Judge
from pipelines.train_detector.learning import best_check, learning_figure
from pipelines.train_detector.material import score_synthetic, synthetic_training, tile_training
from pipelines.train_detector.network import Networks, Phase
from pipelines.train_detector.recipe import RECIPES, Recipe
from volumetric.blocks.plan import Facts
from volumetric.detection.evaluate import Scored, Tolerance
from volumetric.detection.model import Detector, DetectorSettings, load_detector, save_detector
from volumetric.detection.operating_point import operating_point
from volumetric.detection.samples import TrainingVolume
from volumetric.detection.self_training import self_taught
from volumetric.detection.tileset import Tile
from volumetric.learn.device import choose_device
from volumetric.points.curves import ScoredTile, curve
from volumetric.storage.atomic import replacing
from volumetric.storage.provenance import versions

ITSELF = 1_000_000
"""Added to a network's stream of random numbers where it teaches itself."""

PARTS = 4
"""Into which the tiles of a single brain are divided, to hold each out in turn."""


@dataclass(frozen=True)
class Job:
    """A training, prepared."""

    tiles: tuple[Tile, ...]
    config: Config
    out: Path
    work: Path
    unlabelled: tuple[Tile, ...] = ()
    board: Path | None = None

    @cached_property
    def networks(self) -> Networks:
        """Of this training, before a threshold is known."""
        recipe, names = self.recipe, ("channels", "stride", "neighbours")
        given = self.config.model_dump(include=set(names), exclude_none=True)
        settings = DetectorSettings(**{**{name: getattr(recipe, name) for name in names}, **given})
        dropout = recipe.dropout if self.config.dropout is None else self.config.dropout
        return Networks(settings, self.config, self.work, dropout, self.board)

    @property
    def recipe(self) -> Recipe:
        return RECIPES[self.config.mode]

    @property
    def pretrains(self) -> bool:
        """Whether it begins with synthetic crops alone."""
        wanted = self.recipe.pretrains or not self.finetunes
        return bool(wanted and self.config.synthetic and self.config.pretrain_steps)

    @property
    def finetunes(self) -> bool:
        """Whether it goes on with tiles."""
        return bool(self.tiles and self.config.steps)

    @cached_property
    def folds(self) -> Mapping[str, tuple[Tile, ...]]:
        """The tiles that are held out in turn: brains, or where there is one alone, parts of its tiles."""
        brains = tuple(dict.fromkeys(tile.brain for tile in self.tiles))
        if len(brains) > 1:
            return {brain: tuple(tile for tile in self.tiles if tile.brain == brain) for brain in brains}
        parts = min(len(self.tiles), PARTS)
        return {f"part-{i + 1}": self.tiles[i::parts] for i in range(parts)} if parts > 1 else {}

    @cached_property
    def _synthetic(self) -> list[TrainingVolume]:
        return [synthetic_training(self.config.seed, i) for i in range(self.config.synthetic)]

    @cached_property
    def _real(self) -> list[TrainingVolume]:
        return tile_training(self.tiles)

    def pretrain(self) -> Facts:
        """Learn from synthetic crops."""
        phase = Phase("pretrain", [(self._synthetic, 1.0)], self.recipe.pretraining, self.config.pretrain_steps, 0)
        return self.networks.fit(phase)

    def without(self, fold: str) -> Facts:
        """Learn from the tiles of the other folds, and find the candidates in this one's."""
        name, judge = _without(fold), self._judge(fold)
        phase = self._finetuning(name, self.folds[fold], 2 + list(self.folds).index(fold))
        facts = self._learn(replace(phase, judge=judge))
        find(self.folds[fold], self._detector(self._last(name)), self._found(fold))
        return facts

    def final(self) -> Facts:
        """Learn from all tiles, as long as was best for those who had a judge."""
        return self._learn(replace(self._finetuning("final", (), 1), until=self._best_steps))

    def _learn(self, phase: Phase) -> Facts:
        """Learn from tiles, and then, where some are unlabelled, from these too: what the network finds in them."""
        facts = self.networks.fit(phase)
        if not self.unlabelled:
            return facts
        config, share = self.config, self.config.unlabelled_share
        taught = self_taught(
            self.unlabelled, self._detector(phase.name), sure=config.sure_score, unsure=config.unsure_score
        )
        second = Phase(
            self._last(phase.name),
            [*((known, (1 - share) * of_all) for known, of_all in phase.volumes), (taught, share)],
            phase.loss,
            config.unlabelled_steps,
            ITSELF + phase.stream,
            phase.name,
        )
        numbers = {"cells": sum(len(v.cells) for v in taught), "left_out": sum(len(v.ignored) for v in taught)}
        return {**facts, "unlabelled": {**numbers, **self.networks.fit(second)}}

    def _last(self, name: str) -> str:
        """The last phase of a network that learns from tiles."""
        return f"{name}-unlabelled" if self.unlabelled else name

    @property
    def _best_steps(self) -> int | None:
        """Median of the steps that were best for what was left out; None where nobody judged."""
        judged = [self.networks.checks(_without(fold)) for fold in self.folds if self._judge(fold)]
        return round(float(np.median([best_check(path).step for path in judged]))) if judged else None

    def _judge(self, fold: str) -> Judge | None:
        judge = Judge(self.folds[fold], Tolerance.parse(self.config.tolerance))
        return judge if self.config.patience and judge.can_judge else None

    def _finetuning(self, name: str, held_out: tuple[Tile, ...], stream: int) -> Phase:
        left_out = {tile.name for tile in held_out}
        real = [v for v, tile in zip(self._real, self.tiles, strict=True) if tile.name not in left_out]
        # The published recipe sees synthetic crops first and then no more; ours sees some all the time.
        share = self.config.synthetic_share if self.config.synthetic and not self.recipe.pretrains else 0.0
        volumes = [(real, 1 - share), *([(self._synthetic, share)] if share else [])]
        start = "pretrain" if self.pretrains else None
        return Phase(name, volumes, self.recipe.finetuning, self.config.steps, stream, start)

    def publish(self) -> Facts:
        """Choose the threshold on what was held out, and write the checkpoint."""
        last = self._last("final") if self.finetunes else "pretrain"
        real = bool(self.finetunes and self.folds)
        scored = self._scored_folds() if real else {"synthetic": self._scored_synthetic(last)}
        settings = operating_point(self.networks.settings, scored, calibrated=real)
        figures = {name: _figures(tiles, settings.threshold) for name, tiles in scored.items()}
        provenance = {
            "config": self.config.model_dump(mode="json"),
            "tiles": {name: len(tiles) for name, tiles in self.folds.items()},
            "unlabelled": len(self.unlabelled),
            "threshold_chosen_on": "tiles held out in turn" if real else "synthetic crops held out",
            "held_out": figures,
            "steps": (self._best_steps or self.config.steps) if self.finetunes else self.config.pretrain_steps,
            "versions": versions(),
        }
        with replacing(self.picture) as temporary:
            temporary.write_bytes(render(learning_figure(*self._curves()), "png"))
        digest = save_detector(self.out, self.networks.trained(last), settings, provenance)
        return {"held_out": figures, "threshold": settings.threshold, "sha256": digest}

    @property
    def picture(self) -> Path:
        """Of how the losses fell, and what checks said, beside the checkpoint."""
        return self.out.with_suffix(".learning.png")

    def _curves(self) -> tuple[dict[str, Path], dict[str, Path]]:
        """Tables of losses and of checks, by network."""
        tuned = [*(_without(fold) for fold in self.folds), "final"] if self.finetunes else []
        itself = [self._last(name) for name in tuned] if self.unlabelled else []
        names = [*(["pretrain"] if self.pretrains else []), *tuned, *itself]
        judged = [_without(fold) for fold in self.folds if self.finetunes and self._judge(fold)]
        return {name: self.networks.losses(name) for name in names}, {
            name: self.networks.checks(name) for name in judged
        }

    def _scored_folds(self) -> dict[str, list[ScoredTile]]:
        tolerance = Tolerance.parse(self.config.tolerance)
        return {
            fold: Scored(tiles, found_in(tiles, self._found(fold), self.networks.settings), tolerance).scored
            for fold, tiles in self.folds.items()
        }

    def _scored_synthetic(self, name: str) -> list[ScoredTile]:
        return score_synthetic(self._detector(name), self.config.seed, Tolerance.parse(self.config.tolerance))

    def _detector(self, name: str) -> Detector:
        return load_detector(self.networks.checkpoint(name), choose_device(self.config.device))

    def _found(self, fold: str) -> Path:
        return self.work / f"{_without(fold)}.parquet"


def _without(fold: str) -> str:
    """The network that did not learn from a fold."""
    return f"without-{fold}"


def _figures(tiles: list[ScoredTile], threshold: float) -> dict[str, float]:
    one = curve(tiles)
    return {"ap": one.average_precision, **one.at(threshold), "f1_best_possible": float(one.f1.max(initial=0.0))}
