"""Density maps of groups of brains in atlas space, one group at a time, and their differences."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.compare.inputs import Brains
from pipelines.workspace import RunFolder
from volumetric.atlas.atlas import Atlas
from volumetric.blocks.plan import Facts
from volumetric.geometry.box import Box
from volumetric.statistics.dataset import study_dataset
from volumetric.statistics.density_map import Map, MapGrid, add_cells, density_map, imaged_tissue, map_grid
from volumetric.storage.arrays import read_arrays, write_arrays
from volumetric.storage.atomic import remove
from volumetric.storage.levels import plan_levels
from volumetric.storage.omezarr import create_volume, describe_volume, set_display_range
from volumetric.storage.tables import iterate_table

PIECE_ROWS = 250_000
PLACES = ["atlas_z_um", "atlas_y_um", "atlas_x_um"]
UNIT = "cells per mm3"


@dataclass(frozen=True)
class Maps:
    """The maps of a comparison: where they come from, where they go, how fine and how smooth they are."""

    brains: Brains
    atlas: Atlas
    out: Path
    work: Path
    map_um: float
    smooth_um: float
    min_coverage: float

    @cached_property
    def grid(self) -> MapGrid:
        """The atlas on the voxels of the maps."""
        return map_grid(self.atlas.annotation, self.atlas.hemispheres, self.atlas.space, self.map_um)

    @property
    def voxels(self) -> int:
        """Of one map."""
        return int(np.prod(self.grid.shape))

    @property
    def channels(self) -> tuple[str, ...]:
        """Of the volume: every group, the reference first, then every other group minus the reference."""
        design = self.brains.design
        return (*design.group_names, *(f"{group} - {design.reference}" for group in design.contrasts))

    def bytes_of(self, group: str) -> int:
        """Of the cells of a group."""
        return sum(run.cells.stat().st_size for run in self._runs(group).values())

    def write_group(self, group: str) -> Facts:
        """Mean map of the brains of a group: over those brains in which a voxel was imaged, NaN where none."""
        dataset = study_dataset(self.brains.design, self.brains.tables)
        ids = dataset["region"].values
        coverage = dataset["coverage"].sel(hemisphere=["left", "right"])
        total = np.zeros(self.grid.shape, dtype=np.float32)
        number = np.zeros(self.grid.shape, dtype=np.int16)
        for brain, run in self._runs(group).items():
            tissue = imaged_tissue(self.grid, ids, coverage.sel(brain=brain).values, self.min_coverage)
            density = density_map(self._counts(run), tissue, self.grid.space, self.smooth_um)
            total[tissue] += density[tissue]
            number += tissue
        mean = np.full(total.shape, np.nan, dtype=np.float32)
        np.divide(total, number, out=mean, where=number > 0)
        write_arrays(self._file(group), {"mean": mean})
        return {"brains": len(self._runs(group))}

    def write_volume(self) -> Facts:
        """All maps as one OME-Zarr in atlas space, and its display ranges."""
        levels = plan_levels(self.grid.shape, self.grid.space)[:1]
        volume = describe_volume(
            self.work / "density.ome.zarr",
            levels,
            [f"{channel}, {UNIT}" for channel in self.channels],
            "float32",
            orientation=self.atlas.orientation,
            identity=self.atlas.identity,
        )
        create_volume(volume, levels)
        whole = Box((0, 0, 0), self.grid.shape)
        ranges = []
        for number, channel in enumerate(self.channels):
            values = self.read(channel)
            volume.write(whole, values, 0, number)
            largest = float(np.nanmax(np.abs(values), initial=1.0))
            ranges.append((-largest if number >= len(self.brains.design.group_names) else 0.0, largest))
        set_display_range(volume, ranges)
        target = self.out / "density.ome.zarr"
        remove(target)
        os.replace(volume.path, target)
        return {"channels": len(ranges)}

    def read(self, channel: str) -> Map:
        """A group's mean map, or a difference."""
        design = self.brains.design
        if channel in design.group_names:
            mean: Map = read_arrays(self._file(channel))["mean"]
            return mean
        group = design.contrasts[self.channels.index(channel) - len(design.group_names)]
        difference: Map = self.read(group) - self.read(design.reference)
        return difference

    def _file(self, group: str) -> Path:
        return self.work / "maps" / f"{self.brains.design.group_names.index(group)}.npz"

    def _runs(self, group: str) -> dict[str, RunFolder]:
        design = self.brains.design
        return {
            brain: run
            for brain, run, name in zip(design.brains, self.brains.runs, design.groups, strict=True)
            if name == group
        }

    def _counts(self, run: RunFolder) -> Map:
        counts: npt.NDArray[np.float32] = np.zeros(self.grid.shape, dtype=np.float32)
        for piece in iterate_table(run.cells, PIECE_ROWS, PLACES):
            points = piece.to_numpy(np.float64)
            add_cells(counts, points[np.isfinite(points).all(axis=1)], self.grid.space)
        return counts
