"""Which region a tile belongs to: that of most of its pixels.

A pixel belongs to the named region that its atlas region lies in, the most specific one where one named region lies in
another. A tile belongs to the region with the largest share of its pixels, if that share is large enough; with a
least share of one half, no other region can have more of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Belonging:
    """Of n tiles.

    Args:
        region_id: (n,), 0 for a tile that belongs to none.
        share: (n,) of the tile's pixels that are of the region that has most of them; 0 where no pixel is of any.
        hemisphere: (n,) uint8, the side most of these pixels are on, 1 left, 2 right; 0 for a tile of no region.
    """

    region_id: Ids
    share: npt.NDArray[np.float64]
    hemisphere: npt.NDArray[np.uint8]


def named(region_ids: Ids, owners: Mapping[int, int]) -> Ids:
    """Ids of the atlas as those of the named regions they lie in; 0 for all others; the same shape."""
    known = np.array(sorted(owners), dtype=region_ids.dtype)
    names = np.array([owners[int(i)] for i in known], dtype=region_ids.dtype)
    at = np.minimum(np.searchsorted(known, region_ids), len(known) - 1)
    return np.where(known[at] == region_ids, names[at], 0).astype(region_ids.dtype)


def belonging(regions: Ids, sides: npt.NDArray[np.uint8], least_share: float) -> Belonging:
    """The region of each tile.

    Args:
        regions: (n, k) named region of k pixels of each tile, 0 for none.
        sides: (n, k) hemisphere of the same pixels.
        least_share: of a tile's pixels that its region must have; two regions with equal shares: the lower id.
    """
    found = Belonging(np.zeros(len(regions), regions.dtype), np.zeros(len(regions)), np.zeros(len(regions), np.uint8))
    for number, (ids, hemispheres) in enumerate(zip(regions, sides, strict=True)):
        present, counts = np.unique(ids[ids > 0], return_counts=True)
        if len(present) == 0:
            continue
        most = int(np.argmax(counts))
        found.share[number] = counts[most] / len(ids)
        if found.share[number] >= least_share:
            found.region_id[number] = present[most]
            found.hemisphere[number] = np.argmax(np.bincount(hemispheres[ids == present[most]]))
    return found
