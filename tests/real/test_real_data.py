"""The commands on real data: a brain, a two-channel crop, c-Fos volumes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from pipelines.cli import main
from volumetric.atlas.loader import load_atlas
from volumetric.geometry.box import Box
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap
from volumetric.imaging.pooling import mean_pool
from volumetric.points.matching import match_points
from volumetric.registration.imaged import Halves
from volumetric.registration.linear import fit_linear
from volumetric.registration.located import Located, locate
from volumetric.registration.orientation_check import check_orientation_fit
from volumetric.registration.placement import Template
from volumetric.registration.prepare import normalise, prepare
from volumetric.registration.register import register
from volumetric.storage.omezarr import open_ome_zarr
from volumetric.tiles.normalisation import Normalisation
from volumetric.tiles.quality import QualityRule, judge

pytestmark = pytest.mark.slow

VOXEL = (50.0, 40.0, 40.0)


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in arguments])
    assert stopped.value.code == 0


def test_a_whole_brain_too_coarse_for_cells_is_registered_and_says_so(data_dir: Path, tmp_path: Path) -> None:
    atlas = ("--atlas", "allen_mouse_200um", "--atlas-dir", data_dir / "atlas")
    source = ("count", data_dir / "brain_stpt" / "slices", "--voxel-um", 50, 40, 40, "--orientation", "psl")
    run(*source, *atlas, "--out", tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["too_coarse"]
    assert "too coarse for cells" in record["warnings"][0]
    assert "too coarse for cells" in (tmp_path / "run" / "report.html").read_text()
    quality = json.loads((tmp_path / "run" / "registration" / "quality.json").read_text())
    assert quality["orientation_checked"]
    assert quality["mask_dice"] > 0.9
    assert quality["folding_fraction"] == 0
    labels = open_ome_zarr(tmp_path / "run" / "registration" / "labels.ome.zarr")
    regions = labels.read(Box.of_shape(labels.shape))
    ontology = load_atlas("allen_mouse_200um", data_dir / "atlas").ontology
    cerebellum = next(r.region_id for r in ontology.regions if r.acronym == "CB")
    inside = [i for i in ontology.ids if cerebellum in (i, *ontology.ancestors(i))]
    # psl: slices start posterior, where the cerebellum is.
    assert np.argwhere(np.isin(regions, inside))[:, 0].mean() < 0.25 * labels.shape[0]
    table = pd.read_csv(tmp_path / "run" / "regions.csv", keep_default_na=False)
    whole = table[(table["acronym"] == "root") & (table["hemisphere"] == "both")]
    assert 300 < float(whole["volume_mm3"].iloc[0]) < 600
    cells = record["cells"]
    assert cells["in_atlas"] + cells["outside"] == cells["total"]
    assert cells["counted"] == cells["in_atlas"]
    check_tiles(tmp_path / "run", data_dir / "atlas", tmp_path / "tiles")


def check_tiles(finished: Path, atlas_dir: Path, out: Path) -> None:
    """Tiles of the method's five regions, cut out of a finished run; the voxels are coarse, and so the tiles small."""
    regions = ("Isocortex", "OLF", "HPF", "CTXsp", "STR")
    flags = ("--labels", finished, "--atlas-dir", atlas_dir, "--regions", ",".join(regions), "--out", out)
    run("tiles", finished / "volume.ome.zarr", *flags, "--size", 16, "--every-um", 1000)
    table = pd.read_parquet(out / "tiles.parquet")
    assert set(table["acronym"]) == set(regions)
    assert len(list((out / "tiles").glob("*.png"))) == table["accepted"].sum() > 50
    cortex = table[table["acronym"] == "Isocortex"]
    assert 0.4 < (cortex["hemisphere"] == "left").mean() < 0.6
    labels = open_ome_zarr(finished / "registration" / "labels.ome.zarr")
    ids = labels.read(Box.of_shape(labels.shape))
    ontology = load_atlas("allen_mouse_200um", atlas_dir).ontology
    sure = table[table["share"] > 0.9]
    first, half = sure[["z_um", "y_um", "x_um"]].to_numpy(), np.array([0, 8 * 40, 8 * 40])
    at = np.rint(labels.space.to_vox(first + half)).astype(int)
    named = [(i, *ontology.ancestors(i)) if i else () for i in ids[tuple(at.T)].tolist()]
    assert np.mean([own in above for own, above in zip(sure["region_id"], named, strict=True)]) > 0.95


def test_what_the_quality_rule_rejects_of_real_tissue(data_dir: Path) -> None:
    """The shares that docs/crowd.md tells of: with the rule as it is, and with contrast not asked for."""
    told = {"brain1008": (0.91, 0.54), "brain1147": (0.74, 0.05), "brain695": (0.94, 0.35)}
    for brain, shares in told.items():
        paths = sorted(p for p in (data_dir / "cells_cfos").glob(f"{brain}_*.tif") if not p.stem.endswith("_mask"))
        volumes = np.stack([tifffile.imread(path) for path in paths])
        brightness = Normalisation.fit(volumes, 0.001, 0.99)
        tiles = brightness.to_8bit(volumes[:, 5::10]).reshape(-1, 100, 100)
        rules = (QualityRule(), QualityRule(deviation=0.0004))
        rejected = [np.mean([bool(judge(tile, rule).reasons) for tile in tiles]) for rule in rules]
        assert rejected == pytest.approx(shares, abs=0.006)


