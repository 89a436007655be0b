"""Files for napari: the cells as a points layer over the brain with its regions in colour, all in um of the sample.

points.csv        every cell, for napari's own reader: index, axis-0 to axis-2 (z, y, x), then features
brain.ome.zarr    the image the atlas was fitted to, at the resolution of the atlas, and below it
  labels/regions  the region of every voxel with colours, acronyms and names, for napari-ome-zarr
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.export.contents import Contents
from pipelines.export.finished import FinishedRun
from pipelines.report.inputs import RunInputs, open_run
from pipelines.report.regions import region_rows
from volumetric.geometry.box import Box
from volumetric.storage.atomic import read_json, write_json
from volumetric.storage.levels import plan_levels
from volumetric.storage.omezarr import create_volume, describe_volume, set_display_range
from volumetric.storage.volume import StoredLevel

POINTS, BRAIN, LABELS = "points.csv", "brain.ome.zarr", "regions"
AXES = {f"{axis}_um": f"axis-{number}" for number, axis in enumerate("zyx")}
FEATURES = ["cell_id", "region_id", "acronym", "hemisphere", "score", "radius_um"]
PROBABILITY = "probability"

BYTES_PER_CELL = 120
SHOWN_PERCENTILES = (1, 99.8)


def contents(run: FinishedRun) -> Contents:
    """What will be written; raises `InputError` where the run's image is no longer there."""
    inputs = open_run(run.folder)
    level = _level(inputs)
    voxels = int(np.prod(level.shape, dtype=np.int64))
    item = np.dtype(inputs.reference.dtype).itemsize
    return Contents(
        files=(POINTS, BRAIN),
        size_bytes=BYTES_PER_CELL * run.cells + (item + 4) * voxels,
        memory_bytes=500 * 2**20 + 12 * voxels,
        outside="kept, without a region",
        readme=(
            "Install with `pip install napari napari-ome-zarr`, run `napari --plugin napari-ome-zarr brain.ome.zarr`, "
            "drop points.csv into the window and make the regions visible.",
            "All coordinates are um of the sample, in the order z, y, x.",
        ),
        write=partial(_write, run, inputs),
    )


def _write(run: FinishedRun, inputs: RunInputs, folder: Path) -> None:
    _write_points(run, folder / POINTS)
    _write_brain(inputs, folder / BRAIN)
    _write_labels(run, inputs, folder / BRAIN)


def _write_points(run: FinishedRun, path: Path) -> None:
    """Pieces of the table; texts are empty where null, and probabilities left out where they all are."""
    calibrated = any(piece[PROBABILITY].notna().any() for piece in run.pieces([PROBABILITY]))
    columns = [*AXES, *FEATURES, *([PROBABILITY] if calibrated else [])]
    done = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        for piece in run.pieces(columns):
            rows = piece.rename(columns=AXES).fillna({"acronym": "", "hemisphere": ""})
            rows.insert(0, "index", np.arange(done, done + len(rows)))
            rows.to_csv(file, index=False, header=done == 0, na_rep="nan", lineterminator="\n")
            done += len(rows)


def _level(inputs: RunInputs) -> StoredLevel:
    """The coarsest level of the image that is as fine as the labels."""
    return inputs.reference.levels[inputs.reference.nearest_level(min(inputs.labels.space.spacing_um))]


def _write_brain(inputs: RunInputs, path: Path) -> None:
    """One channel and one level of the image as a volume of its own."""
    stored, volume = _level(inputs), inputs.reference
    box = Box.of_shape(stored.shape)
    image = volume.read(box, volume.levels.index(stored), volume.channel_index(inputs.reference_channel))
    levels = plan_levels(stored.shape, stored.space)[:1]
    copy = describe_volume(
        path, levels, (inputs.reference_channel,), volume.dtype, orientation=inputs.orientation, identity="export"
    )
    create_volume(copy, levels)
    copy.write(box, image)
    low, high = np.percentile(image.astype(np.float32), SHOWN_PERCENTILES)
    set_display_range(copy, [(low, max(high, low + 1))])


def _write_labels(run: FinishedRun, inputs: RunInputs, brain: Path) -> None:
    """The registration's labels, with what NGFF calls an image-label: colours and texts of every value."""
    group = brain / "labels" / LABELS
    shutil.copytree(inputs.labels.path, group)
    header = read_json(group / "zarr.json")
    ome = header["attributes"]["ome"]
    del ome["omero"]  # display ranges of an image, which a viewer would apply to the region ids
    ome["image-label"] = image_label(run.regions)
    write_json(group / "zarr.json", header)
    listed = {"ome": {"version": ome["version"], "labels": [LABELS]}}
    write_json(group.parent / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": listed})


def image_label(regions: pd.DataFrame) -> dict[str, object]:
    """NGFF's colours and properties of the regions; outside the brain is transparent."""
    rows = region_rows(regions)
    colours = [{"label-value": row.region_id, "rgba": [*(round(255 * c) for c in row.colour), 255]} for row in rows]
    return {
        "colors": [{"label-value": 0, "rgba": [0, 0, 0, 0]}, *colours],
        "properties": [{"label-value": row.region_id, "acronym": row.acronym, "name": row.name} for row in rows],
        "source": {"image": "../../"},
    }
