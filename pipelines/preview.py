"""Preview: what will be read of images, before anything is converted, and what of it is doubtful."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.console import Console

from volumetric.geometry.box import Box, index3
from volumetric.geometry.plausible import MOUSE_BRAIN_MM, brain_doubts, extent_mm, slice_doubts, voxel_doubts
from volumetric.geometry.space import Um3, VoxelSpace
from volumetric.storage.sources import Source, read
from volumetric.storage.stated import StatedVoxel

SAMPLES = 3
WINDOW_PX = 256
"""Values are looked at in the middle of so many slices: of a brain in single strips, a few decoded slices."""

ONE_UM = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Preview:
    """Names and values for people, and what is doubtful, each a sentence."""

    rows: tuple[tuple[str, str], ...]
    doubts: tuple[str, ...]

    def print(self, console: Console) -> None:
        """Print the rows, and the doubts in red."""
        for name, value in self.rows:
            console.print(f"  {name:<16} {value}", highlight=False, markup=False, soft_wrap=True)
        for doubt in self.doubts:
            console.print("doubtful: ", style="bold red", end="")
            console.print(doubt, highlight=False, markup=False, soft_wrap=True)


def preview(source: Source, given: Um3 | None, *, values: bool = True) -> Preview:
    """What will be read of a source with the user's voxel size.

    Args:
        source: the images.
        given: the voxel size of the flag.
        values: whether some voxels may be read, to say between which values they are.
    """
    if given is not None:
        VoxelSpace(given)  # refuses what is no size
    facts = dict(source.facts)
    rows = [
        *((name, facts.pop(name)) for name in ("kind", "series") if name in facts),
        ("channels", ", ".join(source.channels)),
        ("axes", facts.pop("axes", "z, y, x")),
        ("shape (z, y, x)", times(source.shape)),
        ("voxel um", voxel_words(source.voxel, given)),
    ]
    doubts = list(early_doubts(source, given))
    size = given or source.voxel.whole_um
    if size is not None:
        long, high, wide = MOUSE_BRAIN_MM
        edges = times(extent_mm(source.shape, size), ".3g")
        rows.append(("size mm", f"{edges} (a mouse brain: about {long:g} long, {high:g} high, {wide:g} wide)"))
        doubts += brain_doubts(source.shape, size)
    rows += [("contents", source.contents)] if source.contents else []
    rows.append(("data type", source.dtype))
    if values:
        found = [_sampled(source, channel) for channel in range(len(source.channels))]
        spans = [f"{name} {low:g} to {high:g}" for name, (low, high) in zip(source.channels, found, strict=True)]
        rows.append(("values", f"{', '.join(spans)} (in the middle of a few slices)"))
        doubts += [
            f"the channel {name} is {low:g} everywhere in the middle of a few slices: is it empty?"
            for name, (low, high) in zip(source.channels, found, strict=True)
            if not low < high
        ]
    return Preview((*rows, *facts.items()), tuple(dict.fromkeys(doubts)))


def early_doubts(source: Source, given: Um3 | None) -> tuple[str, ...]:
    """What every command says before it begins to work: doubts of the source, its slices, its voxels and the flag."""
    size = given or source.voxel.whole_um
    doubts = (*source.doubts, *slice_doubts(source.shape))
    if size is None:
        return doubts
    _, conflicts = source.voxel.settle(given)
    default = given is None and size == ONE_UM
    unknown = f"voxels of 1 um ({source.voxel.origin}) are what programs write that do not know it: give --voxel-um"
    return (*doubts, *conflicts, *([unknown] if default else []), *voxel_doubts(size))


def voxel_words(stated: StatedVoxel, given: Um3 | None) -> str:
    """The voxel size and where it comes from."""
    if given is not None:
        return f"{times(given)} (from --voxel-um)"
    known = " x ".join("?" if size is None else f"{size:.4g}" for size in stated.sizes_um)
    origin = f"from {stated.origin}" if stated.origin else ""
    unusable = f"{stated.origin} gives {stated.unusable}" if stated.unusable else ""
    if stated.whole_um is not None:
        return f"{known} ({origin})"
    if any(stated.sizes_um):
        return f"{known} ({unusable or origin}; the rest is not stated: give --voxel-um)"
    return f"not stated{f' ({unusable})' if unusable else ''}: give --voxel-um"


def times(values: tuple[float, ...] | tuple[int, ...], form: str = ".4g") -> str:
    """Numbers for people: `5 x 0.7 x 0.7`."""
    return " x ".join(str(value) if isinstance(value, int) else f"{value:{form}}" for value in values)


def _sampled(source: Source, channel: int) -> tuple[float, float]:
    """The lowest and highest value in the middle of a few slices."""
    places = {(2 * i + 1) * source.shape[0] // (2 * SAMPLES) for i in range(SAMPLES)}
    starts = [max(0, (n - WINDOW_PX) // 2) for n in source.shape[1:]]
    stops = [min(n, start + WINDOW_PX) for n, start in zip(source.shape[1:], starts, strict=True)]
    boxes = [Box(index3((z, *starts)), index3((z + 1, *stops))) for z in sorted(places)]
    voxels = np.stack([read(source, box, channel)[0] for box in boxes])
    finite = voxels[np.isfinite(voxels)]
    return (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)
