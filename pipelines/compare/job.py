"""A comparison, prepared: its settings, what they mean for these brains and this atlas, and each step of the work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import xarray as xr
from pydantic import Field

from pipelines.compare.dots import dots_figure
from pipelines.compare.heatmap import heatmap_figure
from pipelines.compare.inputs import Brains, parents
from pipelines.compare.maps import Maps
from pipelines.compare.planes import planes_figure
from pipelines.compare.sides import Sides
from pipelines.compare.volcano import volcano_figure
from pipelines.config import Settings
from pipelines.report.picture import render
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.selection import EXCEPT, select, select_with_descendants
from volumetric.blocks.plan import Facts
from volumetric.errors import InputError
from volumetric.statistics.comparison import (
    FEWEST_BRAINS,
    TESTS,
    Criteria,
    compare_groups,
    discoveries,
    near_threshold,
    strongest,
)
from volumetric.statistics.dataset import study_dataset
from volumetric.statistics.level import cut, default_depth, overlapping
from volumetric.statistics.spelling import alike
from volumetric.storage.atomic import replacing
from volumetric.storage.tables import write_csv

TOP_REGIONS = 12
"""Regions of the picture of dots, beside those asked for."""

MAP_VOXELS, SMOOTH_VOXELS = 264, 3.0
"""Of the longest side of the atlas, and standard deviations of the Gaussian: 50 and 150 um for the mouse brain."""


class Config(Settings):
    """What is compared, and how it is shown."""

    atlas: str | None = None
    reference: str | None = None
    depth: int | None = Field(default=None, ge=0)
    regions: str | None = None
    hemispheres: tuple[Literal["left", "right", "both", "imaged"], ...] | None = Field(default=None, min_length=1)
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
            hemispheres=self.sides.compared,
            min_count=self.config.min_count,
            min_coverage=self.config.min_coverage,
        )

    @cached_property
    def sides(self) -> Sides:
        """Which sides are compared, and why."""
        return Sides.of(self.brains.design, self.brains.imaged, self.config.hemispheres, self.config.min_coverage)

    @cached_property
    def _level(self) -> tuple[tuple[int, ...], dict[str, Any]]:
        ontology, text, depth = self.atlas.ontology, self.config.regions, self.config.depth
        if text and depth is None and not all(term.strip().startswith(EXCEPT) for term in text.split(",")):
            regions = select(ontology, text)
            return regions, {"rule": "the regions given", "depth": None, "regions": len(regions)}
        tree = parents(ontology)
        deepest = max(ontology.depth.values())
        if depth is not None and depth > deepest:
            raise InputError(f"--depth {depth} is deeper than the atlas, whose finest regions are {deepest} steps down")
        chosen = default_depth(tree) if depth is None else depth
        regions = cut(tree, chosen, select_with_descendants(ontology, text) if text else None)
        rule = f"regions {chosen} steps below the root, and leaves above them{' (default)' * (depth is None)}"
        return regions, {"rule": rule, "depth": chosen, "regions": len(regions)}

    @property
    def level(self) -> dict[str, Any]:
        """How the regions were chosen, for the record."""
        return self._level[1]

    @cached_property
    def shown(self) -> tuple[int, ...]:
        """Regions asked for in the picture of dots; they must be on the level."""
        return select(self.atlas.ontology, self.config.show) if self.config.show else ()

    @cached_property
    def warnings(self) -> list[str]:
        """What a reader of the results must know."""
        design, found = self.brains.design, [*self.brains.warnings, *self.sides.doubts]
        found += self._other_version()
        for first, other in alike(design.groups):
            found.append(f"the groups {first!r} and {other!r} are spelled almost alike: are they two?")
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

    def _other_version(self) -> list[str]:
        recorded = self.brains.atlas.get("identity")
        if recorded in {None, self.atlas.identity}:
            return []
        return [
            f"the atlas {self.atlas.name!r} found here (contents {self.atlas.identity[:8]}) is another version than "
            f"that of the runs (contents {str(recorded)[:8]}): levels, names and maps are of the one here. Give "
            "that of the runs with --atlas"
        ]

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
            brains = self.brains
            study_dataset(brains.design, brains.tables, brains.imaged).to_netcdf(temporary, engine="h5netcdf")
        return {"brains": len(self.brains.runs)}

    def write_statistics(self) -> Facts:
        """The table of results."""
        with xr.open_dataset(self.out / "densities.nc", engine="h5netcdf") as dataset:
            table = compare_groups(dataset.load(), self.brains.design, self.criteria)
            on_edge = near_threshold(dataset, self.criteria)
        write_csv(self.out / "stats.csv", table)
        left_out = table.assign(brain=table["left_out"].str.split(",")).explode("brain").query("brain != ''")
        return {
            "rows": len(table),
            "regions": int(table["region_id"].nunique()),
            "tested": int(table.loc[table["tested"], "region_id"].nunique()),
            "tests": {test: int(table[f"{test}_p"].notna().sum()) for test in TESTS},
            "discoveries": {test: len(discoveries(table, test, self.config.fdr)) for test in TESTS},
            "on_edge": on_edge,
            "left_out": left_out.groupby("brain")["region_id"].nunique().to_dict(),
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
                rows = discoveries(table, test, fdr)
                side = rows["hemisphere"] == self.criteria.hemispheres[0]
                found = frozenset(rows.loc[side, "region_id"])
                figure = heatmap_figure(dataset, design, table, self.atlas.ontology, self.criteria, found=found)
            else:
                wanted = dict.fromkeys((*self.shown, *strongest(table, test, TOP_REGIONS)))
                regions = tuple(region for region in wanted if region in self.criteria.regions)
                figure = dots_figure(dataset, design, table, replace(self.criteria, regions=regions), test)
        with replacing(self.out / f"{name}.png") as temporary:
            temporary.write_bytes(render(figure, "png"))


def read_stats(path: Path) -> pd.DataFrame:
    """`stats.csv` with its types; an acronym such as `NA` stays text."""
    text = ["acronym", "name", "hemisphere", "group", "reference", "left_out", "reason", "exploratory"]
    numbers = [name for name in pd.read_csv(path, nrows=0).columns if name not in text]
    return pd.read_csv(
        path, keep_default_na=False, na_values={name: [""] for name in numbers}, dtype=dict.fromkeys(text, str)
    )
