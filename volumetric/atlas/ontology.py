"""The hierarchy of regions of an atlas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from volumetric.errors import InputError

RegionIds = npt.NDArray[np.unsignedinteger[Any]]
"""uint32, or uint64 in an atlas with an id that needs it; 0 is outside."""


@dataclass(frozen=True)
class Region:
    """One structure; `parent_id` is None for a root, `rgb` is the atlas' own colour."""

    region_id: int
    acronym: str
    name: str
    parent_id: int | None
    rgb: tuple[int, int, int] = (200, 200, 200)


@dataclass(frozen=True)
class Ontology:
    """Regions as a forest. Order is kept: parents before children, as the atlas lists them.

    Raises `InputError` for duplicated ids, unknown parents and cycles.
    """

    regions: tuple[Region, ...]

    def __post_init__(self) -> None:
        if len(self.by_id) != len(self.regions):
            twice = sorted(i for i, n in Counter(self.ids).items() if n > 1)
            raise InputError(f"the structure list has duplicated ids: {', '.join(map(str, twice[:5]))}")
        for region in self.regions:
            if region.parent_id is not None and region.parent_id not in self.by_id:
                raise InputError(f"region {region.acronym!r} has the unknown parent {region.parent_id}")
        self._check_cycles()

    def _check_cycles(self) -> None:
        safe: set[int] = set()
        for region in self.regions:
            path: list[int] = []
            current: int | None = region.region_id
            while current is not None and current not in safe:
                if current in path:
                    raise InputError(f"region {region.acronym!r} is its own ancestor")
                path.append(current)
                current = self.by_id[current].parent_id
            safe.update(path)

    @cached_property
    def by_id(self) -> dict[int, Region]:
        return {region.region_id: region for region in self.regions}

    @cached_property
    def ids(self) -> tuple[int, ...]:
        return tuple(region.region_id for region in self.regions)

    @cached_property
    def depth(self) -> dict[int, int]:
        """Steps to the root of each region."""
        return {region.region_id: len(self.ancestors(region.region_id)) for region in self.regions}

    def __getitem__(self, region_id: int) -> Region:
        return self.by_id[region_id]

    def ancestors(self, region_id: int) -> tuple[int, ...]:
        """Ids from the parent up to the root; empty for a root."""
        chain: list[int] = []
        parent = self.by_id[region_id].parent_id
        while parent is not None:
            chain.append(parent)
            parent = self.by_id[parent].parent_id
        return tuple(chain)

    @cached_property
    def children(self) -> dict[int | None, tuple[int, ...]]:
        """Region -> its children in listed order; the roots are the children of None. Every region has its entry."""
        found: dict[int | None, list[int]] = {None: [], **{region_id: [] for region_id in self.ids}}
        for region in self.regions:
            found[region.parent_id].append(region.region_id)
        return {parent: tuple(below) for parent, below in found.items()}

    @cached_property
    def by_acronym(self) -> dict[str, tuple[int, ...]]:
        """Acronym -> ids of the regions that have it; in most atlases it is one."""
        found: dict[str, tuple[int, ...]] = {}
        for region in self.regions:
            found[region.acronym] = (*found.get(region.acronym, ()), region.region_id)
        return found

    def descendants(self, region_id: int) -> tuple[int, ...]:
        """Ids of everything below a region, depth first as in a table; without the region itself."""
        return tuple(self._below(self.children[region_id]))

    def _below(self, start: tuple[int, ...]) -> Iterator[int]:
        """These regions and all below them, depth first."""
        stack = list(reversed(start))
        while stack:
            region_id = stack.pop()
            yield region_id
            stack.extend(reversed(self.children[region_id]))

    def roll_up(self, own: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Own values plus those of all descendants; (n_regions, ...) in the order of `regions`."""
        row = {region_id: i for i, region_id in enumerate(self.ids)}
        total = own.copy()
        for region_id in sorted(self.ids, key=lambda i: -self.depth[i]):
            parent = self.by_id[region_id].parent_id
            if parent is not None:
                total[row[parent]] += total[row[region_id]]
        return total

    def in_order(self) -> Iterable[Region]:
        """Depth first, children in listed order: how a table shows the hierarchy."""
        return (self.by_id[region_id] for region_id in self._below(self.children[None]))
