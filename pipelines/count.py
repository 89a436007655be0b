"""Count: the main job. Slices in; cells, region tables and a report out.

    ingest -> register -> detect (peaks, link) -> assign (regions, tables) -> report

Inputs: any source, or OME-Zarr volumes in place. Output: a run folder (`workspace.RunFolder`). Cells come from the
signal channel, the transform from the channel registered on. Every stage has its own ledger below `RUN/.work`.
"""

from __future__ import annotations

import itertools
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines import assign, detect, overview, register
from pipelines.config import Resources, Settings, make
from pipelines.report import write_report
from pipelines.stage import Stage
from pipelines.verdict import print_notes, print_verdict
from pipelines.volume import converted, in_place
from pipelines.workspace import RunFolder
from volumetric.atlas.atlas import Atlas
from volumetric.errors import InputError
from volumetric.findings import Finding, Grade, Verdict
from volumetric.registration.imaged import Part
from volumetric.storage.atomic import read_json, write_json
from volumetric.storage.ngff import is_zarr
from volumetric.storage.omezarr import look_at_zarr, set_orientation
from volumetric.storage.provenance import versions
from volumetric.storage.sources import Source, open_source, select_channels
from volumetric.storage.sources.channel_pattern import refuse_pattern
from volumetric.storage.sources.zarr_array import ZarrSource
from volumetric.storage.volume import Volume
from volumetric.storage.volume_record import VolumeRecord


class Config(Settings):
    """Everything that changes the result of a run."""

    atlas: str
    voxel_um: tuple[float, float, float] | None = None
    axes: str | None = None
    channel_pattern: str | None = None
    orientation: str | None = None
    signal: str | None = None
    register_on: str | None = None
    preset: register.Preset = "standard"
    imaged: Part | None = None
    exclude_mask: Path | None = None
    landmarks: Path | None = None
    trust_orientation: bool = False
    keep_poor: bool = False
    model: Path | None = None
    block: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Inputs:
    """The two images of a run, which may be one, and the conversion that makes them where one is needed."""

    signal: Volume
    signal_channel: str
    register_on: Volume
    register_channel: str
    stages: tuple[Stage, ...]
    images: Source
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """A run, prepared: what is read, and the stages in order."""

    run: RunFolder
    config: Config
    inputs: Inputs
    atlas: Atlas
    stages: tuple[Stage, ...]


def configured(**values: object) -> Config:
    """The settings of a run; raises `InputError` that names the setting, and where the atlas is missing."""
    if values.get("atlas") is None:
        raise InputError(
            "the atlas is missing: give --atlas with the name of a BrainGlobe atlas, for example allen_mouse_50um, or "
            "the path of an atlas folder"
        )
    return make(Config, **values)


def prepare(
    source: Path,
    out: Path,
    config: Config,
    resources: Resources,
    atlas_dir: Path | None = None,
    *,
    atlas: Atlas | None = None,
) -> Job:
    """Check everything the user gave and plan all stages; nothing is written.

    Args:
        source: slices, any other source, or an OME-Zarr.
        out: the run folder.
        config: what changes the result.
        resources: what may be used.
        atlas_dir: where named atlases are.
        atlas: of `config`, where it is open already.

    Raises `InputError` with the reason where the run cannot be done.
    """
    run = RunFolder(out)
    inputs = _inputs(source, run, config, resources)
    registration = register.Config(
        atlas=config.atlas,
        channel=inputs.register_channel,
        preset=config.preset,
        imaged=config.imaged,
        exclude_mask=config.exclude_mask,
        landmarks=config.landmarks,
        trust_orientation=config.trust_orientation,
        keep_poor=config.keep_poor,
    )
    atlas = atlas or register.open_atlas(registration, atlas_dir)
    detection = detect.Config(channel=inputs.signal_channel, model=config.model, block=config.block)
    plans = {
        "register": register.plan(inputs.register_on, atlas, run.registration, run.work("register"), registration),
        "detect": detect.plan(inputs.signal, run.detections, run.work("detect"), detection, resources),
    }
    identities = {name: plan.identity for name, plan in plans.items()}
    volumes = VolumeRecord.of(inputs.signal), VolumeRecord.of(inputs.register_on)
    plans["assign"] = assign.plan_ahead(
        run.detections, run.registration, atlas, run.path, identities=identities, volumes=volumes
    )
    stages = (*inputs.stages, *(Stage(plan, run.work(name)) for name, plan in plans.items()))
    return Job(run, config, inputs, atlas, stages)


def finish(job: Job, resources: Resources, console: Console) -> None:
    """Write `run.json` and the report, and say what was counted."""
    began = time.perf_counter()
    if job.run.volume.exists() and job.inputs.register_on.orientation:
        set_orientation(job.run.volume, job.inputs.register_on.orientation)
    record = _record(job, resources)
    write_json(job.run.record, record)
    write_report(job.run)
    record["stages"]["report"] = {"seconds": round(time.perf_counter() - began, 2), "tasks": 1}
    write_json(job.run.record, record)
    _print_summary(job.run, record, console)


