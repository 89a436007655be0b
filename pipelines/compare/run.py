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
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import xarray as xr
from pydantic import Field
from rich.console import Console

from pipelines.compare.dots import dots_figure
from pipelines.compare.heatmap import heatmap_figure
from pipelines.compare.inputs import Brains, open_atlas, parents, read_brains, region_ids
from pipelines.compare.maps import Maps
from pipelines.compare.planes import planes_figure
from pipelines.compare.volcano import volcano_figure
from pipelines.config import Resources, Settings
from pipelines.report.picture import render
from pipelines.stage import Stage, run, show
from volumetric.atlas.atlas import Atlas
from volumetric.blocks.plan import Cost, Facts, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.statistics.comparison import (
    EXPLORATORY,
    FEWEST_BRAINS,
    TESTS,
    Criteria,
    compare_groups,
    discoveries,
    strongest,
)
from volumetric.statistics.dataset import study_dataset
from volumetric.statistics.level import cut, default_depth, overlapping
from volumetric.storage.atomic import replacing, write_json
from volumetric.storage.provenance import digest, files_identity, versions
from volumetric.storage.tables import write_csv

VERSION = 1
TOP_REGIONS = 12
"""Regions of the picture of dots, beside those asked for."""

MAP_VOXELS, SMOOTH_VOXELS = 264, 3.0
"""Of the longest side of the atlas, and standard deviations of the Gaussian: 50 and 150 um for the mouse brain."""

BYTES_PER_MAP_VOXEL = 40
"""Counts, tissue, sums and the filter's copies: an upper estimate from their types, not measured."""

FIGURES_BYTES = 600 * 2**20


class Config(Settings):
    """What is compared, and how it is shown."""

    atlas: str | None = None
    reference: str | None = None
    depth: int | None = Field(default=None, ge=0)
    regions: str | None = None
    hemispheres: tuple[Literal["left", "right", "both"], ...] = Field(default=("both",), min_length=1)
    min_count: float = Field(default=10.0, ge=1)
    min_coverage: float = Field(default=0.5, gt=0, le=1)
    test: Literal["negative_binomial", "welch", "mann_whitney"] = "negative_binomial"
    fdr: float = Field(default=0.05, gt=0, lt=1)
    show: str | None = None
    map_um: float | None = Field(default=None, gt=0)
    smooth_um: float | None = Field(default=None, gt=0)


@dataclass(frozen=True)
class Job:
    """A comparison, prepared."""

    brains: Brains
    atlas: Atlas
    config: Config
    out: Path

    @cached_property
    def criteria(self) -> Criteria:
        """The regions of the level, and what else is declared before the groups are looked at."""
        return Criteria(
            regions=self._level[0],
            hemispheres=tuple(dict.fromkeys(self.config.hemispheres)),
            min_count=self.config.min_count,
            min_coverage=self.config.min_coverage,
        )

    @cached_property
    def _level(self) -> tuple[tuple[int, ...], dict[str, Any]]:
        tree, config = parents(self.atlas.ontology), self.config
        chosen = region_ids(self.atlas.ontology, config.regions) if config.regions else ()
        if chosen and config.depth is None:
            depth, regions, rule = None, chosen, "the regions given"
        else:
            depth = default_depth(tree) if config.depth is None else config.depth
            regions = cut(tree, depth, chosen)
            rule = f"regions {depth} steps below the root, and leaves above them{' (default)' * (config.depth is None)}"
        return regions, {"rule": rule, "depth": depth, "regions": len(regions)}

    @property
    def level(self) -> dict[str, Any]:
        """How the regions were chosen, for the record."""
        return self._level[1]

    @cached_property
    def shown(self) -> tuple[int, ...]:
        """Regions asked for in the picture of dots; they must be on the level."""
        return region_ids(self.atlas.ontology, self.config.show) if self.config.show else ()

    @cached_property
    def warnings(self) -> list[str]:
        """What a reader of the results must know."""
        design, found = self.brains.design, []
        for name in design.group_names:
            size = int(design.members(name).sum())
            if size < FEWEST_BRAINS:
                found.append(
                    f"group {name!r} has {size} brain{'s' * (size != 1)}: with fewer than {FEWEST_BRAINS} a group "
                    "there are means, standard deviations and fold changes but no test; p and q are null"
                )
        ontology = self.atlas.ontology
        pairs = overlapping(parents(ontology), self.criteria.regions)
        if pairs:
            outer, inner = (ontology[region].acronym for region in pairs[0])
            found.append(
                f"{len(pairs)} pairs of the regions given overlap ({outer} holds {inner}): their cells are tested twice"
            )
        absent = [ontology[region].acronym for region in self.shown if region not in self.criteria.regions]
        if absent:
            found.append(f"not on the level compared and not shown: {', '.join(absent)}")
        return found

    @property
    def work(self) -> Path:
        return self.out / ".work"

    @cached_property
    def maps(self) -> Maps:
        """The maps, by default as fine as suits the size of the atlas."""
        config, atlas = self.config, self.atlas
        voxel_um = config.map_um or max(atlas.space.extent_um(atlas.shape)) / MAP_VOXELS
        smooth_um = config.smooth_um or SMOOTH_VOXELS * voxel_um
        return Maps(self.brains, atlas, self.out, self.work, voxel_um, smooth_um, config.min_coverage)

    def write_dataset(self) -> Facts:
        """All region tables as one array."""
        with replacing(self.out / "densities.nc") as temporary:
            study_dataset(self.brains.design, self.brains.tables).to_netcdf(temporary, engine="h5netcdf")
        return {"brains": len(self.brains.runs)}

    def write_statistics(self) -> Facts:
        """The table of results."""
        with xr.open_dataset(self.out / "densities.nc", engine="h5netcdf") as dataset:
            table = compare_groups(dataset.load(), self.brains.design, self.criteria)
        write_csv(self.out / "stats.csv", table)
        names = sorted({name for row in table["left_out"].unique() for name in row.split(",") if name})
        return {
            "rows": len(table),
            "regions": int(table["region_id"].nunique()),
            "tested": int(table.loc[table["tested"], "region_id"].nunique()),
            "tests": {test: int(table[f"{test}_p"].notna().sum()) for test in TESTS},
            "discoveries": {test: len(discoveries(table, test, self.config.fdr)) for test in TESTS},
            "left_out": names,
        }

    def draw(self, name: str) -> None:
        """One of the pictures."""
        table = read_stats(self.out / "stats.csv")
        test, fdr, design = self.config.test, self.config.fdr, self.brains.design
        if name == "volcano":
            figure = volcano_figure(table, test, fdr)
        elif name == "planes":
            figure = planes_figure(self.maps, self.atlas)
        else:
            with xr.open_dataset(self.out / "densities.nc", engine="h5netcdf") as dataset:
                dataset.load()
            if name == "heatmap":
                figure = heatmap_figure(dataset, design, table, self.atlas.ontology, self.criteria)
            else:
                wanted = dict.fromkeys((*self.shown, *strongest(table, test, TOP_REGIONS)))
                regions = tuple(region for region in wanted if region in self.criteria.regions)
                figure = dots_figure(dataset, design, table, replace(self.criteria, regions=regions), test)
        with replacing(self.out / f"{name}.png") as temporary:
            temporary.write_bytes(render(figure, "png"))


