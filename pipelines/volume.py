"""The volume a command works on: an OME-Zarr in place, or any other source converted first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines import ingest
from pipelines.config import make
from pipelines.stage import Stage
from volumetric.errors import InputError
from volumetric.storage.omezarr import Volume, is_ome_zarr, open_ome_zarr
from volumetric.storage.sources import Source, open_source


@dataclass(frozen=True)
class Opened:
    """A volume that exists, or will when `stages` have run."""

    volume: Volume
    stages: tuple[Stage, ...]


def open_or_convert(
    path: Path,
    work: Path,
    *,
    voxel_um: tuple[float, float, float] | None = None,
    orientation: str | None = None,
    **others: object,
) -> Opened:
    """The OME-Zarr at `path`, or the conversion of what is there to `work/volume.ome.zarr`."""
    if path.is_dir() and is_ome_zarr(path):
        return Opened(in_place(path, voxel_um, orientation), ())
    return convert(open_source(path), work / "volume.ome.zarr", work / "ingest", voxel_um, orientation, **others)


def in_place(path: Path, voxel_um: tuple[float, float, float] | None, orientation: str | None) -> Volume:
    """An OME-Zarr as it is; raises `InputError` where the flags contradict its metadata."""
    volume = open_ome_zarr(path)
    if voxel_um is not None and not _alike(voxel_um, volume.space.spacing_um):
        raise InputError(
            f"{path} says its voxels are {volume.space.spacing_um} um but --voxel-um says {tuple(voxel_um)}: "
            "leave the flag out, or mend the metadata"
        )
    if orientation is None:
        return volume
    if volume.orientation not in {None, orientation.lower()}:
        raise InputError(f"{path} says its orientation is {volume.orientation} but --orientation says {orientation}")
    return Volume(**{**vars(volume), "orientation": orientation.lower()})


def convert(
    source: Source,
    out: Path,
    work: Path,
    voxel_um: tuple[float, float, float] | None = None,
    orientation: str | None = None,
    **others: object,
) -> Opened:
    """The volume that the ingest of a source will make, with the stage that makes it."""
    if voxel_um is None:
        raise InputError(
            "the voxel size is missing: give --voxel-um Z Y X in um, for example --voxel-um 5 0.7 0.7 for slices "
            "5 um apart with pixels of 0.7 um"
        )
    config = make(ingest.Config, voxel_um=voxel_um, orientation=orientation, **others)
    volume, _ = ingest.target(source, out, config)
    return Opened(volume, (Stage(ingest.plan(source, out, config), work),))


def _alike(a: tuple[float, float, float], b: tuple[float, float, float]) -> bool:
    return all(abs(x - y) <= 0.01 * y for x, y in zip(a, b, strict=True))
