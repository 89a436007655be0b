"""Regions as people write them: `Isocortex, HPF`, `315, Hippocampal formation`, `CTX, -OLF`.

A selection is a list of terms with commas between. A term is an acronym, a name or an id of the atlas, and with `-` in
front it takes regions away.

- Spaces around terms do not matter, nor how many stand inside one. Capitals do not matter where only one region can be
  meant; `Or` and `OR` stay two regions where both exist.
- A comma may be part of a term (`CUL4, 5`): the longest run of parts that is a region is taken.
- A number is an id or an acronym, whichever exists; where it is both, of two regions, `id:3` is asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from volumetric.atlas.ontology import Ontology
from volumetric.errors import InputError

EXCEPT, BY_ID = "-", "id:"
SUGGESTIONS = 3


def select(ontology: Ontology, text: str) -> tuple[int, ...]:
    """Ids of the regions that a text names, in the order of the hierarchy, each once.

    A term with `-` takes a region and everything below it away; where there are only such terms, it is from all
    regions. Raises `InputError` for an empty text, and for a term that is no region, with what it may have meant, or
    that is several.
    """
    included, excluded = _read(ontology, text)
    if not included:
        included = set(ontology.ids)
    return _in_order(ontology, included - set(with_descendants(ontology, excluded)))


def select_with_descendants(ontology: Ontology, text: str) -> tuple[int, ...]:
    """As `select`, and everything below the regions named; what is taken away stays away."""
    included, excluded = _read(ontology, text)
    if not included:
        included = set(ontology.ids)
    away = set(with_descendants(ontology, excluded))
    return _in_order(ontology, set(with_descendants(ontology, included)) - away)


def owners(ontology: Ontology, text: str) -> dict[int, int]:
    """Each region of `select_with_descendants` -> the named one that it is or lies in, the nearest above it."""
    named = set(select(ontology, text))
    return {
        region_id: next(i for i in (region_id, *ontology.ancestors(region_id)) if i in named)
        for region_id in select_with_descendants(ontology, text)
    }


def with_descendants(ontology: Ontology, region_ids: Iterable[int]) -> tuple[int, ...]:
    """Regions and everything below them, in the order of the hierarchy, each once."""
    found: set[int] = set()
    for region_id in region_ids:
        if region_id not in found:
            found.update((region_id, *ontology.descendants(region_id)))
    return _in_order(ontology, found)


def _in_order(ontology: Ontology, region_ids: set[int]) -> tuple[int, ...]:
    return tuple(region.region_id for region in ontology.in_order() if region.region_id in region_ids)


def _read(ontology: Ontology, text: str) -> tuple[set[int], set[int]]:
    """The regions named, and those to take away."""
    parts = [_plain(part) for part in text.split(",") if part.strip()]
    if not parts:
        raise InputError("no region is named: give acronyms, names or ids with commas between, for example HPF, 315")
    names = _Names.of(ontology)
    included: set[int] = set()
    excluded: set[int] = set()
    while parts:
        found = _first_term(names, parts)
        if found is None:
            raise InputError(_unknown(ontology, parts[0].removeprefix(EXCEPT)))
        (excluded if found.away else included).add(_only(ontology, found))
        parts = parts[found.length :]
    return included, excluded


@dataclass(frozen=True)
class _Names:
    """What may be written -> the regions it may mean: as it stands, and without regard to capitals."""

    exact: dict[str, set[int]]
    folded: dict[str, set[int]]
    longest: int

    @classmethod
    def of(cls, ontology: Ontology) -> _Names:
        exact: dict[str, set[int]] = {}
        for region in ontology.regions:
            number = str(region.region_id)
            for key in (region.acronym, region.name, number, BY_ID + number):
                exact.setdefault(_plain(key), set()).add(region.region_id)
        exact.pop("", None)
        folded: dict[str, set[int]] = {}
        for key, region_ids in exact.items():
            folded.setdefault(key.casefold(), set()).update(region_ids)
        return cls(exact, folded, longest=1 + max((key.count(",") for key in exact), default=0))

    def meant(self, key: str) -> set[int]:
        return self.exact.get(key) or self.folded.get(key.casefold()) or set()


@dataclass(frozen=True)
class _Term:
    """The first `length` parts of a text, and the regions they may mean."""

    text: str
    length: int
    away: bool
    matches: set[int]


def _first_term(names: _Names, parts: list[str]) -> _Term | None:
    for length in range(min(names.longest, len(parts)), 0, -1):
        term = ", ".join(parts[:length])
        for away, key in ((False, term), (True, _plain(term.removeprefix(EXCEPT)))):
            matches = names.meant(key)
            if matches:
                return _Term(key, length, away, matches)
    return None


def _only(ontology: Ontology, term: _Term) -> int:
    if len(term.matches) > 1:
        listed = "; ".join(f"{BY_ID}{i} is {_title(ontology, i)}" for i in _in_order(ontology, term.matches))
        raise InputError(
            f"{term.text!r} may be {len(term.matches)} regions: {listed}. Write the one you mean by its id"
        )
    return next(iter(term.matches))


def _plain(text: str) -> str:
    """One space where there are several, one after each comma, none at the ends."""
    return ", ".join(" ".join(part.split()) for part in text.split(","))


def _unknown(ontology: Ontology, term: str) -> str:
    written = {key.casefold(): r.region_id for r in ontology.regions for key in (r.name, r.acronym)}
    near = difflib.get_close_matches(term.casefold(), written, n=2 * SUGGESTIONS)
    likely = list(dict.fromkeys(written[key] for key in near))[:SUGGESTIONS]
    hint = "did you mean " + ", ".join(_title(ontology, i) for i in likely) + "?" if likely else "none is like it."
    return f"the atlas has no region {term!r}: {hint} Give acronyms, names or ids with commas between"


def _title(ontology: Ontology, region_id: int) -> str:
    region = ontology[region_id]
    return f"{region.acronym} ({region.name})"
