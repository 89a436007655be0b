"""The atlas' columns of the table of cells, as Arrow: ten million rows are no loop of Python's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from volumetric.atlas.labels import Assignment
from volumetric.atlas.ontology import Ontology
from volumetric.atlas.sides import HEMISPHERES
from volumetric.errors import InputError
from volumetric.points.table import COLUMNS


@dataclass(frozen=True)
class Acronyms:
    """The names of regions by sorted id."""

    ids: npt.NDArray[np.int64]
    names: pa.Array

    @classmethod
    def of(cls, ontology: Ontology) -> Acronyms:
        """All regions of an atlas."""
        ids = np.sort(np.asarray(ontology.ids, dtype=np.int64))
        return cls(ids, pa.array([ontology[int(i)].acronym for i in ids], pa.string()))

    def __call__(self, region_id: npt.NDArray[np.int64]) -> pa.Array:
        """The acronym of each of (n,) ids of the atlas, null for 0."""
        return _named(np.searchsorted(self.ids, region_id), self.names, region_id > 0)


def with_regions(cells: pa.Table, found: Assignment, acronyms: Acronyms) -> pa.Table:
    """The cells with the columns of their regions, in the order of the table; null where a cell has none.

    Raises `InputError` where a column of the cells themselves is missing.
    """
    inside, region_id = found.in_atlas, found.region_id.astype(np.int64)
    sides = pa.array([HEMISPHERES[code] for code in sorted(HEMISPHERES)])
    columns = {
        "region_id": pa.array(region_id),
        "acronym": acronyms(region_id),
        "hemisphere": _named(found.hemisphere.astype(np.int64) - min(HEMISPHERES), sides, inside),
        "in_atlas": pa.array(inside),
        **{
            f"atlas_{axis}_um": pa.array(np.where(inside, found.atlas_um[:, number], np.nan), from_pandas=True)
            for number, axis in enumerate("zyx")
        },
    }
    missing = [name for name in COLUMNS if name not in columns and name not in cells.column_names]
    if missing:
        raise InputError(f"the cells table lacks the columns {', '.join(missing)}")
    return pa.table({name: columns[name] if name in columns else cells[name] for name in COLUMNS})


def side_codes(hemisphere: pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    """The code of each named side, 0 for null."""
    codes = np.zeros(len(hemisphere), dtype=np.uint8)
    for code, name in HEMISPHERES.items():
        codes[pc.fill_null(pc.equal(hemisphere, name), False).to_numpy()] = code
    return codes


def _named(index: npt.NDArray[np.int64], names: pa.Array, known: npt.NDArray[np.bool_]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.where(known, index, 0), mask=~known), names).dictionary_decode()
