"""Which regions are compared: a level of the hierarchy on which no region holds another and no cell counts twice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from volumetric.errors import InputError

MOST_REGIONS = 350
"""The default level is the finest with at most as many: in the Allen atlas that of
areas such as FRP, MO and SS (320 regions)."""

Parents = Mapping[int, int | None]
"""Region -> parent, None for a root; in the atlas' order."""


def cut(parents: Parents, depth: int, within: Collection[int] | None = None) -> tuple[int, ...]:
    """The regions `depth` steps below the root and the leaves above them: every leaf is below exactly one of them.

    Args:
        parents: the hierarchy.
        depth: 0 for the roots.
        within: the only regions to take; all by default.

    Raises `InputError` for a negative depth and where nothing is left.

    >>> cut({1: None, 2: 1, 3: 1, 4: 2, 5: 2}, 2)
    (3, 4, 5)
    """
    lengths = {region: len(_line(parents, region)) for region in parents}
    inner = {parent for parent in parents.values() if parent is not None}
    allowed = set(parents if within is None else within)
    found = tuple(
        region
        for region, length in lengths.items()
        if (length == depth + 1 or (length <= depth and region not in inner)) and region in allowed
    )
    if depth < 0 or not found:
        raise InputError(
            f"no region lies at depth {depth}{'' if within is None else ' among the regions chosen'}: the hierarchy "
            f"has depths 0 to {max(lengths.values(), default=1) - 1}, and the regions chosen must not lie deeper"
        )
    return found


def default_depth(parents: Parents, most: int = MOST_REGIONS) -> int:
    """The deepest cut of at most `most` regions; no deeper than the deepest region."""
    depth = 0
    deepest = max(len(_line(parents, region)) - 1 for region in parents)
    while depth < deepest and len(cut(parents, depth + 1)) <= most:
        depth += 1
    return depth


def overlapping(parents: Parents, regions: Iterable[int]) -> list[tuple[int, int]]:
    """Pairs (outer, inner) of chosen regions of which one holds the other."""
    chosen = list(dict.fromkeys(regions))
    return [(outer, inner) for inner in chosen for outer in _line(parents, inner)[1:] if outer in set(chosen)]


def divisions(parents: Parents, regions: Iterable[int], most: int) -> dict[int, int]:
    """Each region's large part of the hierarchy: how a picture of many regions is cut.

    From the roots, the part with most regions is split into its children, as long as there are at most `most` parts and
    the part is a good deal larger than an even share.
    """
    lines = {region: _line(parents, region)[::-1] for region in regions}
    part = {region: 0 for region in lines}  # position of the part on the line of each region
    fixed: set[int] = set()
    while True:
        members: dict[int, list[int]] = {}
        for region, at in part.items():
            members.setdefault(lines[region][at], []).append(region)
        large = [key for key, inside in members.items() if key not in fixed and len(inside) * most > 2 * len(lines)]
        if not large:
            return {region: lines[region][at] for region, at in part.items()}
        chosen = max(large, key=lambda key: len(members[key]))
        finer = {region: min(part[region] + 1, len(lines[region]) - 1) for region in members[chosen]}
        children = {lines[region][at] for region, at in finer.items()}
        if len(members) - 1 + len(children) > most or children == {chosen}:
            fixed.add(chosen)
        else:
            part.update(finer)


def _line(parents: Parents, region: int) -> list[int]:
    """The region, its parent and so on to the root."""
    line = [region]
    while (parent := parents[line[-1]]) is not None:
        line.append(parent)
    return line
