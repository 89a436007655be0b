"""How fast a brain is registered, against ANTs alone.

The brain is the built-in atlas' template of 100 um, turned, scaled and bent a little: ANTs sees any mouse brain that
large. What it costs whatever the size is told by a coarser one. A preset does about as many iterations for any brain,
so that these images tell the time of others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipelines import register as command
from pipelines.bench.material import Case, Material
from pipelines.bench.measure import Method
from pipelines.bench.stage import Throughput
from volumetric.geometry.box import Box, index3
from volumetric.phantom.atlas import coarse_atlas
from volumetric.registration.align import align
from volumetric.registration.linear import fit_linear
from volumetric.registration.prepare import prepare
from volumetric.registration.view import sample_view, template_view
from volumetric.storage.levels import plan_levels
from volumetric.storage.omezarr import create_volume, describe_volume

ANTS = "limit: ANTs alone"
OURS = "volumetric"
SMALL = "ANTs alone, an eighth of the voxels"

STEP = 1
PRESET: command.Preset = "standard"


def register(material: Material, step: int = STEP, preset: command.Preset = PRESET) -> Throughput:
    """A registration to an atlas of every `step`-th voxel."""
    case = material.without_volume
    found: dict[str, Method] = {
        ANTS: AntsAlone(case, step, preset),
        OURS: Whole(case, step, preset),
        SMALL: AntsAlone(case, 2 * step, preset),
    }
    voxels, fewer = (coarse_atlas(s).annotation.size / 1e6 for s in (step, 2 * step))
    return Throughput(voxels, "Mvoxel", found, warms_up=False, others={SMALL: fewer})


def bent(template: npt.NDArray[np.generic]) -> npt.NDArray[np.uint16]:
    """A brain that is not quite the template: turned by three degrees, 4% larger, shifted and bent by up to a voxel."""
    angle, middle = np.radians(3.0), (np.asarray(template.shape) - 1) / 2
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]) / 1.04
    at = np.indices(template.shape, dtype=np.float64)
    there = np.tensordot(turn, at - middle[:, None, None, None], axes=1) + middle[:, None, None, None] + 0.5
    there += np.sin(at[::-1] / np.asarray(template.shape)[::-1, None, None, None] * 2 * np.pi)
    moved = ndimage.map_coordinates(template.astype(np.float32), there, order=1)
    return np.asarray(np.rint(moved), dtype=np.uint16)


@dataclass(frozen=True)
class AntsAlone:
    """The linear map and ANTs, images in memory: nothing checked, refined, written or judged."""

    case: Case
    step: int
    preset: command.Preset

    def run(self) -> None:
        """Align once."""
        atlas = coarse_atlas(self.step)
        space, way = atlas.space, atlas.orientation
        sample = prepare(bent(atlas.template), space, way, way, space.spacing_um)
        template = template_view(atlas.template, space, space.spacing_um)
        linear = fit_linear(sample, atlas.template, space).affine
        align(template, sample_view(sample), linear=linear, preset=self.preset, seed=1)


@dataclass(frozen=True)
class Whole:
    """`volumetric register` as it is."""

    case: Case
    step: int
    preset: command.Preset

    def run(self) -> None:
        """Register once."""
        case, atlas = self.case, coarse_atlas(self.step)
        image, levels = bent(atlas.template), plan_levels(atlas.shape, atlas.space)[:1]
        volume = describe_volume(
            case.work / "sample.ome.zarr", levels, ("c",), "uint16", orientation=atlas.orientation, identity="bent"
        )
        create_volume(volume, levels)
        volume.write(Box.of_shape(index3(image.shape)), image)
        config = command.Config(atlas=atlas.name, preset=self.preset, trust_orientation=True, keep_poor=True)
        steps = case.work / "steps"
        plan = command.plan(volume, atlas, case.work / "registration", steps, config)
        case.execute(plan, steps)
