"""One self-contained page from a run folder: pictures inside, no network, no script from elsewhere.

Only files of the run folder are read. The image is read from coarse levels for planes and in small boxes for crops;
of the cells, a few columns at a time: ten million of them took 1.8 GB at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from pipelines.report import tables
from pipelines.report.anatomy import View, views
from pipelines.report.brain import Brain, find_brain
from pipelines.report.charts import empty_slices, histogram_figure, slices_figure
from pipelines.report.crops import choose_crops, crop_figure, crop_side, display_range, in_crop
from pipelines.report.density import density_figure, profile_figure, projected_counts, smoothing_um
from pipelines.report.inputs import RunInputs, open_run
from pipelines.report.picture import Picture, encode
from pipelines.report.planes import overlay_figure
from pipelines.report.regions import RegionRow, brain_total, region_rows, shown_depth, top_regions
from pipelines.verdict import MEANING
from pipelines.workspace import RunFolder
from volumetric.findings import Verdict
from volumetric.storage.atomic import write_text

WIDTH_IN = 10.8
"""Width of the page's pictures: 1037 CSS pixels."""

CROP_SEED = 1
MARK = "†"
_POSITIONS = {"coronal": (0.25, 0.5, 0.75), "sagittal": (0.25, 0.4, 0.6), "horizontal": (0.3, 0.5, 0.7)}


@dataclass(frozen=True)
class CropPicture:
    """A crop as the page shows it."""

    picture: Picture
    kind: str
    region: str
    slice_number: int
    cells: int


def write_report(run: RunFolder) -> Path:
    """Write `report.html` of a finished run, whole or not at all, and return its path.

    The same run gives the same bytes. Raises `InputError` where the run is not finished or its volume is gone.
    """
    inputs = open_run(run)
    rows = region_rows(inputs.regions)
    brain = find_brain(inputs.labels)
    alarm = bool(inputs.record.get("too_coarse", False))
    shown = views(inputs.orientation)
    verdict = Verdict.from_json(inputs.record["findings"])
    page = _environment(alarm).get_template("template.html.j2")
    text = page.render(
        title=run.path.resolve().name,
        record=inputs.record,
        quality=inputs.quality,
        verdict=verdict,
        meaning=MEANING[verdict.grade],
        alarm=alarm,
        mark=MARK,
        volume_mm3=brain_total(rows, "both", "volume_mm3"),
        sides={side: _side(rows, side) for side in ("left", "right")},
        rows=rows,
        first_depth=shown_depth(rows),
        has_expected=any(row.both["expected"] is not None for row in rows),
        most={key: max((row.both[key] or 0 for row in rows), default=0) for key in ("count", "density_per_mm3")},
        top=top_regions(rows),
        figures=tables.figures(inputs.quality, inputs.record["atlas"].get("resolution_um")),
        overlays=_overlays(inputs, shown, brain, rows),
        **_maps(inputs, shown, brain, alarm),
        crops=_crops(inputs, rows),
        **_histograms(inputs, alarm),
        stages=tables.stage_rows(inputs.record["stages"]),
        total_time=tables.duration(sum(stage.get("seconds") or 0 for stage in inputs.record["stages"].values())),
        settings={name: tables.flatten(inputs.record[name]) for name in ("config", "inputs", "versions")},
    )
    write_text(run.report, text)
    return run.report