def prepare(design: Path, out: Path, config: Config, atlas_dir: Path | None = None) -> Job:
    """Check everything the user gave; nothing is written. Raises `InputError` where it cannot be compared."""
    brains = read_brains(design, config.reference)
    job = Job(brains, open_atlas(brains, config.atlas, atlas_dir), config, out)
    study_dataset(brains.design, brains.tables)  # tables that do not belong together are refused now
    _ = job.warnings  # and so are unknown regions
    return job


def plan(job: Job) -> Plan:
    """The work of a comparison: the array, the table, a map of each group, the volume of maps, the pictures."""
    maps, design = job.maps, job.brains.design
    memory = BYTES_PER_MAP_VOXEL * maps.voxels
    pictures = ("volcano", "heatmap", "dots", "planes")
    return Plan(
        stage="compare",
        version=VERSION,
        config=job.config.model_dump(mode="json", exclude={"atlas"}),
        inputs={
            "design": digest([design.brains, design.groups, design.reference, dict(design.covariates)]),
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
            *(Reduction(name, partial(job.draw, name), Cost(0, 2**22, FIGURES_BYTES + memory)) for name in pictures),
        ),
        outputs=tuple(
            job.out / name
            for name in ("stats.csv", "densities.nc", "density.ome.zarr", *(f"{picture}.png" for picture in pictures))
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
    stage = Stage(plan(job), job.work / "compare")
    if dry_run:
        show([stage], resources, console)
        return None
    ledger = run([stage], resources, console)[0]
    record = _record(job, ledger.facts()["statistics"], ledger.report())
    write_json(out / "compare.json", record)
    _print_summary(job, record, console)
    return record


def read_stats(path: Path) -> pd.DataFrame:
    """`stats.csv` with its types; an acronym such as `NA` stays text."""
    text = ["acronym", "name", "hemisphere", "group", "reference", "left_out", "reason", "exploratory"]
    numbers = [name for name in pd.read_csv(path, nrows=0).columns if name not in text]
    return pd.read_csv(
        path, keep_default_na=False, na_values={name: [""] for name in numbers}, dtype=dict.fromkeys(text, str)
    )


def _record(job: Job, facts: Facts, report: dict[str, Any]) -> dict[str, Any]:
    design = job.brains.design
    left_out = [
        f"left out of regions of which less than {job.config.min_coverage:.0%} was imaged (column left_out): "
        + ", ".join(facts["left_out"])
    ] * bool(facts["left_out"])
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
        "warnings": [*job.warnings, *left_out],
        "stages": {"compare": report},
        "versions": versions(),
    }


def _print_summary(job: Job, record: dict[str, Any], console: Console) -> None:
    regions, test = record["regions"], job.config.test
    console.print(
        f"[bold]{regions['tested']:,}[/] of {regions['compared']:,} regions tested, "
        f"[bold]{regions['discoveries'][test]:,}[/] discoveries by {test.replace('_', ' ')} at a false discovery rate "
        f"of {job.config.fdr:g}",
        highlight=False,
        soft_wrap=True,
    )
    for warning in record["warnings"]:
        console.print(f"[bold red]warning:[/] {warning}", highlight=False, soft_wrap=True)
    console.print(f"tables: {job.out / 'stats.csv'}, {job.out / 'densities.nc'}", highlight=False, soft_wrap=True)
