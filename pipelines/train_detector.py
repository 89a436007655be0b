"""Train the cell detector on synthetic crops and write its checkpoint.

Inputs: none but a seed; the crops are made by `volumetric.phantom.crops` (uint16, 5 x 2 x 2 um).
Outputs: a checkpoint of a few hundred kB with its thresholds, training provenance and measured figures.
Capacity: 320 crops of 14 x 256 x 256 voxels take about 1.5 GB of memory.

    python -m pipelines.train_detector --out centernet.safetensors --steps 6000 --seed 1
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import nn

from volumetric.detection.centernet import CenterNet
from volumetric.detection.infer import detect_block
from volumetric.detection.losses import TargetBatch, centernet_loss
from volumetric.detection.model import DetectorSettings, load_detector, save_detector
from volumetric.detection.samples import TrainingCrop, sample_batch, training_crop
from volumetric.geometry.box import Box, Index3
from volumetric.geometry.space import VoxelSpace
from volumetric.imaging.intensity import ContrastField, fit_contrast
from volumetric.imaging.pooling import mean_pool
from volumetric.learn.device import choose_device
from volumetric.learn.loop import TrainSettings, train
from volumetric.phantom.atlas import procedural_atlas
from volumetric.phantom.brain import Phantom, PhantomSettings
from volumetric.phantom.crops import full_scale_crop, random_crop
from volumetric.points.linking import LinkSettings, link_peaks
from volumetric.points.matching import match_points
from volumetric.storage.provenance import versions

FACTORS: Index3 = (2, 8, 8)
VOXEL_UM = (5.0, 2.0, 2.0)
LOWEST_SCORE = 0.05
"""Peaks below are never looked at when thresholds are chosen."""

FAINTEST = 5.0
"""Noise levels; fainter cells are neither asked for nor looked for."""

LONGEST = 6
"""Slices of the longest cell: 4, and one on either side that its light reaches."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a training run does; written into the checkpoint."""

    steps: int = 6000
    seed: int = 1
    crops: int = 320
    validation_crops: int = 32
    crop_shape: Index3 = (14, 256, 256)
    batch: int = 16
    window_px: int = 160
    learning_rate: float = 2e-3
    tolerance_um: float = 10.0


Volume = tuple[npt.NDArray[np.uint16], pd.DataFrame]


def fit(image: npt.NDArray[Any], dark: float | None = None) -> ContrastField:
    """Contrast of a volume in memory."""
    coarse = mean_pool(image.astype(np.float32), FACTORS)
    return fit_contrast(coarse, FACTORS, _shape(image), lambda box: image[box.slices], dark)


def make_crop(seed: int, index: int, shape: Index3) -> Volume:
    """Synthetic crop number `index` of a seed: image and cells."""
    return random_crop(np.random.default_rng([seed, index]), shape, VOXEL_UM)


def make_slab(seed: int, first: int = 150, stop: int = 174) -> Volume:
    """Some slices of a synthetic brain: image and cells, all of which can be seen."""
    brain = Phantom.build(procedural_atlas(), PhantomSettings(seed=seed))
    z = brain.cells["z_vox"]
    inside = (z >= first) & (z <= stop - 1)
    near = brain.cells[(z > first - 4) & (z < stop + 3)]
    return brain.render(first, stop)["signal"], near.assign(z_vox=near["z_vox"] - first, inside=inside, snr=np.inf)


def prepare(seed: int, index: int, shape: Index3) -> TrainingCrop:
    """A training crop; the dark level is known, unknown or half known, as it is in use."""
    image, cells = make_crop(seed, index, shape)
    rng = np.random.default_rng([seed, index, 1])
    dark = float(rng.choice([0.0, rng.uniform(0, 0.9)]) * np.quantile(image, 0.001))
    contrast = fit(image, dark).normalise(image, Box.of_shape(image.shape))
    return training_crop(contrast, cells)


def run(config: Config, out: Path, device: torch.device) -> dict[str, Any]:
    """Train, choose thresholds on held-out crops, write the checkpoint; returns the measured figures."""
    torch.manual_seed(config.seed)
    started = time.monotonic()
    crops = [prepare(config.seed, i, config.crop_shape) for i in range(config.crops)]
    print(f"{len(crops)} crops, {sum(len(c.shown) for c in crops)} cross-sections, {time.monotonic() - started:.0f} s")
    settings = DetectorSettings(peak_threshold=LOWEST_SCORE)
    network = CenterNet(settings.channels, settings.stride).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    losses: list[float] = []

    def batch(step: int) -> tuple[torch.Tensor, TargetBatch]:
        rng = np.random.default_rng([config.seed, config.crops, step])
        images, targets = sample_batch(crops, rng, config.batch, config.window_px, settings.stride)
        moved = TargetBatch(**{name: value.to(device) for name, value in vars(targets).items()})
        return images.to(device, memory_format=torch.channels_last), moved

    def loss(module: nn.Module, data: tuple[torch.Tensor, TargetBatch]) -> torch.Tensor:
        # bfloat16 halves the time and costs nothing measurable; weights and losses stay in float32.
        with torch.autocast(device.type, dtype=torch.bfloat16):
            output = module(data[0])
        return centernet_loss(output.float(), data[1])

    def report(step: int, value: float) -> None:
        losses.append(value)
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}: loss {np.mean(losses[-100:]):.3f}, {time.monotonic() - started:.0f} s", flush=True)

    out.parent.mkdir(parents=True, exist_ok=True)
    state = out.with_suffix(".training")
    schedule = TrainSettings(steps=config.steps, learning_rate=config.learning_rate)
    train(network, batch, loss, schedule, state=state, report=report)
    save_detector(out, network, settings, {})
    settings, metrics = choose_thresholds(out, settings, config)
    provenance = {"config": asdict(config), "versions": versions(), "validation": metrics}
    save_detector(out, network, settings, provenance)
    state.unlink()
    return metrics


