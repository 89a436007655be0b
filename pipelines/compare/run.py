"""Compare: groups of brains, region by region, from the run folders of `count` to tables, arrays, maps and pictures.

Input: DESIGN.csv with the columns `brain, group, path` and covariates; each path is a finished run folder.

OUT/densities.nc       all brains: count, volume, coverage, density by brain, region and hemisphere
OUT/stats.csv          one row a contrast, hemisphere and region: three tests with effect sizes and q-values
OUT/density.ome.zarr   cells per mm3 in atlas space: a channel for each group and each difference
OUT/*.png              volcano, heat map, dots of the strongest regions, planes of the maps
OUT/compare.json       what was done

Capacity: the tables of all brains (a few MB each), three maps on the grid of the maps, a quarter of a million cells.
"""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from pipelines.compare.inputs import open_atlas, read_brains
from pipelines.compare.job import Config, Job
from pipelines.config import Resources
from pipelines.stage import Stage, run, show
from volumetric.blocks.plan import Cost, Facts, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.statistics.comparison import EDGE, EXPLORATORY, TESTS
from volumetric.statistics.dataset import study_dataset
from volumetric.storage.atomic import write_json
from volumetric.storage.provenance import digest, files_identity, versions

VERSION = 3
PICTURES = ("volcano", "heatmap", "dots", "planes")

MANY_ON_EDGE = 0.1
"""Of all brains and regions: from here on the threshold of coverage is doubted."""

BYTES_PER_MAP_VOXEL = 40
"""Counts, tissue, sums and the filter's copies: an upper estimate from their types, not measured."""

FIGURES_BYTES = 600 * 2**20
"""Of a table of all brains and a picture: an upper estimate."""


def prepare(design: Path, out: Path, config: Config, atlas_dir: Path | None = None) -> Job:
    """Check everything the user gave; nothing is written. Raises `InputError` where it cannot be compared."""
    brains = read_brains(design, config.reference)
    job = Job(brains, open_atlas(brains, config.atlas, atlas_dir), config, out)
    study_dataset(brains.design, brains.tables, brains.imaged)  # tables that do not belong together are refused now
    _ = job.warnings  # and so are unknown regions
    return job


def plan(job: Job) -> Plan:
    """The work of a comparison: the array, the table, a map of each group, the volume of maps, the pictures."""
    maps, design = job.maps, job.brains.design
    memory = BYTES_PER_MAP_VOXEL * maps.voxels
    return Plan(
        stage="compare",
        version=VERSION,
        config={**job.config.model_dump(mode="json", exclude={"atlas"}), "hemispheres": list(job.sides.compared)},
        inputs={
            "design": digest([design.brains, design.groups, design.reference, dict(design.covariates)]),
            "imaged": dict(zip(design.brains, job.brains.imaged, strict=True)),
            "brains": {
                brain: files_identity((run.regions, run.cells))
                for brain, run in zip(design.brains, job.brains.runs, strict=True)
            },
            "atlas": job.atlas.identity,
        },
        passes=(
            Reduction("dataset", job.write_dataset, Cost(0, 2**24, FIGURES_BYTES)),
            Reduction("statistics", job.write_statistics, Cost(0, 2**22, FIGURES_BYTES)),
            *(
                Reduction(
                    f"map-{number}",
                    partial(maps.write_group, group),
                    Cost(maps.bytes_of(group), 4 * maps.voxels, memory + FIGURES_BYTES),
                )
                for number, group in enumerate(design.group_names)
            ),
            Reduction("maps", maps.write_volume, Cost(0, 4 * maps.voxels * len(maps.channels), memory)),
            *(Reduction(name, partial(job.draw, name), Cost(0, 2**22, FIGURES_BYTES + memory)) for name in PICTURES),
        ),
        outputs=tuple(
            job.out / name
            for name in ("stats.csv", "densities.nc", "density.ome.zarr", *(f"{picture}.png" for picture in PICTURES))
        ),
        held_bytes=20 * job.atlas.annotation.size,
    )


