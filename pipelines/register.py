"""Register: a brain onto an atlas.

Inputs: one channel of a `Volume` (a level about as fine as the atlas is read), an atlas. Output folder:

    sample_to_atlas.zarr, atlas_to_sample.zarr   smooth maps in um
    ants/                                        ANTs' own transform files
    labels.ome.zarr                              region ids in the sample's own axes, at the atlas' resolution
    quality.json, overlay.png                    whether to believe it

Capacity: both images at the atlas' resolution in memory (50 um: a mouse brain has 10 Mvoxel), ANTs in a child process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console

from pipelines.config import Settings
from pipelines.report.planes import overlay_png
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.labels import labels_on_grid
from volumetric.atlas.loader import load_atlas
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.registration import quality
from volumetric.registration.prepare import Prepared, normalise, prepare
from volumetric.registration.register import register
from volumetric.storage.atomic import read_json, replacing, write_json
from volumetric.storage.levels import plan_levels
from volumetric.storage.omezarr import create_volume, describe_volume, open_ome_zarr
from volumetric.storage.transforms import read_map, write_map
from volumetric.storage.volume import Volume

VERSION = 1
ANTS_BYTES = 400 * 2**20
ANTS_BYTES_PER_VOXEL = 410
"""Peak memory of the child process: its libraries, and a voxel of the atlas (measured with 1.2 and 9.6 Mvoxel)."""


class Config(Settings):
    """What changes the registration."""

    atlas: str
    channel: str | None = None
    preset: Literal["fast", "standard"] = "standard"


def open_atlas(config: Config, atlas_dir: Path | None) -> Atlas:
    """The atlas of a configuration: a folder or a name."""
    return load_atlas(config.atlas, atlas_dir)


@dataclass(frozen=True)
class Job:
    """Everything the passes need."""

    volume: Volume
    channel: int
    atlas: Atlas
    preset: str
    out: Path
    identity: str

    @property
    def level(self) -> int:
        """The coarsest level that is at least as fine as the atlas."""
        return self.volume.nearest_level(min(self.atlas.space.spacing_um))

    def prepared(self) -> Prepared:
        """The brain as ANTs sees it."""
        stored = self.volume.levels[self.level]
        if self.volume.orientation is None:
            raise InputError("registration needs the orientation of the volume")
        image = self.volume.read(Box.of_shape(stored.shape), self.level, self.channel)
        return prepare(
            image, stored.space, self.volume.orientation, self.atlas.orientation, self.atlas.space.spacing_um
        )

    def transform(self) -> Mapping[str, Any]:
        """Run ANTs; store both maps."""
        sample = self.prepared()
        with replacing(self.out / "ants") as keep:
            keep.mkdir()
            result = register(sample, self.atlas.template, self.atlas.space, preset=self.preset, keep=keep)
        write_map(self.out / "sample_to_atlas.zarr", result.sample_to_atlas)
        write_map(self.out / "atlas_to_sample.zarr", result.atlas_to_sample)
        return {"seconds": round(result.seconds, 1), "warnings": list(result.warnings)}

    def labels(self) -> Mapping[str, Any]:
        """Store the annotation as seen in the sample's space."""
        regions, _ = labels_on_grid(read_map(self.out / "sample_to_atlas.zarr"), self.atlas)
        space = read_map(self.out / "sample_to_atlas.zarr").grid
        shape = (regions.shape[0], regions.shape[1], regions.shape[2])
        levels = plan_levels(shape, space)[:1]
        volume = describe_volume(
            self.out / "labels.ome.zarr",
            levels,
            ("region_id",),
            str(regions.dtype),
            orientation=self.volume.orientation,
            identity=self.identity,
        )
        create_volume(volume, levels)
        volume.write(Box.of_shape(shape), regions)
        return {"labelled_voxels": int(np.count_nonzero(regions))}

    def judge(self, facts_of_transform: Path) -> None:
        """Measure how good the registration is; write `quality.json` and the overlay."""
        facts = read_json(facts_of_transform)["facts"]
        sample = self.prepared()
        there, back = (read_map(self.out / f"{name}.zarr") for name in ("sample_to_atlas", "atlas_to_sample"))
        labels = open_ome_zarr(self.out / "labels.ome.zarr")
        regions = labels.read(Box.of_shape(labels.shape))
        inside = np.asarray(regions > np.uint32(0))
        image, mask = sample.back.apply(sample.image), sample.back.apply(sample.mask)
        template = quality.sample_through(self.atlas.template, self.atlas.space, there)
        consistency = quality.inverse_consistency_um(there, back, inside, np.random.default_rng(0))
        warnings = [*facts["warnings"], *quality.voxel_warnings(self.volume.space.spacing_um)]
        better = self._better_orientation()
        if better is not None:
            warnings.append(
                f"the brain fits the atlas clearly better with the orientation {better} than with "
                f"{self.volume.orientation} as declared: check it before you believe any count"
            )
        colours = {r.region_id: _unit(r.rgb) for r in self.atlas.ontology.regions}
        overlay_png(self.volume, self.volume.channels[self.channel], labels, self.out / "overlay.png", colours)
        write_json(
            self.out / "quality.json",
            {
                "method": "ants",
                "preset": self.preset,
                "seconds": facts["seconds"],
                "ncc_in_mask": _rounded(quality.ncc_in_mask(image, template, inside)),
                "mask_dice": _rounded(quality.mask_dice(mask, inside)),
                "folding_fraction": quality.folding_fraction(there, inside),
                "inverse_consistency_um": _rounded(consistency),
                "orientation_checked": better is None,
                "warnings": warnings,
                "volume": {
                    "shape": list(self.volume.shape),
                    "spacing_um": list(self.volume.space.spacing_um),
                    "origin_um": list(self.volume.space.origin_um),
                    "orientation": self.volume.orientation,
                },
                "atlas": {"name": self.atlas.name, "identity": self.atlas.identity},
                "identity": self.identity,
            },
        )

    def _better_orientation(self) -> str | None:
        stored = self.volume.levels[-1]
        image = self.volume.read(Box.of_shape(stored.shape), len(self.volume.levels) - 1, self.channel)
        _, better = quality.better_orientation(
            normalise(image),
            stored.space,
            self.volume.orientation or "",
            template=self.atlas.template,
            template_space=self.atlas.space,
            atlas_orientation=self.atlas.orientation,
        )
        return better


