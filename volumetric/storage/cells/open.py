"""A table of cells, opened: the format is told by the content, for text by the ending too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from volumetric.errors import InputError
from volumetric.storage.cells.cell_counter import ROOT, read_xml_places, read_yaml_places
from volumetric.storage.cells.columns import read_csv_places, read_parquet_places
from volumetric.storage.cells.detected import DetectedCells
from volumetric.storage.cells.places import Places, Unit, placed
from volumetric.storage.cells.source import CellsSource
from volumetric.storage.provenance import digest, files_identity
from volumetric.storage.volume_record import VolumeRecord

ACCEPTED = (
    "cells.parquet of `volumetric detect`, cells.xml or its YAML (cellfinder, BrainGlobe, Fiji's Cell Counter), a CSV "
    "or Parquet table with columns for z, y and x (napari's points too), or an .npy array of (n, 3) z, y, x"
)
TABLES = (".csv", ".tsv", ".txt")


def open_cells(
    path: Path,
    volume: VolumeRecord,
    *,
    unit: Unit | None = None,
    voxel_um: tuple[float, float, float] | None = None,
    cell_type: int | None = None,
) -> CellsSource:
    """The cells in a file, to be given regions by the registration of a volume.

    Args:
        path: the file.
        volume: that the atlas was fitted to; places of other tools are taken to be of it.
        unit: of places in a file that does not say it.
        voxel_um: of the image whose voxels they are, where it is not the volume.
        cell_type: the type of the markers to take, in a Cell Counter file.

    Raises `InputError` for a file that is missing or of no kind that is read, and for flags that contradict it.
    """
    if not path.is_file():
        raise InputError(f"there is no table of cells at {path}: give {ACCEPTED}")
    with path.open("rb") as file:
        first = file.read(4096)
    counter = first.lstrip().startswith(b"<") or ROOT.encode() in first
    if cell_type is not None and not counter:
        raise InputError(f"{path} has no types of markers: --cell-type is for cells.xml and its YAML, leave it out")
    if _is_ours(path, first):
        if unit or voxel_um:
            raise InputError(f"{path} says itself where its cells lie: leave --unit and --voxel-um out")
        return DetectedCells(path)
    found = _read(path, first, counter, cell_type)
    identity = digest([files_identity([path]), unit, voxel_um, cell_type, volume.as_json() | {"path": None}])
    return placed(str(path), identity, found, volume, unit=unit, voxel_um=voxel_um)


def _is_ours(path: Path, first: bytes) -> bool:
    if not first.startswith(b"PAR1"):
        return False
    try:
        return b"identity" in (pq.read_schema(path).metadata or {})
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is not a readable Parquet table: {error}") from error


def _read(path: Path, first: bytes, counter: bool, cell_type: int | None) -> Places:
    if counter:
        xml = first.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")
        return read_xml_places(path, cell_type) if xml else read_yaml_places(path, cell_type)
    if first.startswith(b"PAR1"):
        return read_parquet_places(path)
    if first.startswith(b"\x93NUMPY"):
        return _read_npy(path)
    if path.suffix.lower() in TABLES and b"\0" not in first:
        return read_csv_places(path)
    hint = "Save the sheet as CSV" if path.suffix.lower() in {".xlsx", ".xls", ".ods"} else f"Give {ACCEPTED}"
    raise InputError(f"{path} is no table of cells that can be read (it begins with {first[:8]!r}). {hint}")


def _read_npy(path: Path) -> Places:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path} cannot be read as .npy: {error}") from error
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in "iuf":
        raise InputError(f"{path} holds {array.dtype} of shape {array.shape}: expected numbers of (n, 3), z, y, x")
    return Places(array.astype(np.float64), None, ("its columns are taken for z, y, x",))