def run_compare(
    design: Path,
    out: Path,
    config: Config,
    resources: Resources,
    console: Console,
    *,
    atlas_dir: Path | None = None,
    dry_run: bool = False,
) -> dict[str, Any] | None:
    """Compare, resuming where an earlier run stopped; returns what `compare.json` holds, or None for a dry run."""
    job = prepare(design, out, config, atlas_dir)
    for line in (*job.brains.design.described(), f"compared: {job.sides.why}"):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    stage = Stage(plan(job), job.work / "compare")
    if dry_run:
        show([stage], resources, console)
        return None
    ledger = run([stage], resources, console)[0]
    record = _record(job, ledger.facts()["statistics"], ledger.report())
    write_json(out / "compare.json", record)
    _print_summary(job, record, console)
    return record


def _record(job: Job, facts: Facts, report: dict[str, Any]) -> dict[str, Any]:
    design = job.brains.design
    left_out = [
        f"left out of regions of which less than {job.config.min_coverage:.0%} was imaged (column left_out): "
        + ", ".join(f"{brain} ({n} region{'s' * (n > 1)})" for brain, n in sorted(facts["left_out"].items()))
    ] * bool(facts["left_out"])
    on_edge = [
        f"of {facts['on_edge']:.0%} of all brains and regions the coverage lies within {EDGE:g} of --min-coverage "
        f"{job.config.min_coverage:g}, where chance decides what is left out: take another threshold"
    ] * (facts["on_edge"] > MANY_ON_EDGE)
    return {
        "version": versions()["volumetric"],
        "command": shlex.join(["volumetric", *sys.argv[1:]]),
        "config": {**job.config.model_dump(mode="json"), "atlas": job.atlas.name},
        "design": {
            "reference": design.reference,
            "groups": {
                name: [brain for brain, group in zip(design.brains, design.groups, strict=True) if group == name]
                for name in design.group_names
            },
            "terms": list(design.terms),
            "covariates": design.kinds,
        },
        "sides": {
            "compared": list(job.sides.compared),
            "why": job.sides.why,
            "imaged": dict(zip(design.brains, job.brains.imaged, strict=True)),
        },
        "level": job.level,
        "tests": {"shown": job.config.test, "offered": list(TESTS), "exploratory": sorted(EXPLORATORY)},
        "regions": {
            "compared": facts["regions"],
            "tested": facts["tested"],
            "p_values": facts["tests"],
            "discoveries": facts["discoveries"],
        },
        "density_maps": {
            "channels": list(job.maps.channels),
            "voxel_um": list(job.maps.grid.space.spacing_um),
            "smooth_um": job.maps.smooth_um,
        },
        "warnings": [*job.warnings, *left_out, *on_edge],
        "stages": {"compare": report},
        "versions": versions(),
    }


def _print_summary(job: Job, record: dict[str, Any], console: Console) -> None:
    regions, test = record["regions"], job.config.test
    number = regions["discoveries"][test]
    console.print(
        f"[bold]{regions['tested']:,}[/] of {regions['compared']:,} regions tested, "
        f"[bold]{number:,}[/] {'discovery' if number == 1 else 'discoveries'} by {test.replace('_', ' ')} "
        f"at a false discovery rate of {job.config.fdr:g}",
        highlight=False,
        soft_wrap=True,
    )
    if not regions["tested"]:
        console.print(
            f"[bold red]no region was tested:[/] the column `reason` of stats.csv says why. Where they hold too few "
            f"cells (mean below {job.config.min_count:g}), take a coarser --depth",
            highlight=False,
            soft_wrap=True,
        )
    for warning in record["warnings"]:
        console.print(f"[bold red]warning:[/] {escape(warning)}", highlight=False, soft_wrap=True)
    console.print(f"tables: {job.out / 'stats.csv'}, {job.out / 'densities.nc'}", highlight=False, soft_wrap=True)
