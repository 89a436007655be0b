"""Demo: a phantom brain with every cell known, counted by the main job and scored.

OUT/phantom/slices/{signal,background}/   what a microscope would have written
OUT/phantom/atlas/                        the atlas, scaled as the brain is
OUT/phantom/cells.parquet                 the truth
OUT/run/                                  the run folder of `count`
OUT/crop/                                 a crop at the microscope's own resolution, detection alone
OUT/score.json                            found against true
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from pydantic import Field
from rich.console import Console
from rich.table import Table

from pipelines import count, detect
from pipelines.config import Resources, Settings
from pipelines.stage import Stage, run, show
from pipelines.volume import convert
from volumetric.atlas.folder import write_atlas_folder
from volumetric.atlas.loader import load_atlas
from volumetric.blocks.blockmap import BlockMap
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.geometry.grid import Block, BlockGrid
from volumetric.phantom.atlas import procedural_atlas
from volumetric.phantom.brain import Phantom, PhantomSettings
from volumetric.phantom.crops import full_scale_crop
from volumetric.phantom.score import score_brain, score_cells
from volumetric.storage.atomic import replacing, write_json
from volumetric.storage.slices import SliceFolder
from volumetric.storage.sources import open_source
from volumetric.storage.tables import read_table, write_table

VERSION = 1
TOLERANCE_UM = 10.0
CROP_TOLERANCE_UM = 7.0
"""Of the crop: 5 pixels of 0.7 um in the slice and one slice of 5 um."""

MODEL = Path("phantom")
"""Cells that are known for certain are counted by the detector that is not taught by people's marks."""

CROP_VOXEL_UM = (5.0, 0.7, 0.7)
SLAB = 16


class Config(Settings):
    """Which phantom."""

    atlas: str | None = None
    scale: float = Field(default=0.125, gt=0, le=1)
    seed: int = Field(default=0, ge=0)


@dataclass(frozen=True)
class Studio:
    """The phantom of a configuration, built once a process."""

    config: Config
    atlas_dir: Path | None

    def phantom(self) -> Phantom:
        """Build the brain, or take the one that was built."""
        return _build(self)

    def render(self, block: Block, arrays: Mapping[str, npt.NDArray[Any]]) -> Mapping[str, npt.NDArray[np.uint16]]:
        """The slices of a slab, both channels."""
        return self.phantom().render(block.write.start[0], block.write.stop[0])

    def write_truth(self, folder: Path) -> Mapping[str, Any]:
        """Store the cells and the scaled atlas."""
        phantom = self.phantom()
        write_table(folder / "cells.parquet", phantom.cells)
        write_atlas_folder(phantom.atlas, folder / "atlas")
        return {"cells": len(phantom.cells)}


@lru_cache(maxsize=1)
def _build(studio: Studio) -> Phantom:
    atlas = load_atlas(studio.config.atlas, studio.atlas_dir) if studio.config.atlas else procedural_atlas()
    return Phantom.build(atlas, PhantomSettings(scale=studio.config.scale, seed=studio.config.seed))


def plan(studio: Studio, folder: Path) -> Plan:
    """The work of making the phantom's slices, atlas and truth."""
    phantom = studio.phantom()
    grid = BlockGrid(phantom.shape, (SLAB, *phantom.shape[1:]))
    slab = int(np.prod(grid.block)) * 2
    return Plan(
        stage="phantom",
        version=VERSION,
        config=studio.config.model_dump(),
        inputs={"atlas": phantom.atlas.identity},
        passes=(
            BlockMap(
                name="render",
                grid=grid,
                reads={},
                function=studio.render,
                writes={name: SliceFolder(folder / "slices" / name).write for name in ("signal", "background")},
                cost=Cost(0, 2 * slab, 12 * slab),
            ),
            Reduction("truth", partial(studio.write_truth, folder), Cost(0, 10**8, 10**9)),
        ),
        outputs=(folder / "cells.parquet", folder / "atlas"),
    )


