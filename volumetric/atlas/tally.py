"""How many things, or how much of them, lie in each region and on each side of the brain.

Arrays of shape (n_regions, 2) are in the order of `ontology.regions`; column 0 is left, column 1 right.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from volumetric.atlas.ontology import Ontology
from volumetric.atlas.sides import LEFT, RIGHT
from volumetric.errors import InputError

CHUNK = 2_000_000
"""Items placed at once: some 60 MB of temporaries."""


def tally(
    ontology: Ontology, region_id: npt.NDArray[np.integer[Any]], hemisphere: npt.NDArray[np.uint8]
) -> npt.NDArray[np.int64]:
    """How many of the (n,) items lie in each region and side: (n_regions, 2) int64; id 0 is left out.

    Raises `InputError` for an id that the ontology lacks and for a region without a side.
    """
    return tally_placed(ontology, place(ontology, region_id, hemisphere))


def tally_placed(ontology: Ontology, placed: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """The same of items whose positions are known."""
    found = np.zeros(2 * len(ontology.ids) + 1, dtype=np.int64)
    for part in pieces(len(placed)):
        found += np.bincount(placed[part], minlength=len(found))
    return found[:-1].reshape(-1, 2)


def place(
    ontology: Ontology, region_id: npt.NDArray[np.integer[Any]], hemisphere: npt.NDArray[np.uint8]
) -> npt.NDArray[np.int32]:
    """The position of each of the (n,) items in a flattened (n_regions, 2) array; 2 n_regions for id 0.

    Raises `InputError` for an id that the ontology lacks and for a region without a side.
    """
    placed = np.empty(len(region_id), dtype=np.int32)
    for part in pieces(len(region_id)):
        placed[part] = _place(ontology, region_id[part], hemisphere[part])
    return placed


def _place(
    ontology: Ontology, region_id: npt.NDArray[np.integer[Any]], hemisphere: npt.NDArray[np.uint8]
) -> npt.NDArray[np.int64]:
    ids = np.asarray(ontology.ids, dtype=np.int64)
    order = np.argsort(ids)
    known = np.concatenate([[0], ids[order]]).astype(region_id.dtype)  # of one type: nothing is converted cell by cell
    rows = np.concatenate([[len(ids)], order])
    at = np.searchsorted(known, region_id, side="right") - 1
    strange = known[at] != region_id
    if np.any(strange):
        examples = np.unique(region_id[strange])[:5].tolist()
        raise InputError(
            f"region ids without a row in the atlas' structures, for example {examples}: use the atlas that gave them"
        )
    inside = region_id > 0
    lost = int(np.count_nonzero(inside & (hemisphere != LEFT) & (hemisphere != RIGHT)))
    if lost:
        raise InputError(
            f"{lost} of {int(np.count_nonzero(inside))} items lie in a region but on neither side: the hemisphere "
            f"must be {LEFT} (left) or {RIGHT} (right) wherever a region is"
        )
    return np.where(inside, 2 * rows[at] + (hemisphere == RIGHT), 2 * len(ids))


def pieces(n: int) -> Iterator[slice]:
    """Slices of at most `CHUNK` that cover n items."""
    return (slice(start, start + CHUNK) for start in range(0, n, CHUNK))
