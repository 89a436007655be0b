"""Train a detector: from tiles with known cells, and synthetic crops, to a checkpoint.

Inputs: folders of tiles (`volumetric.detection.tileset`), or none; folders of unlabelled ones, if any; synthetic crops
are made from the seed.
Output: one checkpoint with its threshold, calibration, provenance and what it reached on what it had not seen.

    pretrain       synthetic crops alone
    without-BRAIN  one for each brain (of one brain: parts of its tiles): fine-tuned on the others, its own tiles scored
    final          fine-tuned on all tiles
    publish        the threshold and probabilities that held for what was left out; the checkpoint, a picture of losses
                   and checks

With unlabelled tiles each network that learned from tiles then teaches itself (`volumetric.detection.self_training`).
With `patience` a brain left out ends the training that leaves it out, and the median of these is where `final` ends.

Capacity: all tiles and synthetic crops as float32 in memory. A killed training goes on at its last 500th step.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.scored import with_cells
from pipelines.train_detector.board import require_tensorboard
from pipelines.train_detector.config import Config
from pipelines.train_detector.job import Job
from pipelines.train_detector.material import CROP_SHAPE
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.detection.evaluate import Tolerance
from volumetric.detection.tileset import read_tiles, read_unlabelled
from volumetric.errors import InputError
from volumetric.geometry.space import Um3
from volumetric.storage.provenance import folder_identity

VERSION = 2

BYTES_PER_WINDOW_PIXEL = 4000
"""Of a training step, all feature maps and their gradients: an upper estimate from the layers, not measured."""


def plan(
    folders: Sequence[Path],
    out: Path,
    work: Path,
    config: Config,
    *,
    voxel_um: Um3 | None = None,
    truth: Path | None = None,
    unlabelled: Sequence[Path] = (),
    tensorboard: Path | None = None,
) -> Plan:
    """The work of a training; raises `InputError` for tiles that cannot be used.

    Args:
        folders: of tiles with known cells.
        out: the checkpoint.
        work: for its ledger and networks.
        config: settings.
        voxel_um: of tiles that do not say it.
        truth: folder with the cells or heatmaps of the tiles, if not beside them.
        unlabelled: folders of tiles without.
        tensorboard: folder for losses and checks as TensorBoard shows them.
    """
    if tensorboard is not None:
        require_tensorboard()
    if out.suffix != ".safetensors":
        raise InputError(f"a checkpoint is a .safetensors file, got {out}")
    tiles = tuple(with_cells(tile) for folder in folders for tile in read_tiles(folder, voxel_um, truth))
    images = tuple(tile for folder in unlabelled for tile in read_unlabelled(folder, voxel_um))
    job = Job(tiles, config, out, work, images, tensorboard)
    if not (job.pretrains or job.finetunes):
        raise InputError("there is nothing to learn from: give folders of tiles, or --synthetic, and steps to go")
    if images and not job.finetunes:
        raise InputError("unlabelled tiles help beside tiles with known cells: give folders of these too, and steps")
    if not (job.folds or config.synthetic):
        raise InputError("one tile cannot be learned from and tell the threshold: give several, or --synthetic")
    if len({tile.name for tile in tiles}) < len(tiles):
        raise InputError("two tiles have the same name: names tell them apart in all tables")
    Tolerance.parse(config.tolerance)
    memory = BYTES_PER_WINDOW_PIXEL * config.batch * config.window_px**2
    step = Cost(0, 2**24, memory)
    passes = []
    if job.pretrains:
        passes.append(Reduction("pretrain", job.pretrain, step))
    if job.finetunes:
        passes += [Reduction(f"without {fold}", partial(job.without, fold), step) for fold in job.folds]
        passes.append(Reduction("final", job.final, step))
    passes.append(Reduction("publish", job.publish, step))
    voxels = (
        sum(tile.image.size for tile in (*tiles, *images))
        + config.synthetic * CROP_SHAPE[0] * CROP_SHAPE[1] * CROP_SHAPE[2]
    )
    return Plan(
        stage="train",
        version=VERSION,
        config=config.model_dump(mode="json", exclude={"device"}),
        inputs={
            "tiles": [folder_identity(path) for path in (*folders, truth) if path],
            "unlabelled": [folder_identity(folder) for folder in unlabelled],
            "voxel_um": voxel_um,
        },
        passes=tuple(passes),
        outputs=(out, job.picture),
        held_bytes=8 * voxels,
    )


def print_summary(out: Path, ledger: Ledger, console: Console) -> None:
    """Say what the detector reached on what it had not seen."""
    facts = ledger.facts()["publish"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("held out", "precision", "recall", "F1", "AP"):
        table.add_column(column, justify="left" if column == "held out" else "right")
    for brain, figures in facts["held_out"].items():
        table.add_row(brain, *(f"{figures[name]:.3f}" for name in ("precision", "recall", "f1", "ap")))
    console.print(table)
    console.print(f"[bold]{out}[/]: threshold {facts['threshold']:.3f}", highlight=False, soft_wrap=True)
