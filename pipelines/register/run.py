"""Register: a brain onto an atlas.

Inputs: one channel of a `Volume` (a level about as fine as the atlas is read), an atlas; a mask of damaged tissue and
landmarks where the user has them. Output folder:

    sample_to_atlas.zarr, atlas_to_sample.zarr   smooth maps in um
    ants/                                        ANTs' own transform files
    labels.ome.zarr                              region ids in the sample's own axes, at the atlas' resolution
    imaged.ome.zarr                              where the image shows the brain, on the same grid
    excluded.ome.zarr                            the damaged tissue on the same grid, where there is any
    quality.json, overlay.png                    whether to believe it

Capacity: both images at the atlas' resolution in memory (50 um: a mouse brain has 10 Mvoxel), ANTs in a child process.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from rich.console import Console

from pipelines.config import Settings
from pipelines.register.inputs import read_exclusion, read_landmarks
from pipelines.register.job import Job
from pipelines.verdict import print_notes, print_verdict
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.loader import load_atlas
from volumetric.atlas.registered import ATLAS_TO_SAMPLE, LABELS, QUALITY, SAMPLE_TO_ATLAS, read_quality
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import InputError
from volumetric.findings import Verdict
from volumetric.geometry.voxel_size import check_voxel_size
from volumetric.registration import preflight
from volumetric.registration.ants import RECIPES
from volumetric.registration.imaged import Part
from volumetric.registration.register import FINEST
from volumetric.storage.provenance import files_identity
from volumetric.storage.volume import Volume

VERSION = 5
ANTS_BYTES = 400 * 2**20
ANTS_BYTES_PER_VOXEL = 410
"""Peak memory of the child process: its libraries, and a voxel it works on (measured with 0.16 and 1.2 Mvoxel)."""

ATLAS_BYTES_PER_VOXEL = 150
"""Of this process meanwhile, both images and both maps: an upper estimate from their types, not measured."""

REFINED_BYTES_PER_VOXEL = 260
"""Of this process while the result is refined, after ANTs has ended (measured with 9.6 Mvoxel: 3.1 GB in all)."""

Preset = Literal["fast", "standard", "accurate"]


class Config(Settings):
    """What changes the registration, and how its checks are taken.

    Args:
        imaged: which part of the brain the image shows; found where it is not given.
        exclude_mask: an image of the volume's extent, not 0 where tissue is damaged.
        landmarks: a CSV of places in sample and atlas, by which the maps are corrected.
        trust_orientation: go on where another orientation fits clearly better.
        keep_poor: go on where the result's quality is beyond use.
    """

    atlas: str
    channel: str | None = None
    preset: Preset = "standard"
    imaged: Part | None = None
    exclude_mask: Path | None = None
    landmarks: Path | None = None
    trust_orientation: bool = False
    keep_poor: bool = False


def open_atlas(config: Config, atlas_dir: Path | None) -> Atlas:
    """The atlas of a configuration: a folder or a name."""
    return load_atlas(config.atlas, atlas_dir)


def plan(volume: Volume, atlas: Atlas, out: Path, work: Path, config: Config) -> Plan:
    """The work of registering a volume to an atlas; raises `InputError` for a mask or landmarks that do not fit."""
    channel = volume.channel_index(config.channel)
    content = {"channel": volume.channels[channel], "preset": config.preset, "orientation": volume.orientation}
    content["imaged"] = config.imaged
    inputs = {"volume": volume.fingerprint(), "atlas": atlas.identity}
    if volume.orientation is None:
        raise InputError(
            "the orientation is missing: give --orientation with three letters, the side of the animal on which the "
            "slices, rows and columns start, for example psl (posterior, superior, left)"
        )
    check_voxel_size(volume.space.spacing_um)
    preflight.refuse_frame(volume.space.extent_um(volume.shape), atlas.space.extent_um(atlas.shape))
    exclusion = landmarks = None
    if config.exclude_mask is not None:
        exclusion, inputs["exclude_mask"] = read_exclusion(config.exclude_mask, volume)
    if config.landmarks is not None:
        landmarks = read_landmarks(config.landmarks, volume, atlas)
        inputs["landmarks"] = files_identity([config.landmarks])
    outputs = (out / QUALITY, out / LABELS, out / SAMPLE_TO_ATLAS, out / ATLAS_TO_SAMPLE)
    job = Job(
        volume=volume,
        channel=channel,
        atlas=atlas,
        atlas_given=config.atlas,
        preset=config.preset,
        orientation=volume.orientation,
        declared=config.imaged,
        exclusion=exclusion,
        landmarks=landmarks,
        trust_orientation=config.trust_orientation,
        keep_poor=config.keep_poor,
        out=out,
        work=work,
        identity=Plan("register", VERSION, content, inputs, (), outputs).identity,
    )
    steps = {"check": job.check, "transform": job.transform, "labels": job.labels, "quality": job.judge}
    cost = costs(int(np.prod(volume.levels[job.level].shape)), atlas.annotation.size, config.preset)
    passes = tuple(Reduction(name, step, cost[name]) for name, step in steps.items())
    return Plan("register", VERSION, content, inputs, passes, outputs)


def costs(sample_voxels: int, atlas_voxels: int, preset: Preset) -> Mapping[str, Cost]:
    """What each step costs, for a brain's level of so many voxels and an atlas."""
    raw, voxels = 4 * sample_voxels, atlas_voxels
    held = 12 * raw
    ants = ANTS_BYTES + ANTS_BYTES_PER_VOXEL * int(min(voxels, RECIPES[preset].largest))
    aligned = max(ATLAS_BYTES_PER_VOXEL * voxels + ants, REFINED_BYTES_PER_VOXEL * int(min(voxels, FINEST)))
    return {
        "check": Cost(raw // 2, 0, held + 10 * voxels),
        "transform": Cost(raw // 2, 60 * voxels, held + aligned),
        "labels": Cost(0, 4 * voxels, 100 * voxels),
        "quality": Cost(raw // 2, 2**20, held + 100 * voxels),
    }


def print_summary(out: Path, console: Console) -> None:
    """Say whether to believe the registration, how good it is and where its picture lies."""
    found = read_quality(out)
    verdict = Verdict.from_json(found["findings"])
    print_verdict(verdict, console)
    console.print(
        f"correlation with the template {_figure(found['ncc_in_mask'], '.2f')}, "
        f"overlap of the tissue {_figure(found['mask_dice'], '.2f')}, "
        f"inverse consistency {_figure(found['inverse_consistency_um'], '.1f')} um, "
        f"folding {_figure(found['folding_fraction'], '.2%')}",
        highlight=False,
        soft_wrap=True,
    )
    print_notes(verdict, console)
    if found["excluded_share"]:
        console.print(f"excluded: {found['excluded_share']:.1%} of the tissue", highlight=False)
    if found["landmarks"]:
        errors = found["landmarks"]
        console.print(
            f"{errors['n']} landmarks: off by {errors['before_um']:.0f} um (median) before the correction, "
            f"{errors['after_um']:.0f} um after it; {errors['left_out_um']:.0f} um where only the others correct",
            highlight=False,
        )
    if found["orientation_checked"] and not found["left_right_checked"]:
        console.print("this atlas is symmetric: no check can tell left from right", highlight=False)
    console.print(f"look at {out / 'overlay.png'} before you believe it", highlight=False, soft_wrap=True)


def _figure(value: float | None, form: str) -> str:
    """A figure in print; null where there was nothing to measure."""
    return "unknown" if value is None else format(value, form)
