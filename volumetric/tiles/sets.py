"""Who sees which tile: quality-control tiles for everybody, the others dealt out to data sets, one a worker.

Each main tile is in as many data sets as people should see it (the redundancy). The quality-control tiles, some of
every region, are in all of them and come first, looking like any other: from them a worker's skill is known even if
the worker stops early (method, sections 2.3.2 and 2.3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from volumetric.errors import InputError

QUALITY_CONTROL, MAIN, SPARE = "quality_control", "main", "spare"
"""What a fit tile is for; spare ones are in no data set."""


@dataclass(frozen=True)
class DataSets:
    """What each worker is shown.

    Args:
        quality_control: numbers of the tiles that are in every data set.
        main: for each data set, the numbers of its other tiles, in the order they are shown.
        order: for each data set, the order of the quality-control tiles.
    """

    quality_control: tuple[int, ...]
    main: tuple[tuple[int, ...], ...]
    order: tuple[tuple[int, ...], ...]

    @property
    def sets_of(self) -> dict[int, tuple[int, ...]]:
        """Tile -> the data sets that it is in, from 1 on."""
        found: dict[int, list[int]] = {}
        for number, (first, rest) in enumerate(zip(self.order, self.main, strict=True), start=1):
            for tile in (*first, *rest):
                found.setdefault(tile, []).append(number)
        return {tile: tuple(numbers) for tile, numbers in sorted(found.items())}


def choose(
    regions: Sequence[int], quality_control: int, most: int | None, rng: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Numbers of the quality-control tiles and of the main ones.

    Args:
        regions: region of each fit tile.
        quality_control: tiles of each region for everybody; fewer where it has not as many.
        most: main tiles of each region; None for all.
        rng: what is drawn depends on it alone.
    """
    control: list[int] = []
    main: list[int] = []
    for region in sorted(set(regions)):
        drawn = rng.permutation([number for number, own in enumerate(regions) if own == region]).tolist()
        control += drawn[:quality_control]
        main += drawn[quality_control:][:most]
    return control, main


def deal(
    main: Sequence[int], quality_control: Sequence[int], sets: int, redundancy: int, rng: np.random.Generator
) -> DataSets:
    """Deal main tiles out to `sets` data sets, each tile to `redundancy` of them.

    A tile goes to the data sets that have fewest so far, by lot where several have: sizes never differ by more than
    one, and tiles given region after region spread evenly too. Raises `InputError` for fewer data sets than the
    redundancy.
    """
    if not 1 <= redundancy <= sets:
        raise InputError(
            f"a tile cannot be in {redundancy} of {sets} data sets: give at least as many sets as the redundancy"
        )
    dealt: list[list[int]] = [[] for _ in range(sets)]
    for tile in main:
        sizes = np.array([len(own) for own in dealt])
        for number in np.lexsort([rng.random(sets), sizes])[:redundancy]:
            dealt[number].append(tile)
    return DataSets(
        quality_control=tuple(quality_control),
        main=tuple(tuple(rng.permutation(own).tolist()) for own in dealt),
        order=tuple(tuple(rng.permutation(list(quality_control)).tolist()) for _ in dealt),
    )


def sets_needed(tiles: int, redundancy: int, size: int) -> int:
    """Data sets so that none has more than `size` main tiles; at least the redundancy."""
    return max(redundancy, -(-tiles * redundancy // size))
