"""Tiles with known cells: small images, two- or three-dimensional, with the cells or the heatmap that belong to each.

    DIR/NAME.tif            the image, (Y, X) or (Z, Y, X), one channel, any kind that `ingest` reads as a file; a
                            grey PNG too, as `volumetric tiles` writes them
    DIR/NAME_cells.csv      z, y, x of each cell in voxels (z only in volumes), and confidence, 0 to 1, if known; or
    DIR/NAME_heatmap.tif    (Y, X) 0 to 1, how sure it is that a cell's centre is here
    DIR/tiles.csv           optional: tile, brain; and z_um, y_um, x_um, where voxels differ

A folder of unlabelled tiles has images alone. Without `tiles.csv` the brain is the name up to its last underscore:
`brain695_3` is of `brain695`. Masks, named `NAME_mask.tif`, are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from natsort import natsorted

from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.geometry.space import Points, Um3, VoxelSpace, um3
from volumetric.storage.sources.open import open_source
from volumetric.storage.sources.source import Source, read
from volumetric.storage.sources.tiff_file import opened
from volumetric.storage.sources.tiff_page import TIFF_ENDINGS
from volumetric.storage.sources.tiff_slices import open_slices

ENDINGS = (*TIFF_ENDINGS, ".npy", ".h5", ".png")
CELLS, HEATMAP = "_cells.csv", "_heatmap"
COMPANIONS = (HEATMAP, "_mask")
"""Ends of the names of images that belong to a tile and are none."""


@dataclass(frozen=True)
class Tile:
    """An image and what is known of it.

    Args:
        name: of the tile.
        brain: it is of; tiles of one brain share how they were imaged.
        image: (Z, Y, X), a single slice for a two-dimensional tile.
        space: its voxels, um.
        cells: (n, 3) voxels, or None where they are not known as points.
        confidence: (n,) 0 to 1.
        heatmap: (Z, Y, X) float32, or None.
    """

    name: str
    brain: str
    image: npt.NDArray[Any]
    space: VoxelSpace
    cells: Points | None = None
    confidence: npt.NDArray[np.float64] | None = None
    heatmap: npt.NDArray[np.float32] | None = None

    @property
    def cells_um(self) -> Points:
        """(n, 3) in um; raises `InputError` where the cells are not known as points."""
        if self.cells is None:
            raise InputError(f"tile {self.name} has no cells to compare with: expected {self.name}{CELLS}")
        return self.space.to_um(self.cells)


def read_tiles(folder: Path, voxel_um: Um3 | None = None, truth: Path | None = None) -> list[Tile]:
    """All tiles of a folder that have cells or a heatmap, in the order of their names.

    Args:
        folder: as above.
        voxel_um: voxels of the tiles, where neither `tiles.csv` nor the files themselves say them.
        truth: another folder with the cells and heatmaps.

    Raises `InputError` for a folder without such tiles, tables that do not fit their image, and unknown voxels.
    """
    images, known = tile_images(folder), _tiles_csv(folder)
    beside = truth or folder
    tiles = []
    for path in images:
        cells, heatmap = beside / f"{path.stem}{CELLS}", _image_beside(beside, path.stem + HEATMAP)
        if cells.is_file() or heatmap is not None:
            tiles.append(_tile(path, known.get(path.stem, {}), voxel_um, cells, heatmap))
    if not tiles:
        raise InputError(
            f"no tile with known cells in {folder}: expected images NAME.tif"
            + (f" there, and in {truth}" if truth else " and beside them")
            + f" NAME{CELLS} (columns y, x, and z for volumes; voxels) or NAME{HEATMAP}.tif"
        )
    return tiles


def read_unlabelled(folder: Path, voxel_um: Um3 | None = None) -> list[Tile]:
    """All images of a folder of tiles, in the order of their names; cells and heatmaps beside them are not read.

    Raises `InputError` for a folder without images, and unknown voxels.
    """
    known = _tiles_csv(folder)
    tiles = [_tile(path, known.get(path.stem, {}), voxel_um) for path in tile_images(folder)]
    if not tiles:
        raise InputError(f"no image in {folder}: expected tiles NAME.tif, without cells")
    return tiles


def tile_images(folder: Path) -> Iterator[Path]:
    """The images of a folder's tiles, in the order of their names; raises `InputError` where there is no folder."""
    if not folder.is_dir():
        raise InputError(f"there is no folder of tiles at {folder}")
    paths = natsorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS)
    return (path for path in paths if not path.stem.endswith(COMPANIONS))


