"""Markers of Fiji's Cell Counter, as cellfinder and BrainGlobe write them: cells.xml, and the YAML of newer versions.

Places are voxels x, y, z, of the array's own index. A type is a class: in cellfinder's files 2 is a cell and 1 a
candidate that is none, or that nobody has judged yet; Fiji's users give types the meaning that they like.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import yaml

from volumetric.errors import InputError
from volumetric.storage.cells.places import Places

CANDIDATE, CELL = 1, 2
ROOT = "CellCounter_Marker_File"

Marker = tuple[float, float, float]
"""z, y, x."""


def read_xml_places(path: Path, cell_type: int | None = None) -> Places:
    """The cells of a cells.xml; raises `InputError` where it is another kind of XML, damaged, or has unclear types."""
    markers: list[Marker] = []
    types: list[int] = []
    try:
        reading = ElementTree.iterparse(path, events=("start", "end"))
        _, root = next(reading)
        if root.tag != ROOT:
            raise InputError(f"{path} is XML of another kind, <{root.tag}>: expected <{ROOT}> of cellfinder or Fiji")
        for event, element in reading:
            if event == "end" and element.tag == "Marker_Type":
                kind = int(element.findtext("Type", ""))
                found = [_marker(marker) for marker in element.iter("Marker")]
                markers += found
                types += [kind] * len(found)
                element.clear()
    except (ElementTree.ParseError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is damaged, or no Cell Counter file: {error}") from error
    return _of_type(path, markers, types, cell_type)


def read_yaml_places(path: Path, cell_type: int | None = None) -> Places:
    """The cells of BrainGlobe's YAML; raises `InputError` as `read_xml_places`."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with path.open("rb") as file:
            held: Any = yaml.load(file, Loader=loader)
        rows = held["candidate_cells"]
        markers = [(float(row["z"]), float(row["y"]), float(row["x"])) for row in rows]
        types = [int(row["type"]) for row in rows]
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as BrainGlobe's cells ({type(error).__name__}: {error}): expected a list "
            "candidate_cells of x, y, z and type"
        ) from error
    return _of_type(path, markers, types, cell_type)


def _marker(element: ElementTree.Element) -> Marker:
    z, y, x = (float(element.findtext(f"Marker{axis}", "")) for axis in "ZYX")
    return z, y, x


def _of_type(path: Path, markers: list[Marker], types: list[int], wanted: int | None) -> Places:
    """The markers of one type: the wanted one, the only one, or cellfinder's cells among its candidates."""
    counts = Counter(types)
    listed = ", ".join(f"{n:,} of type {kind}" for kind, n in sorted(counts.items()))
    if wanted is None:
        if set(counts) == {CANDIDATE, CELL}:
            wanted = CELL
        elif len(counts) > 1:
            raise InputError(f"{path} has markers of several types, {listed}: say with --cell-type which are cells")
        else:
            wanted = next(iter(counts), CELL)
    elif wanted not in counts:
        raise InputError(f"{path} has no markers of type {wanted}, but {listed or 'none at all'}")
    zyx = np.array(markers, dtype=np.float64).reshape(-1, 3)[np.array(types, dtype=np.int64) == wanted]
    left = len(markers) - len(zyx)
    notes = (f"markers of type {wanted} are taken for cells, {left:,} others are left out",) if left else ()
    if not left and wanted == CANDIDATE:
        notes = ("all markers are of type 1, cellfinder's for candidates that nobody has judged",)
    return Places(zyx, "voxel", notes)
