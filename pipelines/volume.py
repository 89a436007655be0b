"""The volume a command works on: Zarr in place, or any other source converted first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pipelines import ingest, overview
from pipelines.config import Resources, make
from pipelines.stage import Stage
from volumetric.errors import InputError
from volumetric.geometry.orientation import check_orientation
from volumetric.geometry.space import Um3
from volumetric.storage.integrity import refuse_incomplete
from volumetric.storage.omezarr import is_zarr, open_zarr
from volumetric.storage.sources import Source, open_source
from volumetric.storage.volume import Volume

ALIKE = 0.01
"""Largest relative difference of two voxel sizes that mean the same."""


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
    **others: object,
) -> Opened:
    """The Zarr at `path`, or the conversion of what is there to `work/volume.ome.zarr`."""
    if is_zarr(path):
        volume = in_place(path, voxel_um, orientation)
        return Opened(overview.completed(volume, work), overview.stages(volume, work, resources))
    out, ledger = work / "volume.ome.zarr", work / "ingest"
    return converted(open_source(path), out, ledger, resources, orientation, voxel_um=voxel_um, **others)


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


def in_place(path: Path, voxel_um: Um3 | None, orientation: str | None) -> Volume:
    """A Zarr image as it is; raises `InputError` where the flags contradict its metadata or files are missing."""
    volume = open_zarr(path, voxel_um)
    refuse_incomplete(volume)
    if voxel_um is not None and not _alike(voxel_um, volume.space.spacing_um):
        raise InputError(
            f"{path} says its voxels are {volume.space.spacing_um} um but --voxel-um says {tuple(voxel_um)}: "
            "leave the flag out, or mend the metadata"
        )
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
    size, warnings = voxel_size(source, voxel_um)
    config = make(ingest.Config, voxel_um=size, **others)
    volume, _ = ingest.target(source, out, config)
    return Opened(volume, (Stage(ingest.plan(source, out, work, config, resources), work),), warnings)


def voxel_size(source: Source, voxel_um: Um3 | None) -> tuple[Um3, tuple[str, ...]]:
    """The voxel size: the flag's, which wins, else the file's own. A conflict of the two is said.

    Raises `InputError` where neither states it.
    """
    stated = source.spacing_um
    if voxel_um is None:
        if stated is None:
            raise InputError(
                "the voxel size is missing: give --voxel-um Z Y X in um, for example --voxel-um 5 0.7 0.7 for slices "
                "5 um apart with pixels of 0.7 um"
            )
        return stated, ()
    if stated is not None and not _alike(voxel_um, stated):
        return voxel_um, (
            f"--voxel-um says {_times(voxel_um)} um but the images' own metadata say {_times(stated)} um: "
            "the flag is used. Check which is right before you believe any count",
        )
    return voxel_um, ()


def _alike(a: Um3, b: Um3) -> bool:
    return all(abs(x - y) <= ALIKE * y for x, y in zip(a, b, strict=True))


def _times(values: Um3) -> str:
    return " x ".join(f"{value:.4g}" for value in values)
