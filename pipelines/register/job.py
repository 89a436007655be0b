"""The four steps of a registration: check, transform, labels, quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.register.orientation import refuse_orientation
from pipelines.report.planes import Marks, overlay_png
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.labels import labels_on_grid
from volumetric.atlas.registered import ATLAS_TO_SAMPLE, EXCLUDED, IMAGED, LABELS, QUALITY, SAMPLE_TO_ATLAS
from volumetric.atlas.sides import LEFT, RIGHT
from volumetric.blocks.telling import tell
from volumetric.errors import RegistrationError
from volumetric.findings import Finding, Grade, Verdict
from volumetric.geometry.box import Box, Index3, index3
from volumetric.geometry.field_of_view import Exclusion
from volumetric.geometry.space import VoxelSpace, um3
from volumetric.geometry.voxel_size import voxel_findings
from volumetric.registration import preflight, quality
from volumetric.registration.image_findings import image_findings
from volumetric.registration.imaged import Halves, Part
from volumetric.registration.landmarks import Landmarks, corrected
from volumetric.registration.linear import fit_linear
from volumetric.registration.located import Located, locate
from volumetric.registration.orientation_check import OrientationCheck, check_orientation_fit
from volumetric.registration.placement import Template, boxed
from volumetric.registration.prepare import Prepared, prepare
from volumetric.registration.register import register
from volumetric.registration.seen import seen_brain
from volumetric.storage.atomic import read_json, remove, replacing, write_json
from volumetric.storage.levels import plan_levels
from volumetric.storage.omezarr import create_volume, describe_volume, open_ome_zarr
from volumetric.storage.transforms import read_map, write_map
from volumetric.storage.volume import Volume
from volumetric.storage.volume_record import VolumeRecord

REJECTED = "rejected.json"
"""The figures of a registration that was not kept."""


@dataclass(frozen=True)
class Job:
    """Everything the steps need."""

    volume: Volume
    channel: int
    atlas: Atlas
    atlas_given: str
    preset: str
    orientation: str
    declared: Part | None
    exclusion: Exclusion | None
    landmarks: Landmarks | None
    trust_orientation: bool
    keep_poor: bool
    out: Path
    work: Path
    identity: str

    @property
    def level(self) -> int:
        """The coarsest level that is at least as fine as the atlas."""
        return self.volume.nearest_level(min(self.atlas.space.spacing_um))

    def check(self) -> Mapping[str, Any]:
        """What speaks against the registration before it is begun, and the linear part of it.

        Raises `InputError` for an image that shows nothing, an orientation that is clearly wrong, a size that no brain
        has, and a part that is not the one that was declared.
        """
        sample = self._prepared()
        of_image = image_findings(sample, self._brain_um3)
        if not self.keep_poor:
            edges = um3(n * step for n, step in zip(boxed(sample)[0].shape, sample.space.spacing_um, strict=True))
            preflight.refuse_tissue(edges, self._brain_edges_um, self._template.step_um)
        orientation = self._orientation_check(sample)
        if not self.trust_orientation:
            refuse_orientation(orientation, of_image)
        located = self._located(sample)
        linear = fit_linear(
            located.sample,
            self.atlas.template,
            self.atlas.space,
            coarse=self._template,
            placement=located.placement,
        )
        tissue_mm3 = float(located.sample.mask.sum() * sample.space.voxel_volume_mm3)
        findings = (
            *preflight.part_findings(located.found, located.placement, self.declared),
            preflight.scale_finding(linear, tissue_mm3, self._brain_um3 * 1e-9, located.imaged),
            *of_image,
            *voxel_findings(self.volume.space.spacing_um),
            *self.atlas.findings,
            *_of_orientation(orientation),
        )
        if not self.keep_poor:
            preflight.refuse_unusable(findings)
        return {
            "findings": [finding.as_json() for finding in findings],
            "orientation_checked": orientation.is_credible and not orientation.better,
            "left_right_checked": orientation.is_credible and orientation.sees_left_and_right,
            "imaged": located.imaged.part,
            "imaged_side": located.imaged.side,
            "imaged_shares": [round(share, 4) for share in located.imaged.shares],
            "linear": linear.affine.tolist(),
            "scales": [round(scale, 4) for scale in linear.scales],
            "tissue_mm3": round(tissue_mm3, 4),
            "atlas_mm3": round(self._brain_um3 * 1e-9, 4),
        }

    def transform(self) -> Mapping[str, Any]:
        """Run ANTs, correct by landmarks; store both maps, what was imaged and what is excluded."""
        sample = self._located(self._prepared()).sample
        with replacing(self.out / "ants") as keep:
            keep.mkdir()
            result = register(
                sample,
                self.atlas.template,
                self.atlas.space,
                linear=np.asarray(self._checked["linear"]),
                preset=self.preset,
                keep=keep,
                on_progress=tell,
            )
        there, back, errors = result.sample_to_atlas, result.atlas_to_sample, None
        if self.landmarks is not None:
            there, back, found = corrected(there, back, self.landmarks, self.atlas.shape)
            errors = {
                "n": len(found.before),
                "before_um": round(float(np.median(found.before)), 1),
                "after_um": round(float(np.median(found.after)), 1),
                "left_out_um": round(float(np.median(found.left_out)), 1),
            }
        write_map(self.out / SAMPLE_TO_ATLAS, there, self.identity)
        write_map(self.out / ATLAS_TO_SAMPLE, back, self.identity)
        self._write_on_grid(IMAGED, "imaged", sample.back.apply(seen_brain(sample)).astype(np.uint8), there.grid)
        remove(self.out / EXCLUDED)
        if self.exclusion is not None:
            excluded = self.exclusion.on(there.grid, index3(there.displacement_um.shape[1:])).mask
            self._write_on_grid(EXCLUDED, "excluded", excluded.astype(np.uint8), there.grid)
        return {"seconds": round(result.seconds, 1), "landmarks": errors}

    def labels(self) -> Mapping[str, Any]:
        """Store the annotation as seen in the sample's space, where it was imaged and is not excluded."""
        there = read_map(self.out / SAMPLE_TO_ATLAS, self.identity)
        regions, _ = labels_on_grid(there, self.atlas.only(self._checked["imaged_side"]))
        regions[~self._mask(IMAGED)] = 0
        if self.exclusion is not None:
            regions[self.exclusion.on(there.grid, index3(regions.shape)).mask] = 0
        self._write_on_grid(LABELS, "region_id", regions, there.grid)
        return {"labelled_voxels": int(np.count_nonzero(regions))}

    def judge(self) -> None:
        """Measure how good the registration is; write `quality.json` and the overlay.

        Raises `RegistrationError` for one that is beyond use, which leaves its figures in `rejected.json`.
        """
        checked, made = self._checked, read_json(self.work / "transform" / "all.json")["facts"]
        sample = self._located(self._prepared()).sample
        figures = self._figures(sample)
        of_result = tuple(quality.judge(figures, min(self.atlas.space.spacing_um)))
        verdict = Verdict.of((*map(Finding.from_json, checked["findings"]), *of_result))
        self._overlay()
        found = {
            "verdict": verdict.grade.value,
            "findings": [finding.as_json() for finding in verdict.findings],
            "warnings": list(verdict.doubts),
            "method": "ants",
            "preset": self.preset,
            "seconds": made["seconds"],
            **{name: _rounded(value) for name, value in vars(figures).items()},
            **{name: value for name, value in checked.items() if name not in {"findings", "linear"}},
            "imaged_declared": self.declared,
            "landmarks": made["landmarks"],
            "excluded_share": round(float(1 - (sample.tissue & ~sample.damaged).sum() / sample.tissue.sum()), 4),
            "volume": {**VolumeRecord.of(self.volume).as_json(), "orientation": self.volume.orientation},
            "atlas": {**self.atlas.record, "given": self.atlas_given},
            "identity": self.identity,
        }
        faults = [finding.text for finding in of_result if finding.grade is Grade.UNUSABLE]
        if faults and not self.keep_poor:
            write_json(self.out / REJECTED, found)
            noticed = "".join(f". Noticed before: {text}" for text in verdict.doubts if text not in faults)
            raise RegistrationError(
                f"the registration is beyond use: {'; '.join(faults)}. Look at {self.out / 'overlay.png'}: a wrong "
                "voxel size or channel shows there. If it is right all the same, repeat the command with --keep-poor"
                + noticed
            )
        remove(self.out / REJECTED)
        write_json(self.out / QUALITY, found)

    def _figures(self, sample: Prepared) -> quality.Figures:
        """Of the maps, where tissue and atlas may be compared."""
        there, back = (read_map(self.out / name, self.identity) for name in (SAMPLE_TO_ATLAS, ATLAS_TO_SAMPLE))
        regions, _ = labels_on_grid(there, self.atlas.only(self._checked["imaged_side"]))
        tissue, matched, bright = (sample.back.apply(mask) for mask in (sample.mask, sample.matched, sample.bright))
        inside = np.asarray((regions > 0) & matched)
        template = quality.sample_through(self.atlas.template, self.atlas.space, there)
        return quality.Figures(
            ncc_in_mask=quality.ncc_in_mask(sample.back.apply(sample.image), template, inside & ~bright),
            mask_dice=quality.mask_dice(tissue, inside),
            folding_fraction=quality.folding_fraction(there, inside),
            inverse_consistency_um=quality.inverse_consistency_um(there, back, inside, np.random.default_rng(0)),
        )

    def _overlay(self) -> None:
        colours = {r.region_id: _unit(r.rgb) for r in self.atlas.ontology.regions}
        marks = Marks(
            excluded=None if self.exclusion is None else open_ome_zarr(self.out / EXCLUDED),
            landmarks_um=None if self.landmarks is None else self.landmarks.sample_um,
        )
        labels, channel = open_ome_zarr(self.out / LABELS), self.volume.channels[self.channel]
        overlay_png(self.volume, channel, labels, self.out / "overlay.png", colours, marks=marks)

    @cached_property
    def _checked(self) -> Mapping[str, Any]:
        """What the first step found."""
        facts: Mapping[str, Any] = read_json(self.work / "check" / "all.json")["facts"]
        return facts

    @cached_property
    def _template(self) -> Template:
        return Template(self.atlas.template, self.atlas.space)

    @cached_property
    def _halves(self) -> Halves:
        brain, sides = self.atlas.annotation > 0, self.atlas.hemispheres
        return Halves(brain & (sides == LEFT), brain & (sides == RIGHT), self.atlas.space, self.atlas.orientation)

    def _prepared(self) -> Prepared:
        """The brain as it is registered."""
        stored = self.volume.levels[self.level]
        image = self.volume.read(Box.of_shape(stored.shape), self.level, self.channel)
        atlas = self.atlas
        return prepare(
            image,
            stored.space,
            self.orientation,
            atlas.orientation,
            atlas.space.spacing_um,
            exclusion=self.exclusion,
            brain_um3=self._brain_um3,
        )

    def _located(self, sample: Prepared) -> Located:
        return locate(sample, self._template, self._halves, self.declared)

    @property
    def _brain_um3(self) -> float:
        """Volume of the atlas' brain."""
        return float(self._halves.voxels * np.prod(self.atlas.space.spacing_um))

    @property
    def _brain_edges_um(self) -> tuple[float, float, float]:
        """Edges of the box around the atlas' brain."""
        where = self._halves.left | self._halves.right
        lines = (np.flatnonzero(where.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3))
        return um3(
            (line[-1] - line[0] + 1) * step for line, step in zip(lines, self.atlas.space.spacing_um, strict=True)
        )

    def _orientation_check(self, sample: Prepared) -> OrientationCheck:
        window, space = boxed(sample)
        return check_orientation_fit(
            sample.back.apply(window),
            VoxelSpace(um3(sample.back.reorder(space.spacing_um))),
            self.orientation,
            template=self._template,
            atlas_orientation=self.atlas.orientation,
        )

    def _mask(self, name: str) -> npt.NDArray[np.bool_]:
        stored = open_ome_zarr(self.out / name)
        return stored.read(Box.of_shape(stored.shape)).astype(np.bool_)

    def _write_on_grid(self, name: str, channel: str, voxels: npt.NDArray[Any], grid: VoxelSpace) -> None:
        shape: Index3 = index3(voxels.shape)
        levels = plan_levels(shape, grid)[:1]
        volume = describe_volume(
            self.out / name,
            levels,
            (channel,),
            str(voxels.dtype),
            orientation=self.volume.orientation,
            identity=self.identity,
        )
        create_volume(volume, levels)
        volume.write(Box.of_shape(shape), voxels)


def _of_orientation(found: OrientationCheck) -> Iterator[Finding]:
    """What the check of the orientation leaves open."""
    if found.better:
        yield Finding(
            Grade.DOUBTFUL,
            f"the orientation {found.declared} was trusted, but the image fits the atlas clearly better as "
            f"{' or '.join(found.better)}",
        )
    elif not found.is_credible:
        yield Finding(
            Grade.DOUBTFUL,
            f"the orientation {found.declared} could not be checked: the image is not much like the atlas anywhere "
            f"(best correlation {max(found.scores.values()):.2f}). Look at the overlay",
        )


def _unit(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    return (rgb[0] / 255, rgb[1] / 255, rgb[2] / 255)


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
