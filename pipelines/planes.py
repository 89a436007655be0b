"""Single planes of tiles, 0 to 1, with the cells seen in them: what generators learn from and realism compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.scored import with_cells
from volumetric.detection.cells import contrast_of_tiles
from volumetric.detection.tileset import CELLS, HEATMAP, Tile, read_tiles, read_unlabelled
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.synthesis.scale import BLACK, WHITE, Scale, shown
from volumetric.tiles.normalisation import Normalisation

Floats = npt.NDArray[np.float32]

SEEN = 1.0
"""Slices from a cell's centre in which it is still seen."""


@dataclass(frozen=True)
class Plane:
    """One plane of a tile.

    Args:
        tile: it is of; planes of one tile are not independent.
        brain: of the tile.
        z: slice of the tile.
        image: (Y, X) 0 to 1.
        cells: (n, 2) y, x in pixels of the cells seen in it, or None where they are not known.
        confidence: (n,) how sure each is, 0 to 1, or None where all are.
    """

    tile: str
    brain: str
    z: int
    image: Floats
    cells: npt.NDArray[np.float64] | None
    confidence: npt.NDArray[np.float64] | None = None

    def drawn(self, rng: np.random.Generator) -> Plane:
        """The plane with cells that are sure: each is one with its confidence, as people would mark it or not."""
        if self.cells is None or self.confidence is None:
            return self
        return replace(self, cells=self.cells[rng.uniform(size=len(self.cells)) < self.confidence], confidence=None)


def read_planes(folder: Path, scale: Scale, every: int = 1) -> list[Plane]:
    """The planes of all tiles of a folder (`detection.tileset`), each `every` slices, on one scale.

    Cells are known where the folder has any. Sizes in um are not asked for: all is in pixels.

    Raises `InputError` for a folder without tiles, and what cannot be read.
    """
    tiles = [plane for tile in _tiles(folder) for plane in _slices(tile, every)]
    images = _scaled(tiles, scale)
    names = [tile.name.rpartition("@") for tile in tiles]
    return [
        Plane(name, tile.brain, int(z), image, None if tile.cells is None else tile.cells[:, 1:], tile.confidence)
        for (name, _, z), tile, image in zip(names, tiles, images, strict=True)
    ]


def windows(planes: Sequence[Plane], px: int) -> list[Plane]:
    """Squares of `px`, side by side in the middle of each plane; raises `InputError` where planes are smaller."""
    return [window for plane in planes for window in _windows(plane, px)]


def _tiles(folder: Path) -> list[Tile]:
    unit = (1.0, 1.0, 1.0)
    known = any(any(folder.glob(f"*{end}*")) for end in (CELLS, HEATMAP))
    return [with_cells(tile) for tile in read_tiles(folder, unit)] if known else read_unlabelled(folder, unit)


def _slices(tile: Tile, every: int) -> Iterator[Tile]:
    """Each as a tile of its own, named NAME@Z, with the cells that are seen in it."""
    for z in range((len(tile.image) - 1) % every // 2, len(tile.image), every):
        cells, sure = tile.cells, tile.confidence
        if cells is not None:
            seen = np.abs(cells[:, 0] - z) <= SEEN
            cells, sure = cells[seen] * (0, 1, 1), None if sure is None else sure[seen]
        yield replace(
            tile, name=f"{tile.name}@{z}", image=tile.image[z : z + 1], cells=cells, confidence=sure, heatmap=None
        )


def _scaled(tiles: Sequence[Tile], scale: Scale) -> list[Floats]:
    if scale == "contrast":
        fields = contrast_of_tiles(tiles)
        return [
            shown(field.normalise(tile.image, Box.of_shape(tile.image.shape))[0])
            for field, tile in zip(fields, tiles, strict=True)
        ]
    brains = {tile.brain: [one.image for one in tiles if one.brain == tile.brain] for tile in tiles}
    ranges = {brain: _range(images) for brain, images in brains.items()}
    return [_share(tile.image[0], *ranges[tile.brain]) for tile in tiles]


def _range(images: Sequence[npt.NDArray[Any]]) -> tuple[float, float]:
    if all(image.dtype == np.uint8 for image in images):
        return 0.0, 255.0
    found = Normalisation.fit(np.concatenate([image.ravel() for image in images]), BLACK, WHITE)
    return found.black, found.white


def _share(image: npt.NDArray[Any], black: float, white: float) -> Floats:
    share: Floats = np.clip((image.astype(np.float32) - black) / (white - black), 0, 1)
    return np.nan_to_num(share)


def _windows(plane: Plane, px: int) -> Iterator[Plane]:
    counts = [n // px for n in plane.image.shape]
    if min(counts) < 1:
        raise InputError(f"plane {plane.z} of {plane.tile} has {plane.image.shape} pixels: less than a tile of {px}")
    first = [(n - count * px) // 2 for n, count in zip(plane.image.shape, counts, strict=True)]
    for row in range(counts[0]):
        for column in range(counts[1]):
            corner = np.asarray([first[0] + row * px, first[1] + column * px])
            y, x = corner.tolist()
            cells, sure = plane.cells, plane.confidence
            if cells is not None:
                inside = np.all((cells >= corner - 0.5) & (cells < corner + px - 0.5), axis=1)
                cells, sure = cells[inside] - corner, None if sure is None else sure[inside]
            yield replace(plane, image=plane.image[y : y + px, x : x + px], cells=cells, confidence=sure)