def plan(volume: Volume, atlas: Atlas, out: Path, work: Path, config: Config) -> Plan:
    """The work of registering a volume to an atlas."""
    channel = volume.channel_index(config.channel)
    content = {"channel": volume.channels[channel], "preset": config.preset, "orientation": volume.orientation}
    inputs = {"volume": volume.fingerprint(), "atlas": atlas.identity}
    bare = Plan("register", VERSION, content, inputs, (), (out / "quality.json",))
    job = Job(volume, channel, atlas, config.preset, out, bare.identity)
    level = volume.levels[job.level]
    raw = int(np.prod(level.shape)) * 4
    held = 12 * raw
    return Plan(
        stage="register",
        version=VERSION,
        config=content,
        inputs=inputs,
        passes=(
            Reduction(
                "transform",
                job.transform,
                Cost(
                    raw // 2,
                    60 * atlas.annotation.size,
                    held + ANTS_BYTES + ANTS_BYTES_PER_VOXEL * atlas.annotation.size,
                ),
            ),
            Reduction("labels", job.labels, Cost(0, 4 * atlas.annotation.size, 100 * atlas.annotation.size)),
            Reduction(
                "quality",
                lambda: job.judge(work / "transform" / "all.json"),
                Cost(raw // 2, 2**20, held + 100 * atlas.annotation.size),
            ),
        ),
        outputs=(out / "quality.json", out / "labels.ome.zarr", out / "sample_to_atlas.zarr"),
    )


def print_summary(out: Path, console: Console) -> None:
    """Say how good the registration is and where its picture lies."""
    found = read_quality(out)
    console.print(
        f"correlation with the template {found['ncc_in_mask']:.2f}, overlap of the tissue {found['mask_dice']:.2f}, "
        f"inverse consistency {found['inverse_consistency_um']:.1f} um, folding {found['folding_fraction']:.2%}",
        highlight=False,
    )
    for warning in found["warnings"]:
        console.print(f"[bold red]warning:[/] {warning}", highlight=False, soft_wrap=True)
    console.print(f"look at {out / 'overlay.png'} before you believe it", highlight=False, soft_wrap=True)


def read_quality(registration: Path) -> dict[str, Any]:
    """What `quality.json` of a registration folder says; raises `InputError` where there is none."""
    path = registration / "quality.json"
    if not path.is_file():
        raise InputError(f"{registration} holds no registration: run `volumetric register` first")
    found: dict[str, Any] = read_json(path)
    return found


def _unit(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    return (rgb[0] / 255, rgb[1] / 255, rgb[2] / 255)


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
