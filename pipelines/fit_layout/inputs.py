"""What layouts are learnt from: planes of tiles, with the cells seen in them measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.planes import Plane, read_planes, windows
from volumetric.errors import InputError
from volumetric.points.matching import match_points
from volumetric.synthesis.fitted_layout import EVERYWHERE, KnownTile
from volumetric.synthesis.marks import measure
from volumetric.synthesis.pair_correlation import Pattern
from volumetric.synthesis.scale import from_levels
from volumetric.synthesis.visibility import Visibility


@dataclass(frozen=True)
class Known:
    """A plane, or a window of one.

    Args:
        brain: it is of.
        unit: the tile it is of: planes and windows of one tile are not independent.
        tile: where its cells lie and how they look.
    """

    brain: str
    unit: str
    tile: KnownTile


def read_known(folders: Sequence[Path], every: int, size: int | None, spots: Visibility | None = None) -> list[Known]:
    """Planes of all tiles, `every` slices, whole or as windows of `size` px.

    A region is what `tiles.csv` of the folder says in the column `region`. With `spots` all that can be seen so is
    taken for a cell; where the tile has cells, it is known which of them people marked.

    Raises `InputError` for tiles without cells, and what cannot be read.
    """
    found = []
    for folder in folders:
        regions = _regions(folder)
        for plane in read_planes(folder, "contrast", every):
            parts = windows([plane], size) if size else [plane]
            region = regions.get(plane.tile) or EVERYWHERE
            known = [_spots(one, region, spots) if spots else _tile(one, region) for one in parts]
            found += [Known(plane.brain, f"{folder}/{plane.tile}", one) for one in known]
    return found


def seen_from(radius_px: float, levels: float) -> Visibility:
    """What sees everything of about a radius that stands out by so many noise levels, at the end of its filter."""
    ends = from_levels(np.asarray([0.0, levels]))
    return Visibility(radius_px, float(ends[1] - ends[0]))


def _spots(plane: Plane, region: str, spots: Visibility) -> KnownTile:
    """All that is seen, and which of it is at a cell."""
    tile = _tile(replace(plane, cells=spots.spots(plane.image), confidence=None), region)
    if plane.cells is None:
        return tile
    marked = np.zeros(len(tile.pattern.yx), dtype=np.bool_)
    marked[match_points(plane.cells.reshape(-1, 2), tile.pattern.yx, spots.near_px)[:, 1]] = True
    return replace(tile, marked=marked)


def _tile(plane: Plane, region: str) -> KnownTile:
    if plane.cells is None:
        raise InputError(
            f"tile {plane.tile} has no cells: layouts are learnt from tiles with NAME_cells.csv beside them, or with "
            "--spots from all that stands out"
        )
    y, x = plane.image.shape
    cells = np.asarray(plane.cells, dtype=np.float64).reshape(-1, 2)
    return KnownTile(Pattern(cells, (y, x)), measure(plane.image, cells), region)


def _regions(folder: Path) -> dict[str, str]:
    path = folder / "tiles.csv"
    if not path.is_file():
        return {}
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return dict(zip(table["tile"], table["region"], strict=True)) if "region" in table else {}
