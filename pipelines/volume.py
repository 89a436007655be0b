"""The volume a command works on: Zarr in place, or any other source converted first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pipelines import ingest, overview
from pipelines.config import Resources, make
from pipelines.preview import early_doubts
from pipelines.stage import Stage
from volumetric.errors import InputError
from volumetric.geometry.orientation import check_orientation
from volumetric.geometry.space import Um3
from volumetric.storage.ngff import is_zarr
from volumetric.storage.omezarr import look_at_zarr, with_voxel
from volumetric.storage.sources import Source, open_source
from volumetric.storage.sources.channel_pattern import refuse_pattern
from volumetric.storage.sources.zarr_array import ZarrSource, checked
from volumetric.storage.volume import Volume


@dataclass(frozen=True)
class Opened:
    """A volume that exists, or will when `stages` have run, and what the user should know about it."""

    volume: Volume
    stages: tuple[Stage, ...]
    warnings: tuple[str, ...] = ()


def open_or_convert(
    path: Path,
    work: Path,
    resources: Resources,
    *,
    voxel_um: Um3 | None = None,
    orientation: str | None = None,
    axes: str | None = None,
    channel_pattern: str | None = None,
    **others: object,
) -> Opened:
    """The Zarr at `path`, or the conversion of what is there to `work/volume.ome.zarr`."""
    if is_zarr(path):
        refuse_pattern(path, channel_pattern)
        volume = in_place(path, voxel_um, orientation, axes)
        return Opened(overview.completed(volume, work), overview.stages(volume, work, resources), volume.doubts)
    images = open_source(path, axes, channel_pattern)
    out, ledger = work / "volume.ome.zarr", work / "ingest"
    return converted(images, out, ledger, resources, orientation, voxel_um=voxel_um, **others)


def converted(
    source: Source,
    out: Path,
    work: Path,
    resources: Resources,
    orientation: str | None,
    *,
    voxel_um: Um3 | None = None,
    **others: object,
) -> Opened:
    """The volume of a run. Its orientation is the run's: another one does not convert the images again."""
    opened = convert(source, out, work, resources, voxel_um=voxel_um, **others)
    known = check_orientation(orientation) if orientation else None
    return replace(opened, volume=replace(opened.volume, orientation=known))


def in_place(path: Path, voxel_um: Um3 | None, orientation: str | None, axes: str | None = None) -> Volume:
    """A Zarr image as it is, with what is doubtful of it among its doubts.

    Raises `InputError` where its voxel size is neither stated nor given, it cannot be read, or the orientation
    contradicts its metadata.
    """
    seen = ZarrSource(checked(look_at_zarr(path, axes)))
    volume = replace(with_voxel(seen.volume, voxel_um), doubts=early_doubts(seen, voxel_um))
    if orientation is None:
        return volume
    if volume.orientation not in {None, orientation.lower()}:
        raise InputError(f"{path} says its orientation is {volume.orientation} but --orientation says {orientation}")
    return replace(volume, orientation=orientation.lower())


def convert(
    source: Source,
    out: Path,
    work: Path,
    resources: Resources,
    *,
    voxel_um: Um3 | None = None,
    **others: object,
) -> Opened:
    """The volume that the ingest of a source will make, with the stage that makes it."""
    size, _ = voxel_size(source, voxel_um)
    config = make(ingest.Config, voxel_um=size, **others)
    volume, _ = ingest.target(source, out, config)
    stage = Stage(ingest.plan(source, out, work, config, resources), work)
    return Opened(volume, (stage,), early_doubts(source, voxel_um))


def voxel_size(source: Source, voxel_um: Um3 | None) -> tuple[Um3, tuple[str, ...]]:
    """The voxel size: the flag's, which wins, else the file's own. A conflict of the two is said.

    Raises `InputError` where neither states it.
    """
    return source.voxel.settle(voxel_um)
