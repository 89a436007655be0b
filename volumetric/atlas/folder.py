"""The plain atlas folder: a JSON header, a JSON list of structures and TIFF stacks.

    metadata.json     name, orientation, resolution (um), shape, symmetric
    structures.json   [{id, acronym, name, structure_id_path, rgb_triplet}, ...], parents before children
    reference.tiff    the template
    annotation.tiff   region ids, 0 outside the brain
    hemispheres.tiff  1 left, 2 right; absent where `symmetric` is true and the volume splits in the middle

Law: `read_atlas_folder(write_atlas_folder(atlas, path))` equals `atlas` in every array, type and region.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from volumetric.atlas.atlas import LEFT, RIGHT, Atlas
from volumetric.atlas.ontology import Ontology, Region
from volumetric.errors import InputError, OutputError
from volumetric.geometry.box import Index3
from volumetric.geometry.orientation import check_orientation
from volumetric.geometry.space import VoxelSpace, um3

METADATA, STRUCTURES = "metadata.json", "structures.json"
TEMPLATE, ANNOTATION, SIDES = "reference.tiff", "annotation.tiff", "hemispheres.tiff"


def read_atlas_folder(path: str | Path) -> Atlas:
    """The atlas in a folder; raises `InputError` naming the file that is absent or unfit."""
    folder = Path(path)
    absent = [name for name in (METADATA, STRUCTURES, TEMPLATE, ANNOTATION) if not (folder / name).is_file()]
    if absent:
        raise InputError(
            f"{folder} is not an atlas folder: {', '.join(absent)} not found there; expected {METADATA}, "
            f"{STRUCTURES}, {TEMPLATE} and {ANNOTATION}"
        )
    header = _read_json(folder / METADATA)
    try:
        name, orientation = str(header["name"]), check_orientation(header["orientation"])
        space = VoxelSpace(um3(header["resolution"]))
        regions = tuple(region_from_record(record) for record in _read_json(folder / STRUCTURES))
        symmetric = bool(header.get("symmetric", False))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{folder}: {METADATA} or {STRUCTURES} cannot be used: {error!r}") from error
    annotation = as_region_ids(tifffile.imread(folder / ANNOTATION), name)
    if (folder / SIDES).is_file():
        sides = tifffile.imread(folder / SIDES).astype(np.uint8)
    elif symmetric:
        z, y, x = annotation.shape
        sides = symmetric_hemispheres((z, y, x), orientation)
    else:
        raise InputError(
            f"{folder} does not say which side is left: add {SIDES} ({LEFT} left, {RIGHT} right), or, for an atlas "
            f'whose halves meet in the middle of the volume, `"symmetric": true` to {METADATA}'
        )
    return Atlas(
        name=name,
        space=space,
        orientation=orientation,
        template=tifffile.imread(folder / TEMPLATE),
        annotation=annotation,
        hemispheres=sides,
        ontology=Ontology(regions),
    )


def write_atlas_folder(atlas: Atlas, path: str | Path) -> Path:
    """Write the atlas as a new folder and return its path.

    The files are written beside it and the whole folder renamed, so half an atlas never looks whole. Raises
    `OutputError` where `path` exists and is not an empty folder, `InputError` for an atlas off the origin.
    """
    folder = Path(path)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} exists already and is left untouched; give a new or an empty folder")
    if atlas.space.origin_um != (0.0, 0.0, 0.0):
        raise InputError(f"an atlas folder starts at the origin, {atlas.name!r} at {atlas.space.origin_um}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
    try:
        _write_files(atlas, partial)
        partial.chmod(0o755)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return folder


def _write_files(atlas: Atlas, folder: Path) -> None:
    symmetric = np.array_equal(atlas.hemispheres, symmetric_hemispheres(atlas.shape, atlas.orientation))
    header = {
        "name": atlas.name,
        "orientation": atlas.orientation,
        "resolution": list(atlas.space.spacing_um),
        "shape": list(atlas.shape),
        "symmetric": bool(symmetric),
    }
    records = [
        {
            "id": region.region_id,
            "acronym": region.acronym,
            "name": region.name,
            "structure_id_path": [
                *reversed(atlas.ontology.ancestors(region.region_id)),
                region.region_id,
            ],
            "rgb_triplet": list(region.rgb),
        }
        for region in atlas.ontology.regions
    ]
    (folder / METADATA).write_text(json.dumps(header, indent=1), encoding="utf-8")
    (folder / STRUCTURES).write_text(json.dumps(records, indent=1), encoding="utf-8")
    stacks = {TEMPLATE: atlas.template, ANNOTATION: atlas.annotation}
    if not symmetric:
        stacks[SIDES] = atlas.hemispheres
    for name, stack in stacks.items():
        tifffile.imwrite(folder / name, stack, compression="zlib", photometric="minisblack", metadata=None)


def symmetric_hemispheres(shape: Index3, orientation: str) -> npt.NDArray[np.uint8]:
    """Left and right halves of an array; the middle plane of an odd number of planes is left."""
    orientation = check_orientation(orientation)
    axis = next(i for i, letter in enumerate(orientation) if letter in "lr")
    line = np.full(shape[axis], LEFT, dtype=np.uint8)
    line[: shape[axis] // 2] = RIGHT
    if orientation[axis] == "l":
        line = line[::-1]
    return np.broadcast_to(np.moveaxis(line[:, None, None], 0, axis), shape).copy()


def region_from_record(record: Mapping[str, Any]) -> Region:
    """A structure as BrainGlobe lists it: id, acronym, name, structure_id_path, rgb_triplet."""
    path = [int(i) for i in record["structure_id_path"]]
    red, green, blue = (int(c) for c in record.get("rgb_triplet") or (200, 200, 200))
    return Region(
        region_id=int(record["id"]),
        acronym=str(record["acronym"]),
        name=str(record["name"]),
        parent_id=path[-2] if len(path) > 1 else None,
        rgb=(red, green, blue),
    )


def as_region_ids(array: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint32]:
    """An annotation of any integer type as uint32; raises `InputError` for other values."""
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"atlas {name!r}: the annotation must hold integers, got {array.dtype}")
    if array.size and (int(array.min()) < 0 or int(array.max()) > np.iinfo(np.uint32).max):
        raise InputError(f"atlas {name!r}: region ids must lie in 0 to 2**32 - 1")
    return array.astype(np.uint32, copy=False)


def _read_json(path: Path) -> Any:  # noqa: ANN401 - what JSON holds is checked where it is used
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from error
