"""The plain atlas folder: a JSON header, a JSON list of structures and TIFF stacks.

    metadata.json     name, orientation, resolution (um), shape, symmetric, version
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
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from volumetric.atlas.assemble import assemble
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.resolution import atlas_space
from volumetric.atlas.sides import LEFT, RIGHT, symmetric_hemispheres
from volumetric.errors import InputError, OutputError
from volumetric.geometry.box import Index3, index3
from volumetric.geometry.orientation import check_orientation

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
    header, records = _read_json(folder / METADATA), _read_json(folder / STRUCTURES)
    lacking = [
        key for key in ("name", "orientation", "resolution") if not isinstance(header, dict) or key not in header
    ]
    if lacking or not isinstance(records, list):
        what = f"{METADATA} does not state {', '.join(lacking)}" if lacking else f"{STRUCTURES} is no list"
        raise InputError(f"{folder}: {what}. Expected a JSON object with name, orientation and resolution (um)")
    name, orientation = str(header["name"]), check_orientation(str(header["orientation"]))
    shape = _shape(folder / ANNOTATION)
    stated = header.get("shape", shape)
    if list(stated) != list(shape):
        raise InputError(f"{folder}: {METADATA} says the shape is {stated}, but {ANNOTATION} has {list(shape)} voxels")
    space = atlas_space(header["resolution"], shape, name)
    return assemble(
        name=name,
        version=None if header.get("version") is None else str(header["version"]),
        space=space,
        orientation=orientation,
        template=tifffile.imread(folder / TEMPLATE),
        annotation=tifffile.imread(folder / ANNOTATION),
        hemispheres=_hemispheres(folder, bool(header.get("symmetric", False)), shape, orientation),
        records=records,
    )


def _shape(path: Path) -> Index3:
    """Of a stack, from its header alone."""
    with tifffile.TiffFile(path) as file:
        shape = file.series[0].shape
    if len(shape) != 3:
        raise InputError(f"{path} has {len(shape)} axes: an atlas has three, z, y, x")
    return index3(shape)


def _hemispheres(folder: Path, symmetric: bool, shape: Index3, orientation: str) -> npt.NDArray[Any]:
    if (folder / SIDES).is_file():
        return np.asarray(tifffile.imread(folder / SIDES))
    if symmetric:
        return symmetric_hemispheres(shape, orientation)
    raise InputError(
        f"{folder} does not say which side is left: add {SIDES} ({LEFT} left, {RIGHT} right), or, for an atlas "
        f'whose halves meet in the middle of the volume, `"symmetric": true` to {METADATA}'
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
        **({} if atlas.version is None else {"version": atlas.version}),
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


def _read_json(path: Path) -> Any:  # noqa: ANN401 - what JSON holds is checked where it is used
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from error