def _tile(
    path: Path,
    known: dict[str, str],
    voxel_um: Um3 | None,
    cells: Path | None = None,
    heatmap: Path | None = None,
) -> Tile:
    source = open_image(path)
    if len(source.channels) != 1:
        raise InputError(f"{path} has the channels {', '.join(source.channels)}: a tile has one")
    spacing = _spacing(known, path) or voxel_um or source.spacing_um
    if spacing is None:
        raise InputError(
            f"the voxel size of {path} is not known: give --voxel-um Z Y X, or columns z_um, y_um, x_um in tiles.csv"
        )
    image = read(source, Box.of_shape(source.shape))
    name = path.stem
    points, confidence = _cells(cells, source.shape) if cells and cells.is_file() else (None, None)
    heat = None
    if heatmap is not None:
        shown = open_image(heatmap)
        heat = read(shown, Box.of_shape(shown.shape)).astype(np.float32)
        if heat.shape != image.shape or len(heat) != 1:
            raise InputError(f"{heatmap} must be one slice, as its tile, whose shape is {image.shape}")
        if not (np.isfinite(heat).all() and heat.min() >= 0 and heat.max() <= 1):
            raise InputError(f"{heatmap} must have values of 0 to 1")
    return Tile(
        name, known.get("brain", name.rpartition("_")[0] or name), image, VoxelSpace(spacing), points, confidence, heat
    )


def open_image(path: Path) -> Source:
    """The image of a tile, of one slice or of several; a TIFF of one page is no stack."""
    if path.suffix.lower() in TIFF_ENDINGS:
        with opened(path) as tif:
            if len(tif.pages) == 1:
                return open_slices({path.stem: [path]})
    return open_source(path)


def _cells(path: Path, shape: tuple[int, ...]) -> tuple[Points, npt.NDArray[np.float64]]:
    try:
        table = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as CSV: {error}") from error
    if shape[0] == 1 and "z" not in table:
        table["z"] = 0.0
    missing = {"z", "y", "x"} - set(table)
    if missing:
        raise InputError(f"{path} lacks {', '.join(sorted(missing))}: expected the columns z, y, x in voxels")
    table["confidence"] = table.get("confidence", pd.Series(1.0, index=table.index))
    try:
        values = table[["z", "y", "x", "confidence"]].to_numpy(dtype=np.float64)
    except ValueError as error:
        raise InputError(f"{path} holds what is no number: {error}") from error
    points, confidence = values[:, :3], values[:, 3]
    outside = ~(np.isfinite(points) & (points >= -0.5) & (points <= np.asarray(shape) - 0.5)).all(axis=1)
    if outside.any():
        raise InputError(
            f"{path}, line {int(np.argmax(outside)) + 2}: the cell at z, y, x = {points[outside][0].tolist()} is "
            f"outside its tile of {shape} voxels; positions are in voxels, not um"
        )
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise InputError(f"{path}: confidence is 0 to 1")
    return points, confidence


def _tiles_csv(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / "tiles.csv"
    if not path.is_file():
        return {}
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if "tile" not in table or table["tile"].duplicated().any():
        raise InputError(f"{path} must name each tile once, in the column tile")
    rows: Iterable[dict[str, str]] = table.to_dict("records")  # type: ignore[assignment]
    return {row["tile"]: row for row in rows}


def _spacing(known: dict[str, str], path: Path) -> Um3 | None:
    names = ("z_um", "y_um", "x_um")
    if not all(known.get(name) for name in names):
        return None
    try:
        return um3(float(known[name]) for name in names)
    except ValueError as error:
        raise InputError(f"tiles.csv beside {path.name}: voxel sizes are numbers in um ({error})") from error


def _image_beside(folder: Path, stem: str) -> Path | None:
    return next((path for ending in ENDINGS if (path := folder / f"{stem}{ending}").is_file()), None)
