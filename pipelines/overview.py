"""Overview: the coarse levels of a volume that is used in place and has none of its own.

Inputs: a `Volume` whose coarsest level is still large. Output: `overview.ome.zarr`, the levels below it, a third of
its size at most; the volume itself is only read. Capacity: that of ingest.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from pipelines import ingest
from pipelines.config import Resources
from pipelines.stage import Stage
from volumetric.blocks.ledger import stored_layout
from volumetric.blocks.plan import Plan
from volumetric.blocks.reduction import Reduction
from volumetric.storage.levels import LARGEST_TOP_LEVEL, Level, plan_levels
from volumetric.storage.omezarr import create_volume, describe_volume
from volumetric.storage.provenance import digest
from volumetric.storage.sources.zarr_array import ZarrSource
from volumetric.storage.volume import Volume

VERSION = 1
NAME = "overview.ome.zarr"


TOLERATED = 2 * LARGEST_TOP_LEVEL
"""Longest side of a coarsest level that the stages hold in memory as it is: twice what ingest would have made."""


def is_needed(volume: Volume) -> bool:
    """Whether the coarsest level is too large to be held in memory, as the stages hold it."""
    return max(volume.levels[-1].shape) > TOLERATED


def place(volume: Volume, work: Path) -> Path:
    """The folder for a volume's overview and its ledger."""
    return work / f"overview-{digest(str(volume.path.absolute()))[:8]}"


def completed(volume: Volume, work: Path) -> Volume:
    """The volume with the levels of its overview, which is there or will be."""
    if not is_needed(volume):
        return volume
    below = _described(volume, place(volume, work), _levels(volume)).levels[1:]
    return replace(volume, levels=(*volume.levels, *below))


def stages(volume: Volume, work: Path, resources: Resources) -> tuple[Stage, ...]:
    """The stage that makes the overview of a volume, where it needs one."""
    if not is_needed(volume):
        return ()
    folder, levels = place(volume, work), _levels(volume)
    finest = replace(volume, levels=volume.levels[-1:])
    described = _described(volume, folder, levels)
    target = replace(described, levels=(*finest.levels, *described.levels[1:]))
    bare = Plan("overview", VERSION, {}, {"volume": volume.fingerprint()}, (), (folder / NAME,))
    stored = stored_layout(folder, bare, "slabs-0")
    conversions = ingest.conversions(ZarrSource(finest), target, levels, stored, resources, first=1)
    layout = Reduction("layout", partial(create_volume, described, levels[1:]))
    return (Stage(replace(bare, passes=(layout, *conversions)), folder),)


def _levels(volume: Volume) -> tuple[Level, ...]:
    last = volume.levels[-1]
    return plan_levels(last.shape, last.space)


def _described(volume: Volume, folder: Path, levels: tuple[Level, ...]) -> Volume:
    return describe_volume(
        folder / NAME,
        levels,
        volume.channels,
        volume.dtype,
        orientation=volume.orientation,
        identity=volume.fingerprint(),
    )
