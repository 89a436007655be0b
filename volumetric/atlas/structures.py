"""The list of an atlas' structures as it was published, made fit for use: what is odd is named, nothing is lost.

A record is BrainGlobe's: id, acronym, name, structure_id_path (or parent_structure_id), rgb_triplet. Published lists
lack ids that the annotation has, repeat structures below a second parent, and name parents that they do not list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from volumetric.atlas.ontology import Ontology, Region
from volumetric.errors import InputError
from volumetric.findings import Finding, Grade

UNLISTED = "unlisted"
"""Acronym of the region that holds all annotated ids without a row; of each of these it is the first word."""

LARGEST_ID = 2**63 - 1
SHOWN = 5


def read_annotation(array: npt.NDArray[Any], listed: Iterable[int], name: str) -> npt.NDArray[np.unsignedinteger[Any]]:
    """Region ids of any type of whole numbers as uint32; as uint64 where the annotation or the list has larger ones.

    Raises `InputError` for fractions and negative ids, naming them.
    """
    if array.dtype.kind not in "iufb":
        raise InputError(f"atlas {name!r}: the annotation must hold whole numbers, got {array.dtype}")
    if array.dtype.kind == "f":
        odd = np.unique(array[array != np.rint(array)])
        if odd.size:
            raise InputError(
                f"atlas {name!r}: the annotation must hold region ids, whole numbers, but has {_some(odd.tolist())}: "
                "it was interpolated. Make it again with nearest neighbours"
            )
    negative = np.unique(array[array < 0])
    if negative.size:
        raise InputError(
            f"atlas {name!r}: the annotation has the negative region ids {_some(negative.tolist())}: ids must be "
            "positive, and 0 outside the brain. Was it saved with a signed type too small for it?"
        )
    largest = max(int(array.max(initial=0)), *listed, 0)
    if largest > LARGEST_ID:
        raise InputError(f"atlas {name!r}: the region id {largest} is larger than 2**63 - 1")
    kind = np.uint32 if largest <= np.iinfo(np.uint32).max else np.uint64
    return array.astype(kind, copy=False)


def read_structures(records: Sequence[Mapping[str, Any]], name: str) -> tuple[Ontology, tuple[Finding, ...]]:
    """The hierarchy of a list, and what was odd about it.

    A structure that is listed again below another parent keeps its first; one whose parent is not listed is put below
    the nearest of its ancestors that is. Id 0, the outside, is left out.

    Raises `InputError` for two structures of one id, negative ids and rows that are none.
    """
    rows = [_row(record, name) for record in records]
    paths: dict[int, list[int]] = {}
    regions: dict[int, Region] = {}
    again: list[str] = []
    for region, path in rows:
        first = regions.setdefault(region.region_id, region)
        if (first.acronym, first.name) != (region.acronym, region.name):
            raise InputError(
                f"atlas {name!r}: its structure list gives the id {region.region_id} to both {first.acronym!r} "
                f"({first.name}) and {region.acronym!r} ({region.name}): each structure needs an id of its own"
            )
        if paths.setdefault(region.region_id, path) != path:
            again.append(region.acronym)
    regions.pop(0, None)
    orphans: list[str] = []
    placed = []
    for region in regions.values():
        above = [i for i in paths[region.region_id] if i != 0]
        parent = next((i for i in reversed(above) if i in regions), None)
        if above and parent != above[-1]:
            orphans.append(region.acronym)
        placed.append(Region(region.region_id, region.acronym, region.name, parent, region.rgb))
    said = [
        (again, "are listed below several parents, and are counted below the first"),
        (orphans, "have a parent that is not listed, and are counted below the nearest ancestor that is"),
    ]
    findings = tuple(
        Finding(Grade.DOUBTFUL, f"{len(odd)} structures of atlas {name!r} {what}: {_some(odd)}")
        for odd, what in said
        if odd
    )
    return Ontology(tuple(placed)), findings


def with_unlisted(
    ontology: Ontology, annotation: npt.NDArray[np.unsignedinteger[Any]], name: str
) -> tuple[Ontology, tuple[Finding, ...]]:
    """The hierarchy with a row for every annotated id that it lacks, all below one region `unlisted`."""
    ids, voxels = np.unique(annotation, return_counts=True)
    strange = ~np.isin(ids, np.array([0, *ontology.ids], dtype=ids.dtype))
    if not strange.any():
        return ontology, ()
    lacking = [int(i) for i in ids[strange]]
    taken = {*ontology.ids, *lacking}
    heading = next(i for i in range(2**32 - 1, 0, -1) if i not in taken)
    whole = Region(heading, UNLISTED, "Annotated ids that the structure list lacks", None)
    each = (Region(i, f"{UNLISTED} {i}", f"Unlisted region {i}", heading) for i in lacking)
    share = voxels[strange].sum() / voxels[ids > 0].sum()
    finding = Finding(
        Grade.DOUBTFUL,
        f"{len(lacking):,} annotated ids of atlas {name!r}, {share:.2%} of its volume, have no row in its structure "
        f"list: {_some(lacking)}. They are counted as {UNLISTED!r}, each by its id; another version of the atlas may "
        "name them",
    )
    return Ontology((*ontology.regions, whole, *each)), (finding,)


def _row(record: Mapping[str, Any], name: str) -> tuple[Region, list[int]]:
    try:
        region, above = _region(record)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"atlas {name!r}: a row of its structure list cannot be used ({error!r}): expected id, acronym, name, "
            f"structure_id_path and rgb_triplet, got {record}"
        ) from error
    if region.region_id < 0 or any(i < 0 for i in above):
        raise InputError(
            f"atlas {name!r}: structure {region.acronym!r} has a negative id in {[*above, region.region_id]}"
        )
    return region, above


def _region(record: Mapping[str, Any]) -> tuple[Region, list[int]]:
    """A structure without its parent, and the ids above it from the root down."""
    region_id = int(record["id"])
    path = record["structure_id_path"] if "structure_id_path" in record else [record["parent_structure_id"]]
    if isinstance(path, str):
        path = [part for part in path.split("/") if part]
    above = [int(i) for i in path if i is not None]
    if above and above[-1] == region_id:
        above.pop()
    red, green, blue = (int(c) for c in record.get("rgb_triplet") or (200, 200, 200))
    return Region(region_id, str(record["acronym"]), str(record["name"]), None, (red, green, blue)), above


def _some(values: Sequence[object]) -> str:
    return ", ".join(map(str, values[:SHOWN])) + (", ..." if len(values) > SHOWN else "")
