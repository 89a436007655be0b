"""Settings, and the sets of tiles that are compared: their sizes first, their planes when it is time."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipelines.config import Settings
from pipelines.planes import read_planes, windows
from volumetric.detection.tileset import open_image, tile_images
from volumetric.errors import InputError
from volumetric.storage.arrays import read_arrays, write_arrays
from volumetric.storage.atomic import read_json
from volumetric.synthesis.cell_light import Surroundings
from volumetric.synthesis.realism import Measured, measure
from volumetric.synthesis.scale import Scale, grey8

RECORD = "synthesis.json"
"""What `synthesize` writes beside its tiles; its key `scale` is the one to compare on."""

SCALES: tuple[Scale, ...] = get_args(Scale)

LEAST_PX, LEAST_PLANES = 16, 4
"""Edge that has a spectrum worth the name; planes of which two halves can be made."""


class Config(Settings):
    """How tiles are compared; px and scale None: as the tiles are."""

    scale: Scale | None = None
    px: int | None = Field(default=None, ge=LEAST_PX)
    every: int = Field(default=1, ge=1)
    cell_px: float = Field(default=3.0, gt=0)
    background_px: float = Field(default=8.0, gt=0)
    splits: int = Field(default=50, ge=1)
    seed: int = Field(default=1, ge=0)

    @property
    def around(self) -> Surroundings:
        """Which pixels are a cell's."""
        return Surroundings(self.cell_px, self.background_px)


LABELS = {"synthetic": "synthetic", "real": "real", "against": "other real"}
"""What people read for the name of a set."""


@dataclass(frozen=True)
class TileFolder:
    """A folder of tiles that has been looked at, not read.

    Args:
        name: what the tiles are: synthetic, real, against.
        path: the folder.
        shapes: z, y, x of each tile.
    """

    name: str
    path: Path
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, name: str, path: Path) -> TileFolder:
        """Raises `InputError` where there is no folder, or no tile in it."""
        shapes = tuple(open_image(image).shape for image in tile_images(path))
        if not shapes:
            raise InputError(
                f"there is no tile in {path}, the folder of {LABELS[name]} tiles: expected images NAME.tif or "
                "NAME.png, and NAME_cells.csv where cells are known"
            )
        return cls(name, path, shapes)

    @property
    def label(self) -> str:
        """What people read."""
        return LABELS[self.name]

    @property
    def edge(self) -> int:
        """Of the largest square that fits all tiles, px."""
        return min(min(y, x) for _, y, x in self.shapes)

    def planes(self, px: int, every: int) -> int:
        """How many squares of `px` they give."""
        return sum(-(-z // every) * (y // px) * (x // px) for z, y, x in self.shapes)

    def bytes_at_work(self, every: int) -> int:
        """While they are measured: volumes, planes and what is made of them; an upper estimate."""
        return sum(4 * prod(shape) + 40 * prod(shape[1:]) * -(-shape[0] // every) for shape in self.shapes)


def common_px(folders: list[TileFolder], config: Config) -> int:
    """The edge of all planes; raises `InputError` where tiles are smaller than asked for, or too few."""
    smallest = min(folders, key=lambda folder: folder.edge)
    px = config.px or smallest.edge
    if smallest.edge < px:
        raise InputError(
            f"the {smallest.label} tiles have edges of {smallest.edge} px: --px {px} is more than they have"
        )
    if px < LEAST_PX:
        raise InputError(
            f"the {smallest.label} tiles in {smallest.path} have edges of {px} px: at least {LEAST_PX} are needed"
        )
    for folder in folders:
        planes = folder.planes(px, config.every)
        if planes < LEAST_PLANES:
            raise InputError(
                f"{folder.path} has {planes} planes of {px} px every {config.every} slices: at least {LEAST_PLANES} "
                f"{folder.label} ones are needed, and hundreds tell more. Give more tiles, or a smaller --every"
            )
    return px


def scale_of(synthetic: Path, config: Config) -> Scale:
    """As asked for, or as the synthetic tiles were made, or that of a brain."""
    if config.scale is not None:
        return config.scale
    record = synthetic / RECORD
    said = read_json(record).get("scale") if record.is_file() else "brain"
    for scale in SCALES:
        if said == scale:
            return scale
    raise InputError(f"{record} says the scale {said!r}: expected one of {', '.join(SCALES)}; give --scale")


@dataclass(frozen=True)
class Shown:
    """A set that has been measured, and what it looks like, (n, px, px) 8 bits."""

    measured: Measured
    images: npt.NDArray[np.uint8]


def measure_folder(folder: TileFolder, scale: Scale, px: int, config: Config, out: Path) -> None:
    """Read and measure a set, and keep it in a file."""
    rng = np.random.default_rng([config.seed, 1])
    planes = [plane.drawn(rng) for plane in windows(read_planes(folder.path, scale, config.every), px)]
    stack = np.stack([plane.image for plane in planes])
    measured = measure(stack, [plane.cells for plane in planes], [plane.tile for plane in planes], config.around)
    write_arrays(out, {**vars(measured), "images": grey8(stack)})


def read_measured(path: Path) -> Shown:
    """What `measure_folder` kept."""
    arrays = read_arrays(path)
    images = arrays.pop("images")
    return Shown(Measured(**arrays), images)
