"""How fast cells are found, against the network alone and against another detector.

The limit shows the network full tiles that lie ready in memory, without overlap, asks of it what detection asks
everywhere, and throws its answers away; its forward pass gives more. Ours
reads a volume, normalises it, looks at it with halo and neighbouring slices, links the peaks and writes the table.
Both are counted in voxels that are answered for. The other detector, where it is installed, looks for its candidates
in an array in memory, without the classification that follows.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass

from pipelines import detect
from pipelines.bench.material import Case, Material
from pipelines.bench.measure import Method
from pipelines.bench.network import EVERYTHING, NETWORK, ForwardPass, NetworkAlone
from pipelines.bench.stage import Throughput
from volumetric.geometry.box import Box
from volumetric.learn.device import choose_device
from volumetric.storage.omezarr import open_ome_zarr

OURS = "volumetric"
CELLFINDER = "cellfinder, candidates"


def detection(material: Material) -> Throughput:
    """Slices of noisy tissue are looked through for cells; what counts is the time."""
    case = material.case
    found: dict[str, Method] = {NETWORK: NetworkAlone(case), EVERYTHING: ForwardPass(case), OURS: Whole(case)}
    if importlib.util.find_spec("cellfinder"):
        found[CELLFINDER] = Cellfinder(case)
    return Throughput(material.megavoxels, "Mvoxel", found, peers=frozenset({CELLFINDER}))


@dataclass(frozen=True)
class Whole:
    """`volumetric detect` as it is."""

    case: Case

    def run(self) -> None:
        """Detect once."""
        case = self.case
        volume = open_ome_zarr(case.volume)
        plan = detect.plan(volume, case.work / "cells.parquet", case.work / "steps", case.config, case.resources)
        case.execute(plan, case.work / "steps")


@dataclass(frozen=True)
class Cellfinder:
    """cellfinder's candidate detection with its usual settings, on all cores."""

    case: Case

    def run(self) -> None:
        """Find the candidates once."""
        from cellfinder.core.detect.detect import main

        volume = open_ome_zarr(self.case.volume)
        spared = max(0, (os.cpu_count() or 1) - self.case.resources.workers)
        main(
            signal_array=volume.read(Box.of_shape(volume.shape), 0, 0),
            voxel_sizes=volume.space.spacing_um,
            n_free_cpus=spared,
            torch_device=choose_device(self.case.resources.device).type,
        )