def run_demo(
    out: Path,
    config: Config,
    resources: Resources,
    console: Console,
    *,
    atlas_dir: Path | None = None,
    dry_run: bool = False,
) -> dict[str, Any] | None:
    """Make, count and score; returns what `score.json` holds, or None for a dry run."""
    began = time.perf_counter()
    folder = out / "phantom"
    studio = Studio(config, atlas_dir)
    console.print(describe(studio.phantom(), config), highlight=False)
    making = Stage(plan(studio, folder), folder / ".work")
    if dry_run:
        show([making], resources, console)
        return None
    run([making], resources, console)
    phantom = studio.phantom()
    job = count.prepare(
        folder / "slices",
        out / "run",
        count.Config(
            atlas=str(folder / "atlas"),
            voxel_um=phantom.space.spacing_um,
            orientation=phantom.orientation,
            signal="signal",
            register_on="background",
            model=MODEL,
        ),
        resources,
    )
    run(job.stages, resources, console)
    count.finish(job, resources, console)
    result: dict[str, Any] = score_brain(phantom.cells, read_table(job.run.cells), TOLERANCE_UM)
    result["full_scale_crop"] = _score_crop(out / "crop", config.seed, resources, console)
    result["seconds"] = round(time.perf_counter() - began, 1)
    write_json(out / "score.json", result)
    console.print(_score_table(result))
    return result


def describe(phantom: Phantom, config: Config) -> str:
    """What was made, in numbers: scale, shape, voxel, cell radius, cells."""
    pixel = phantom.space.spacing_um[1]
    radius = phantom.cells["radius_um"].quantile([0.02, 0.98]) / pixel
    return (
        f"phantom: {phantom.atlas.name}, scale 1/{1 / config.scale:g}, "
        f"{' x '.join(map(str, phantom.shape))} voxels ({np.prod(phantom.shape) / 1e6:.0f} million) of "
        f"{' x '.join(f'{s:g}' for s in phantom.space.spacing_um)} um, orientation {phantom.orientation}, "
        f"{len(phantom.cells):,} cells of radius {radius.iloc[0]:.1f} to {radius.iloc[1]:.1f} px "
        f"over {phantom.cells['n_slices'].min()} to {phantom.cells['n_slices'].max()} slices"
    )


def _score_crop(folder: Path, seed: int, resources: Resources, console: Console) -> dict[str, Any]:
    console.print("now a crop at the microscope's full resolution, detection alone")
    image, truth = full_scale_crop(seed)
    folder.mkdir(parents=True, exist_ok=True)
    stack = folder / "crop.tif"
    if not stack.exists():
        with replacing(stack) as temporary:
            tifffile.imwrite(temporary, image)
    opened = convert(
        open_source(stack), folder / "volume.ome.zarr", folder / ".work" / "ingest", resources, voxel_um=CROP_VOXEL_UM
    )
    work = folder / ".work" / "detect"
    found = folder / "cells.parquet"
    plan = detect.plan(opened.volume, found, work, detect.Config(model=MODEL), resources)
    run([*opened.stages, Stage(plan, work)], resources, console)
    return score_cells(truth, read_table(found), CROP_TOLERANCE_UM)


def _score_table(result: Mapping[str, Any]) -> Table:
    table = Table(title="Found against true", title_justify="left", box=None, header_style="bold")
    for column in ("", "true", "found", "recall", "precision", "F1", "count error", "region error"):
        table.add_column(column, justify="right")
    for name, row in (("whole brain", result), ("full-scale crop", result["full_scale_crop"])):
        region = row.get("median_region_error")
        table.add_row(
            name,
            f"{row['cells_true']:,}",
            f"{row['cells_found']:,}",
            *(f"{row[key]:.3f}" for key in ("recall", "precision", "f1")),
            f"{row['count_error']:.1%}",
            "" if region is None else f"{region:.1%}",
        )
    return table
