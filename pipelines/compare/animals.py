"""Are the brains of a study different animals, counted with one atlas? Told by what the runs hold, not by names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from volumetric.errors import InputError
from volumetric.statistics.same_animal import alike
from volumetric.storage.provenance import digest

EACH = "Each line of a design is another animal: take one of them out, or give the run folder that was meant"


def check_one_atlas(brains: Sequence[str], atlases: Sequence[Mapping[str, Any]]) -> None:
    """Raise `InputError` where brains were counted with atlases of different names, versions or contents.

    Args:
        brains: names.
        atlases: `name` and, where they are known, `version` and `identity`.
    """
    for key in ("name", "version", "identity"):
        known = [(brain, atlas) for brain, atlas in zip(brains, atlases, strict=True) if atlas.get(key)]
        for brain, atlas in known[1:]:
            first, one = known[0]
            if atlas[key] != one[key]:
                differ = "atlases" if key == "name" else "versions of an atlas"
                raise InputError(
                    f"the brains {first!r} and {brain!r} were counted with different {differ}, {_named(one)} and "
                    f"{_named(atlas)}: count all brains of a study with one atlas"
                )


def _named(atlas: Mapping[str, Any]) -> str:
    version = f" version {atlas['version']}" if atlas.get("version") else ""
    content = f" (contents {str(atlas['identity'])[:8]})" if atlas.get("identity") else ""
    return f"{atlas['name']!r}{version}{content}"


def check_different(
    brains: Sequence[str], groups: Sequence[str], images: Sequence[Iterator[str]], tables: Sequence[pd.DataFrame]
) -> list[str]:
    """Refuse an animal that was given twice: runs of the same images, or with the same counts in all regions.

    Args:
        brains: names.
        groups: of the brains.
        images: of each brain, the identities of its images that are known.
        tables: of each brain, columns of `regions.csv`.

    Returns:
        Doubts: pairs with the same registration but other counts, or with counts too much alike.

    Raises `InputError` that names the two brains.
    """
    seen: dict[str, str] = {}
    for brain, known in zip(brains, images, strict=True):
        for image in known:
            other = seen.setdefault(image, brain)
            if other != brain:
                raise InputError(f"the brains {other!r} and {brain!r} were counted from the same images. {EACH}")
    doubts = []
    for pair in alike(tables):
        one, other = (f"{brains[i]!r} (group {groups[i]!r})" for i in (pair.first, pair.second))
        if pair.counts:
            swapped = ", left and right swapped" * pair.mirrored
            raise InputError(
                f"the brains {one} and {other} have the same number of cells in all regions{swapped}: they are one "
                f"animal, counted twice or copied. {EACH}"
            )
        why = (
            "the same volume in all regions, as two counts of one animal have"
            if pair.volumes
            else "numbers of cells that are more alike than chance allows those of two animals to be"
        )
        doubts.append(f"the brains {one} and {other} have {why}: if they are one, take one of them out")
    return doubts


def identities_of(record: Mapping[str, Any], metadata: Mapping[str, str]) -> Iterator[str]:
    """Identities of the images that a run was made from, as it keeps them.

    Args:
        record: `run.json`.
        metadata: of `cells.parquet`; `volume` is the JSON record of a volume, where it is kept.
    """
    inputs = record.get("inputs") or {}
    images = (inputs.get("ingest", {}).get("source"), inputs.get("detect", {}).get("volume"))
    yield from (digest(image) for image in images if image)
    kept = json.loads(metadata.get("volume", "{}")).get("identity")
    if kept:
        yield digest(kept)