def _inputs(source: Path, run: RunFolder, config: Config, resources: Resources) -> Inputs:
    if is_zarr(source):
        refuse_pattern(source, config.channel_pattern)
        volume = in_place(source, config.voxel_um, config.orientation, config.axes)
        signal, name = _channel_of(volume, config.signal, config)
        other, other_name = _channel_of(volume, config.register_on, config) if config.register_on else (signal, name)
        stages = {v.path: overview.stages(v, run.overviews, resources) for v in (signal, other)}
        complete = [overview.completed(v, run.overviews) for v in (signal, other)]
        ordered = tuple(itertools.chain(*stages.values()))
        return Inputs(complete[0], name, complete[1], other_name, ordered, ZarrSource(volume), volume.doubts)
    images = open_source(source, config.axes, config.channel_pattern)
    signal_name = config.signal or _only(images.channels)
    wanted = tuple(dict.fromkeys((signal_name, config.register_on or signal_name)))
    chosen = select_channels(images, wanted, config.axes)
    opened = converted(chosen, run.volume, run.work("ingest"), resources, config.orientation, voxel_um=config.voxel_um)
    names = chosen.channels
    return Inputs(opened.volume, names[0], opened.volume, names[-1], opened.stages, chosen, opened.warnings)


def _channel_of(volume: Volume, name: str | None, config: Config) -> tuple[Volume, str]:
    """A channel of an OME-Zarr, or the only channel of another one given by its path."""
    if name is None:
        return volume, _only(volume.channels)
    if name in volume.channels:
        return volume, name
    if is_zarr(Path(name)):
        stated = look_at_zarr(Path(name), config.axes).voxel.whole_um  # the flag is the source's
        other = in_place(Path(name), None if stated else config.voxel_um, config.orientation, config.axes)
        return other, _only(other.channels)
    raise InputError(
        f"there is no channel {name!r}: {volume.path} has {', '.join(volume.channels)}, and no OME-Zarr has that path"
    )


def _only(channels: tuple[str, ...]) -> str:
    if len(channels) > 1:
        raise InputError(
            f"the source has the channels {', '.join(channels)}: say with --signal which one shows the cells, "
            "and with --register-on which one the atlas is fitted to"
        )
    return channels[0]


def _record(job: Job, resources: Resources) -> dict[str, Any]:
    reports = {stage.plan.stage: stage.ledger.report() for stage in job.stages}
    counted: Mapping[str, Any] = job.stages[-1].ledger.facts()["regions"]
    signal, other = job.inputs.signal, job.inputs.register_on
    verdict = _verdict(job)
    return {
        "verdict": verdict.grade.value,
        "findings": [finding.as_json() for finding in verdict.findings],
        "warnings": list(verdict.doubts),
        "version": versions()["volumetric"],
        "command": shlex.join(["volumetric", *sys.argv[1:]]),
        "config": {**job.config.model_dump(mode="json"), "run": resources.model_dump(mode="json")},
        "inputs": {stage.plan.stage: dict(stage.plan.inputs) for stage in job.stages},
        "stages": reports,
        "cells": dict(counted),
        "too_coarse": detect.too_coarse(signal) is not None,
        "volume": {
            "path": _relative(signal.path, job.run.path),
            "signal": job.inputs.signal_channel,
            "register_path": _relative(other.path, job.run.path),
            "register_on": job.inputs.register_channel,
            "shape": list(signal.shape),
            "voxel_um": list(signal.space.spacing_um),
            "register_voxel_um": list(other.space.spacing_um),
            "axes": None if signal.path == job.run.volume else job.config.axes,
            "orientation": other.orientation,
        },
        "atlas": {
            **job.atlas.record,
            "given": job.config.atlas,
            "orientation": job.atlas.orientation,
            "resolution_um": list(job.atlas.space.spacing_um),
        },
        "versions": versions(),
    }


def _verdict(job: Job) -> Verdict:
    """Of all that was noticed of the images, the registration and the cells."""
    facts = {stage.plan.stage: stage.ledger.facts() for stage in job.stages}
    registration = read_json(job.run.registration / "quality.json")
    return Verdict.of(
        (
            *(Finding(Grade.DOUBTFUL, warning) for warning in job.inputs.warnings),
            *map(Finding.from_json, registration["findings"]),
            *detect.findings(job.inputs.signal, facts["detect"]),
            *assign.findings(facts["assign"]),
        )
    )


def _relative(path: Path, run: Path) -> str:
    """A path inside the run folder as relative to it, so that the folder can be moved; others as they are."""
    whole, folder = path.absolute(), run.absolute()
    return str(whole.relative_to(folder)) if whole.is_relative_to(folder) else str(whole)


def _print_summary(run: RunFolder, record: Mapping[str, Any], console: Console) -> None:
    cells, verdict = record["cells"], Verdict.from_json(record["findings"])
    print_verdict(verdict, console)
    style = "bold red" if verdict.grade is Grade.UNUSABLE else "bold"
    console.print(
        f"[{style}]{cells['total']:,}[/] cells, [{style}]{cells['in_atlas']:,}[/] of them in atlas regions, "
        f"[{style}]{cells['outside']:,}[/] outside",
        highlight=False,
    )
    print_notes(verdict, console)
    seconds = ", ".join(f"{name} {stage['seconds']:.0f} s" for name, stage in record["stages"].items())
    for line in (seconds, f"report: {run.report}", f"tables: {run.regions}, {run.cells}"):
        console.print(line, highlight=False, soft_wrap=True)
