"""The four steps of a registration: check, transform, labels, quality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.report.planes import Marks, overlay_png
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.labels import labels_on_grid
from volumetric.atlas.registered import ATLAS_TO_SAMPLE, EXCLUDED, LABELS, QUALITY, SAMPLE_TO_ATLAS
from volumetric.blocks.telling import tell
from volumetric.errors import InputError, RegistrationError
from volumetric.findings import Finding, Grade, Verdict
from volumetric.geometry.box import Box, Index3, index3
from volumetric.geometry.field_of_view import Exclusion
from volumetric.geometry.space import VoxelSpace
from volumetric.registration import preflight, quality
from volumetric.registration.image_findings import image_findings
from volumetric.registration.landmarks import Landmarks, corrected
from volumetric.registration.orientation_check import OrientationCheck, check_orientation_fit
from volumetric.registration.prepare import Prepared, prepare
from volumetric.registration.register import register
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
        """What speaks against the registration before it is begun.

        Raises `InputError` for an image that shows nothing and for an orientation that is clearly wrong.
        """
        sample = self._prepared()
        found = self._orientation_check(sample)
        findings = image_findings(sample, self._brain_um3)
        if found.better and not self.trust_orientation:
            raise InputError(_wrong_orientation(found) + _seen_too(findings))
        warnings = [
            *(finding.text for finding in findings if finding.grade is not Grade.GOOD),
            *Verdict.of(self.atlas.findings).doubts,
            *preflight.size_warnings(sample.edges_um, self.atlas.space.extent_um(self.atlas.shape)),
            *preflight.voxel_warnings(self.volume.space.spacing_um),
            *preflight.cut_warnings(sample.tissue, self.atlas.orientation),
        ]
        if found.better:
            warnings.append(
                f"the orientation {found.declared} was trusted, but the brain fits the atlas clearly better with "
                f"{' or '.join(found.better)}"
            )
        elif not found.is_credible:
            warnings.append(
                f"the orientation {found.declared} could not be checked: the images are not those of a whole brain "
                f"(best correlation {max(found.scores.values()):.2f})"
            )
        return {
            "warnings": warnings,
            "findings": [finding.as_json() for finding in findings],
            "orientation_checked": found.is_credible and not found.better,
            "left_right_checked": found.is_credible and found.sees_left_and_right,
        }

    def transform(self) -> Mapping[str, Any]:
        """Run ANTs, correct by landmarks; store both maps and what is excluded."""
        sample = self._prepared()
        with replacing(self.out / "ants") as keep:
            keep.mkdir()
            result = register(
                sample, self.atlas.template, self.atlas.space, preset=self.preset, keep=keep, on_progress=tell
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
        remove(self.out / EXCLUDED)
        if self.exclusion is not None:
            excluded = self.exclusion.on(there.grid, index3(there.displacement_um.shape[1:])).mask
            self._write_on_grid(EXCLUDED, "excluded", excluded.astype(np.uint8), there.grid)
        return {"seconds": round(result.seconds, 1), "landmarks": errors}

    def labels(self) -> Mapping[str, Any]:
        """Store the annotation as seen in the sample's space."""
        there = read_map(self.out / SAMPLE_TO_ATLAS, self.identity)
        regions, _ = labels_on_grid(there, self.atlas)
        if self.exclusion is not None:
            regions[self.exclusion.on(there.grid, index3(regions.shape)).mask] = 0
        self._write_on_grid(LABELS, "region_id", regions, there.grid)
        return {"labelled_voxels": int(np.count_nonzero(regions))}

    def judge(self) -> None:
        """Measure how good the registration is; write `quality.json` and the overlay.

        Raises `RegistrationError` for one that is beyond use, which leaves its figures in `rejected.json`.
        """
        checked, made = (read_json(self.work / name / "all.json")["facts"] for name in ("check", "transform"))
        sample = self._prepared()
        there, back = (read_map(self.out / name, self.identity) for name in (SAMPLE_TO_ATLAS, ATLAS_TO_SAMPLE))
        labels = open_ome_zarr(self.out / LABELS)
        labelled = labels.read(Box.of_shape(labels.shape)) > np.uint32(0)
        inside = np.asarray(labelled & ~sample.back.apply(sample.damaged))
        image, tissue = sample.back.apply(sample.image), sample.back.apply(sample.mask)
        template = quality.sample_through(self.atlas.template, self.atlas.space, there)
        figures = quality.Figures(
            ncc_in_mask=quality.ncc_in_mask(image, template, inside & ~sample.back.apply(sample.bright)),
            mask_dice=quality.mask_dice(tissue, inside),
            folding_fraction=quality.folding_fraction(there, inside),
            inverse_consistency_um=quality.inverse_consistency_um(there, back, inside, np.random.default_rng(0)),
        )
        doubts, faults = quality.judge(figures, min(self.atlas.space.spacing_um))
        colours = {r.region_id: _unit(r.rgb) for r in self.atlas.ontology.regions}
        marks = Marks(
            excluded=None if self.exclusion is None else open_ome_zarr(self.out / EXCLUDED),
            landmarks_um=None if self.landmarks is None else self.landmarks.sample_um,
        )
        overlay_png(
            self.volume, self.volume.channels[self.channel], labels, self.out / "overlay.png", colours, marks=marks
        )
        found = {
            "method": "ants",
            "preset": self.preset,
            "seconds": made["seconds"],
            **{name: _rounded(value) for name, value in vars(figures).items()},
            "orientation_checked": checked["orientation_checked"],
            "left_right_checked": checked["left_right_checked"],
            "landmarks": made["landmarks"],
            "excluded_share": round(float(1 - sample.mask.sum() / sample.tissue.sum()), 4),
            "warnings": [*checked["warnings"], *doubts, *faults],
            "findings": checked["findings"],
            "volume": {**VolumeRecord.of(self.volume).as_json(), "orientation": self.volume.orientation},
            "atlas": {**self.atlas.record, "given": self.atlas_given},
            "identity": self.identity,
        }
        if faults and not self.keep_poor:
            write_json(self.out / REJECTED, found)
            raise RegistrationError(
                f"the registration is beyond use: {'; '.join(faults)}. Look at {self.out / 'overlay.png'}: a wrong "
                "voxel size or channel shows there. If it is right all the same, repeat the command with --keep-poor"
                + _seen_too(map(Finding.from_json, checked["findings"]))
            )
        remove(self.out / REJECTED)
        write_json(self.out / QUALITY, found)

    def _prepared(self) -> Prepared:
        """The brain as ANTs sees it."""
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

    @property
    def _brain_um3(self) -> float:
        """Volume of the atlas' brain."""
        return float(np.count_nonzero(self.atlas.annotation) * np.prod(self.atlas.space.spacing_um))

    def _orientation_check(self, sample: Prepared) -> OrientationCheck:
        return check_orientation_fit(
            sample.back.apply(sample.brain),
            sample.sample_grid,
            self.orientation,
            template=self.atlas.template,
            template_space=self.atlas.space,
            atlas_orientation=self.atlas.orientation,
        )

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


def _wrong_orientation(found: OrientationCheck) -> str:
    best = found.better[0]
    also = f" or {' or '.join(found.better[1:])} (this atlas cannot tell left from right)" if found.better[1:] else ""
    return (
        f"the orientation {found.declared} looks wrong: the brain fits the atlas clearly better with {best}{also}, "
        f"correlation {found.scores[best]:.2f} against {found.scores[found.declared]:.2f}. Give --orientation {best}; "
        f"if you know that {found.declared} is right, repeat with --trust-orientation"
    )


def _seen_too(findings: Iterable[Finding]) -> str:
    """What was noticed of an image that is refused: it may be the reason."""
    return "".join(f". Of the image: {finding.text}" for finding in findings)


def _unit(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    return (rgb[0] / 255, rgb[1] / 255, rgb[2] / 255)


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