def _environment(alarm: bool) -> jinja2.Environment:
    """Templates with everything from data escaped; counts are marked where the voxels are too coarse for cells."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipelines.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def count(text: str) -> Markup:
        mark = Markup("<sup>{}</sup>").format(MARK) if alarm and text != tables.NONE else ""
        return Markup('<span class="count">{}{}</span>').format(text, mark)

    environment.filters |= {
        "whole": tables.whole,
        "decimal": tables.decimal,
        "short": "{:g}".format,
        "percent": tables.percent,
        "duration": tables.duration,
        "count": count,
    }
    return environment


def _side(rows: list[RegionRow], side: str) -> dict[str, float | None]:
    count, volume = (brain_total(rows, side, figure) for figure in ("count", "volume_mm3"))
    density = count / volume if count is not None and volume else None
    return {"count": count, "volume": volume, "density": density}


def _overlays(inputs: RunInputs, shown: tuple[View, ...], brain: Brain, rows: list[RegionRow]) -> list[Picture]:
    colours = {row.region_id: row.colour for row in rows}
    pictures = []
    for view in shown:
        panels = [(view, share) for share in _POSITIONS[view.name]]
        figure = overlay_figure(
            inputs.reference,
            inputs.reference_channel,
            inputs.labels,
            brain=brain,
            rows=[panels],
            colours=colours,
            width_in=WIDTH_IN,
        )
        text = f"Three {view.name} planes of the brain with the borders of the atlas regions"
        pictures.append(encode(figure, "jpg", text))
    return pictures


def _maps(inputs: RunInputs, shown: tuple[View, ...], brain: Brain, alarm: bool) -> Mapping[str, Any]:
    placed = inputs.column("in_atlas") > 0
    um = inputs.column("z_um", "y_um", "x_um")[placed]
    maps = density_figure(projected_counts(um, brain), shown, brain, WIDTH_IN, alarm)
    sides = {name: um[inputs.matches("hemisphere", name)[placed], shown[0].cut] for name in ("left", "right")}
    profile = profile_figure(sides, shown[0], brain, WIDTH_IN, alarm)
    return {
        "smoothing_um": smoothing_um(brain),
        "maps": encode(maps, "jpg", "Cell density seen along three axes, as colours inside the brain's outline"),
        "profile": encode(profile, "png", "Cells per millimetre from front to back, left and right"),
    }


def _crops(inputs: RunInputs, rows: list[RegionRow]) -> list[CropPicture]:
    volume, channel = inputs.signal, inputs.signal_channel
    vox, region_id = inputs.column("z_vox", "y_vox", "x_vox"), inputs.column("region_id").astype(np.int64)
    n_slices, radius_px = inputs.column("n_slices"), inputs.column("radius_um") / np.mean(volume.space.spacing_um[1:])
    chosen = choose_crops(vox, region_id, volume.shape, crop_side(volume.space, volume.shape), CROP_SEED)
    ranges = [display_range(volume.read(crop.box, 0, channel)[0].astype(np.float64)) for crop in chosen]
    span = float(np.median([high - low for low, high in ranges])) / 2 if ranges else 0.0
    names = {row.region_id: row.name for row in rows}
    pictures = []
    for crop in chosen:
        seen = in_crop(crop, vox, n_slices)
        cells = np.column_stack([vox[seen, 1:], radius_px[seen]])
        region = names.get(crop.region_id, "outside the atlas")
        text = f"Slice {crop.box.start[0]}, {region}: the image, and the image with {len(cells)} circled cells"
        figure = crop_figure(volume, channel, crop, cells, least_span=span, width_in=WIDTH_IN / 2 - 0.15)
        pictures.append(CropPicture(encode(figure, "jpg", text), crop.kind, region, crop.box.start[0], len(cells)))
    return pictures


def _histograms(inputs: RunInputs, alarm: bool) -> Mapping[str, Any]:
    columns: dict[str, npt.NDArray[np.float64]] = {
        "score": inputs.column("score"),
        "slices a cell is seen in": inputs.column("n_slices"),
        "radius (µm)": inputs.column("radius_um"),
    }
    slices = np.floor(inputs.column("z_vox") + 0.5).astype(np.int64)
    depth = inputs.signal.shape[0]
    per_slice = np.bincount(np.clip(slices, 0, depth - 1), minlength=depth)
    return {
        "histograms": encode(
            histogram_figure(columns, WIDTH_IN, alarm), "png", "Histograms of score, number of slices and radius"
        ),
        "slices": encode(slices_figure(per_slice, WIDTH_IN, alarm), "png", "Number of cells in each slice"),
        "empty_slices": empty_slices(per_slice),
    }
