"""Train a generator: from images without labels to a checkpoint that makes tiles whose cells are known.

Inputs: folders of tiles (`volumetric.detection.tileset`); cells in them are not read.
Outputs: the checkpoint, FILE.learning.png (distance and penalty over the steps), FILE.samples/ (made beside real
planes, as it learns).

    learn     generator against critic (Wasserstein GAN with gradient penalty)
    publish   the checkpoint and the picture

Capacity: all planes as float32 in memory, beside them the history of made ones. A killed training goes on at its last
500th step.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pipelines.layouts import Named
from pipelines.planes import read_planes
from pipelines.train_generator.config import Config
from pipelines.train_generator.job import Job
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import InputError
from volumetric.storage.provenance import files_identity, folder_identity

VERSION = 1

FEATURE_BYTES = 80
"""Of a pixel and channel of the finest level in a step, all layers and gradients: an upper estimate."""


def plan(job: Job) -> Plan:
    """The work of a training."""
    config = job.config
    pixels = config.batch * config.px**2
    memory = FEATURE_BYTES * pixels * (config.channels[0] + config.critic_channels[0])
    step = Cost(0, 2**24, memory + 2 * config.history * config.px**2)
    return Plan(
        stage="train-generator",
        version=VERSION,
        config=config.model_dump(mode="json", exclude={"device", "show_every"}),
        inputs={
            "tiles": [folder_identity(folder) for folder in job.folders],
            "layout": job.layout.name if job.layout else "discs",
            "layout_file": files_identity([job.layout.path] if job.layout and job.layout.path else []),
        },
        passes=(Reduction("learn", job.learn, step), Reduction("publish", job.publish, Cost(0, 2**24, 2**28))),
        outputs=(job.out, job.picture, job.samples),
        held_bytes=4 * sum(plane.image.size for plane in job.planes),
    )


def prepare(folders: Sequence[Path], out: Path, work: Path, config: Config, *, layout: Named | None = None) -> Job:
    """Read the tiles; raises `InputError` for those that cannot be used.

    Args:
        folders: of tiles.
        out: the checkpoint.
        work: for its ledger and state.
        config: settings.
        layout: sampler of the layouts that it learns with, in place of discs.
    """
    if out.suffix != ".safetensors":
        raise InputError(f"a checkpoint is a .safetensors file, got {out}")
    planes = [plane for folder in folders for plane in read_planes(folder, config.recipe.scale, config.every)]
    return Job(tuple(planes), config, out, work, tuple(folders), layout)


def print_estimate(job: Job, console: Console) -> None:
    """Say what the training will take, from a few steps on this machine."""
    config = job.config
    hours = job.seconds_a_step() * config.steps / 3600
    console.print(
        f"{config.steps:,} steps of {config.batch} planes of {config.px} px, {config.critic_steps} turns of the critic "
        f"each, from {len(job.planes):,} real planes: about "
        + (
            f"{hours:.1f} hours"
            if hours > 1
            else f"{60 * hours:.1f} minutes"
            if hours < 1 / 6
            else f"{60 * hours:.0f} minutes"
        )
        + " on this machine",
        highlight=False,
        soft_wrap=True,
    )


def print_summary(job: Job, ledger: Ledger, console: Console) -> None:
    """Say how the training ended and where to look."""
    facts = ledger.facts()["learn"]
    console.print(
        f"[bold]{job.out}[/]: in the last tenth of the steps the distance was {facts['distance']:.3g}, the gradient "
        f"penalty {facts['penalty']:.3g}",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"look at {job.samples} and {job.picture}", highlight=False, soft_wrap=True)
