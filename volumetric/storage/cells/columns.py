"""Tables of points with named columns: CSV of any separator, Parquet. The names say the axis, and mostly the unit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from volumetric.errors import InputError
from volumetric.storage.cells.places import Places, Unit

UNITS: dict[str, tuple[Unit | None, float]] = {
    "": (None, 1.0),
    **dict.fromkeys(("vox", "voxel", "voxels", "px", "pix", "pixel", "pixels"), ("voxel", 1.0)),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "micrometers"), ("um", 1.0)),
    "mm": ("um", 1000.0),
}
"""After an axis in a column's name -> the unit, and how much of it one is."""

AXIS = re.compile(
    r"(?:(?:pos|position|coord|coordinate|centroid|centre|center|cell|raw)[ _.-]*)?"
    r"([zyx])[ _.-]*[(\[]?([^\W\d_]*)[)\]]?",
    re.IGNORECASE,
)
NUMBERED = re.compile(r"(axis|centroid|coordinate_raw_axis)[ _-]?(\d)", re.IGNORECASE)
"""napari's and scikit-image's columns, in the order of the image's axes, and those of BrainGlobe's all_points.csv."""

EXPECTED = (
    "expected columns z_um, y_um, x_um or z_vox, y_vox, x_vox, or, with --unit, z, y, x or napari's axis-0, axis-1, "
    "axis-2"
)
SEPARATORS = (",", ";", "\t")


def read_csv_places(path: Path) -> Places:
    """The places of a CSV; raises `InputError` that names what is missing, or the line that is no number."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            separator = max(SEPARATORS, key=file.readline().count)
        names = list(pd.read_csv(path, sep=separator, nrows=0, encoding="utf-8-sig").columns)
        columns, unit, factor = _choose(path, names)
        table = pd.read_csv(
            path, sep=separator, usecols=columns, dtype=str, encoding="utf-8-sig", skipinitialspace=True
        )
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path} cannot be read as CSV (UTF-8): {error}") from error
    if separator == ";":
        table = table.apply(lambda column: column.str.replace(",", ".", regex=False))
    zyx = table[columns].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(~np.isfinite(zyx).all(axis=1))
    if len(bad):
        row = table[columns].iloc[bad[0]].to_dict()
        raise InputError(f"{path}, line {bad[0] + 2}: a place is three numbers, got {row}")
    return Places(zyx * factor, unit, _said(columns))


def read_parquet_places(path: Path) -> Places:
    """The places of a Parquet table of another tool; raises `InputError` where it has none."""
    names = pq.read_schema(path).names
    columns, unit, factor = _choose(path, names)
    table = pq.read_table(path, columns=columns).to_pandas()
    return Places(table[columns].to_numpy(np.float64) * factor, unit, _said(columns))


def _said(columns: list[str]) -> tuple[str, ...]:
    return (f"z, y, x are its columns {', '.join(columns)}",)


def _choose(path: Path, names: Iterable[str]) -> tuple[list[str], Unit | None, float]:
    """The columns of z, y and x, their unit and how much of it one is."""
    found: dict[str, dict[str, str]] = {}
    for name in map(str, names):
        if match := AXIS.fullmatch(name.strip()):
            axis, unit = match[1].lower(), match[2].lower()
            if unit in UNITS:
                found.setdefault(unit, {}).setdefault(axis, name)
        elif match := NUMBERED.fullmatch(name.strip()):
            kind = match[1].lower()
            found.setdefault(kind, {})["zyx"[int(match[2])] if int(match[2]) < 3 else match[2]] = name
    whole = {kind: columns for kind, columns in found.items() if set("zyx") <= set(columns)}
    if not whole:
        listed = ", ".join(map(str, names))
        raise InputError(f"{path} has no three columns of places, only {listed or 'none'}: {EXPECTED}")
    kind = min(whole, key=_rank)
    columns = whole[kind]
    if len(columns) > 3:
        raise InputError(
            f"{path} has points of {len(columns)} axes: {EXPECTED}; take out the time or channel axis first"
        )
    unit, factor = UNITS.get(kind, ("voxel", 1.0) if kind.startswith("coordinate_raw") else (None, 1.0))
    return [columns[axis] for axis in "zyx"], unit, factor


def _rank(kind: str) -> int:
    """Columns that say their unit come first, um before voxels, which are often rounded."""
    unit = UNITS.get(kind, (None, 1.0))[0]
    return {"um": 0, "voxel": 1, None: 2}[unit]