Validation = list[tuple[pd.DataFrame, pd.DataFrame]]
"""Peaks and true cells of held-out volumes."""


def choose_thresholds(
    path: Path, settings: DetectorSettings, config: Config
) -> tuple[DetectorSettings, dict[str, Any]]:
    """The best settings on held-out volumes, and what they reach there.

    Three kinds count alike: random crops, harder than any one microscope; crops at full scale; and some slices of a
    synthetic brain of another seed than `volumetric demo` uses. First how peaks are linked is chosen, then which cells
    are kept.
    """
    seed, n = config.seed + 1_000_003, config.validation_crops
    volumes = {
        "random_crops": [make_crop(seed, i, config.crop_shape) for i in range(n)],
        "fair_crops": [full_scale_crop(seed + i, (24, 384, 384)) for i in range(n // 8)],
        "brain": [make_slab(seed)],
    }
    held_out = {k: [(find_peaks(image, path), cells) for image, cells in v] for k, v in volumes.items()}

    def reached(choice: DetectorSettings) -> dict[str, dict[str, float]]:
        return {kind: scores(pairs, choice, config.tolerance_um) for kind, pairs in held_out.items()}

    def quality(choice: DetectorSettings) -> float:
        # A biased count is worse than as many balanced errors: counts are what the detector is for.
        results = reached(choice).values()
        return sum(r["f1"] - 0.5 * abs(r["cells_found"] / max(r["cells_true"], 1) - 1) for r in results)

    ways = itertools.product((0.1, 0.2, 0.3), (0.03, 0.06, 0.1, 0.2), (2.0, 2.5, 3.5))
    settings = max((_linked(settings, threshold, dip, reach) for threshold, dip, reach in ways), key=quality)
    rules = itertools.product((0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55), (0.0, 0.1, 0.2, 0.3))
    settings = max((_kept(settings, score, score + more) for score, more in rules), key=quality)
    return settings, reached(settings)


def _linked(settings: DetectorSettings, threshold: float, dip: float, reach: float) -> DetectorSettings:
    link = LinkSettings(min_dip=dip, reach_px=reach, max_slices=LONGEST, min_contrast=FAINTEST)
    return replace(settings, peak_threshold=threshold, linking=link)


def _kept(settings: DetectorSettings, score: float, single: float) -> DetectorSettings:
    return replace(settings, linking=replace(settings.linking, min_score=score, min_score_single=round(single, 2)))


def find_peaks(image: npt.NDArray[Any], path: Path) -> pd.DataFrame:
    """All peaks of a volume in memory, with the detector of a checkpoint."""
    whole = Box.of_shape(image.shape)
    return detect_block(image, whole, whole, shape=whole.shape, field=fit(image), detector=load_detector(path))


def scores(held_out: Validation, settings: DetectorSettings, tolerance_um: float) -> dict[str, float]:
    """Pooled precision, recall and F1 of cells, matched one-to-one in 3-D.

    True cells that are fainter than `FAINTEST` or centred beyond the border are not asked for, and finding one is
    no mistake.
    """
    n_pairs = n_truth = n_found = 0
    for peaks, true in held_out:
        cells = link_peaks(peaks[peaks["score"] >= settings.peak_threshold], settings.linking)
        asked = (true["inside"] & (true["snr"] >= FAINTEST)).to_numpy()
        pairs = match_points(_um(true), _um(cells), tolerance_um)
        counted = int(asked[pairs[:, 0]].sum())
        n_pairs += counted
        n_truth += int(asked.sum())
        n_found += len(cells) - (len(pairs) - counted)
    return {
        "precision": n_pairs / max(n_found, 1),
        "recall": n_pairs / max(n_truth, 1),
        "f1": 2 * n_pairs / max(n_truth + n_found, 1),
        "cells_true": n_truth,
        "cells_found": n_found,
        "tolerance_um": tolerance_um,
    }


def _um(cells: pd.DataFrame) -> npt.NDArray[np.float64]:
    return VoxelSpace(VOXEL_UM).to_um(cells[["z_vox", "y_vox", "x_vox"]].to_numpy(dtype=np.float64))


def _shape(image: npt.NDArray[Any]) -> Index3:
    return Box.of_shape(image.shape).shape


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description="Train the cell detector on synthetic crops.")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write (.safetensors)")
    parser.add_argument("--steps", type=int, default=Config.steps)
    parser.add_argument("--seed", type=int, default=Config.seed)
    parser.add_argument("--crops", type=int, default=Config.crops)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    given = parser.parse_args()
    config = Config(steps=given.steps, seed=given.seed, crops=given.crops)
    print(run(config, given.out, choose_device(given.device)))


if __name__ == "__main__":
    main()