def test_wrong_orientations_of_a_real_brain_are_caught_but_its_mirror_image(data_dir: Path) -> None:
    atlas = load_atlas("allen_mouse_200um", data_dir / "atlas")
    pages = sorted((data_dir / "brain_stpt" / "slices").glob("*"))
    image = mean_pool(normalise(np.stack([tifffile.imread(page) for page in pages])), (4, 5, 5))
    known = {"template": Template(atlas.template, atlas.space), "atlas_orientation": atlas.orientation}
    for declared in ("psl", "psr", "asl", "lsp", "ipr"):
        found = check_orientation_fit(image, VoxelSpace((200.0, 200.0, 200.0)), declared, **known)
        assert not found.sees_left_and_right
        assert set(found.better) == (set() if declared in {"psl", "psr"} else {"psl", "psr"})


@pytest.fixture(scope="module")
def whole(data_dir: Path) -> tuple[np.ndarray, SmoothMap]:
    """The real brain, and where its points lie in the atlas at 200 um."""
    image = np.stack([tifffile.imread(page) for page in sorted((data_dir / "brain_stpt" / "slices").glob("*"))])
    return image, fitted(image, data_dir)[1]


def fitted(image: np.ndarray, data_dir: Path) -> tuple[Located, SmoothMap]:
    atlas = load_atlas("allen_mouse_200um", data_dir / "atlas")
    brain = atlas.annotation > 0
    halves = Halves(brain & (atlas.hemispheres == 1), brain & (atlas.hemispheres == 2), atlas.space, "asr")
    coarse = Template(atlas.template, atlas.space)
    sample = prepare(image, VoxelSpace(VOXEL), "psl", "asr", atlas.space.spacing_um)
    found = locate(sample, coarse, halves)
    linear = fit_linear(found.sample, atlas.template, atlas.space, coarse=coarse, placement=found.placement)
    result = register(found.sample, atlas.template, atlas.space, linear=linear.affine, preset="standard")
    return found, result.sample_to_atlas


@pytest.mark.parametrize(
    ("kind", "part", "most_um"), [("left crop", "left", 60), ("right blank", "right", 60), ("back third", "part", 100)]
)
def test_a_part_of_a_real_brain_lies_where_it_lies_in_the_whole(
    whole: tuple[np.ndarray, SmoothMap], data_dir: Path, kind: str, part: str, most_um: float
) -> None:
    image, truth = whole
    middle = image.shape[2] // 2
    tissue = np.zeros(image.shape, bool)
    if kind == "back third":
        shown = image[:90]
        tissue[:90] = True
    elif kind == "left crop":
        shown = image[:, :, :middle]
        tissue[:, :, :middle] = True
    else:
        shown = image.copy()
        shown[:, :, :middle] = 0
        tissue[:, :, middle:] = True
    found, there = fitted(shown, data_dir)
    assert found.imaged.part == part
    points = np.argwhere(tissue & (image > 60))[::997] * VOXEL
    assert np.median(np.linalg.norm(there(points) - truth(points), axis=1)) < most_um


def test_a_crop_of_two_channels_is_no_brain_and_has_its_cells(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    atlas = ("--atlas", "allen_mouse_200um", "--atlas-dir", data_dir / "atlas", "--preset", "fast")
    channels = ("--signal", "signal", "--register-on", "background")
    source = ("count", data_dir / "cells_stpt", "--voxel-um", 5, 2, 2, "--orientation", "psl")
    with pytest.raises(SystemExit) as refused:
        main([str(a) for a in (*source, *channels, *atlas, "--out", tmp_path / "run")])
    assert refused.value.code == 2
    assert "so small a part cannot be placed" in " ".join(capsys.readouterr().err.split())
    volume = tmp_path / "run" / "volume.ome.zarr"
    run("detect", volume, "--channel", "signal", "--out", tmp_path / "cells.parquet")
    cells = pd.read_parquet(tmp_path / "cells.parquet")
    listed = pd.read_csv(data_dir / "cells_stpt" / "cells.csv")[["z", "y", "x"]].to_numpy(float) * (5, 2, 2)
    pairs = match_points(listed, cells[["z_um", "y_um", "x_um"]].to_numpy(), 15.0)
    assert len(pairs) / len(listed) > 0.6


def test_human_cells_of_a_light_sheet_volume_are_found(data_dir: Path, tmp_path: Path) -> None:
    volume = data_dir / "cells_cfos" / "brain1008_0.tif"
    run("detect", volume, "--voxel-um", 6, 1.62, 1.62, "--out", tmp_path / "cells.parquet")
    cells = pd.read_parquet(tmp_path / "cells.parquet")
    truth = pd.read_csv(data_dir / "cells_cfos" / "brain1008_0_cells.csv")[["z", "y", "x"]].to_numpy(float)
    pairs = match_points(truth * (6, 1.62, 1.62), cells[["z_um", "y_um", "x_um"]].to_numpy(), 8.0)
    assert len(pairs) / len(truth) > 0.6
