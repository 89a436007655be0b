"""The register command on a small phantom: what it refuses, and what a person can add."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

import volumetric
from pipelines.cli import main
from tests.small_brain import Files, write_coarse_atlas, write_files
from volumetric.atlas.sides import LEFT
from volumetric.registration import quality


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in arguments])
    return int(stopped.value.code or 0)


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Path, Path]:
    """The phantom's files, its background as a volume, and the atlas at half resolution."""
    folder = tmp_path_factory.mktemp("brain")
    files = write_files(folder)
    volume = folder / "brain.ome.zarr"
    voxel = [f"{v:g}" for v in files.voxel_um]
    flags = ("--voxel-um", *voxel, "--orientation", files.orientation)
    assert run("ingest", files.slices / "background", volume, *flags) == 0
    return files, volume, write_coarse_atlas(folder / "coarse")


def message(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_a_wrong_orientation_stops_before_the_work(
    brain: tuple[Files, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, _, atlas = brain
    wrong = files.orientation.translate(str.maketrans("apsi", "pais"))
    source = ("register", files.slices / "background", "--voxel-um", *files.voxel_um, "--orientation", wrong)
    assert run(*source, "--atlas", atlas, "--out", tmp_path / "r", "--preset", "fast") == 2
    said = message(capsys)
    assert f"the orientation {wrong} looks wrong" in said
    assert "--trust-orientation" in said
    assert not (tmp_path / "r" / "quality.json").exists()
    assert not (tmp_path / "r" / "ants").exists()


def test_a_corrected_orientation_goes_on_without_converting_again(
    brain: tuple[Files, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, _, atlas = brain
    wrong = files.orientation.translate(str.maketrans("apsi", "pais"))
    source = ("register", files.slices / "background", "--voxel-um", *files.voxel_um)
    flags = ("--atlas", atlas, "--out", tmp_path / "r", "--preset", "fast")
    assert run(*source, *flags) == 2
    assert "the orientation is missing" in message(capsys)
    assert not (tmp_path / "r").exists()
    assert run(*source, *flags, "--orientation", wrong) == 2
    volume = tmp_path / "r" / ".work" / "volume.ome.zarr" / "zarr.json"
    converted = volume.stat().st_mtime_ns
    assert run(*source, *flags, "--orientation", files.orientation) == 0
    assert volume.stat().st_mtime_ns == converted


@pytest.mark.slow
def test_a_trusted_orientation_goes_on_and_says_so(brain: tuple[Files, Path, Path], tmp_path: Path) -> None:
    files, _, atlas = brain
    wrong = files.orientation.translate(str.maketrans("apsi", "pais"))
    source = ("register", files.slices / "background", "--voxel-um", *files.voxel_um, "--orientation", wrong)
    flags = ("--atlas", atlas, "--out", tmp_path / "r", "--preset", "fast", "--trust-orientation", "--keep-poor")
    assert run(*source, *flags) == 0
    found = json.loads((tmp_path / "r" / "quality.json").read_text())
    assert not found["orientation_checked"]
    assert any("was trusted" in warning for warning in found["warnings"])


def test_damaged_tissue_is_neither_fitted_nor_counted(brain: tuple[Files, Path, Path], tmp_path: Path) -> None:
    files, volume, atlas = brain
    image = volumetric.open_volume(volume)
    mask = np.zeros([-(-n // 2) for n in image.shape], np.uint8)
    mask[: mask.shape[0] // 3] = 255
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    flags = ("--atlas", atlas, "--preset", "fast", "--exclude-mask", tmp_path / "mask.tif", "--keep-poor")
    assert run("register", volume, *flags, "--out", tmp_path / "r") == 0
    found = json.loads((tmp_path / "r" / "quality.json").read_text())
    assert 0.15 < found["excluded_share"] < 0.5
    brain_again = volumetric.open_registration(tmp_path / "r", atlas)
    z_um = np.array(files.cells["z_um"])
    regions = brain_again.assign(files.cells[["z_um", "y_um", "x_um"]].to_numpy()).region_id
    edge = float(image.z[2 * (mask.shape[0] // 3)])
    step = brain_again.sample_to_atlas.grid.spacing_um[0]
    assert (regions[z_um < edge - step] == 0).all()
    assert (regions[z_um > edge + step] > 0).mean() > 0.9


@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "holds NaN or infinite values"), (0.0, "is constant"), (100.0, "is constant")]
)
def test_an_image_that_shows_nothing_is_refused(
    brain: tuple[Files, Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    value: float,
    words: str,
) -> None:
    stack = np.full((20, 60, 70), value, np.float32)
    if np.isnan(value):
        stack[5:15] = np.random.default_rng(0).random((10, 60, 70))
    np.save(tmp_path / "image.npy", stack)
    flags = ("--voxel-um", 20, 10, 10, "--orientation", "psl", "--atlas", brain[2], "--preset", "fast")
    assert run("register", tmp_path / "image.npy", *flags, "--out", tmp_path / "r") == 2
    assert words in message(capsys)
    assert not (tmp_path / "r" / "quality.json").exists()


@pytest.mark.slow
def test_landmarks_pull_the_map_and_are_reported(brain: tuple[Files, Path, Path], tmp_path: Path) -> None:
    files, volume, atlas = brain
    flags = ("--atlas", atlas, "--preset", "fast")
    assert run("register", volume, *flags, "--out", tmp_path / "plain") == 0
    plain = volumetric.open_registration(tmp_path / "plain", atlas)
    sides = plain.assign(files.cells[["z_um", "y_um", "x_um"]].to_numpy()).hemisphere
    assert np.mean(np.where(sides == LEFT, "left", "right") == files.cells["hemisphere"].to_numpy()) > 0.97
    rng = np.random.default_rng(0)
    inside = plain.sample_to_atlas.grid.to_um(
        rng.uniform(0.35, 0.65, (12, 3)) * plain.sample_to_atlas.displacement_um.shape[1:]
    )
    shift = np.array([0.0, 1.5 * plain.atlas.space.spacing_um[1], 0.0])
    table = pd.DataFrame(
        np.hstack([inside, plain.to_atlas(inside) + shift]),
        columns=["z_um", "y_um", "x_um", "atlas_z_um", "atlas_y_um", "atlas_x_um"],
    )
    table.to_csv(tmp_path / "places.csv", index=False)
    assert run("register", volume, *flags, "--out", tmp_path / "r", "--landmarks", tmp_path / "places.csv") == 0
    corrected = volumetric.open_registration(tmp_path / "r", atlas)
    assert np.abs(corrected.to_atlas(inside) - plain.to_atlas(inside) - shift).max() < 0.1 * shift[1]
    errors = corrected.quality["landmarks"]
    assert errors["n"] == 12
    assert errors["before_um"] == pytest.approx(shift[1], rel=0.01)
    assert errors["left_out_um"] < 0.5 * errors["before_um"]
    mask = np.ones(corrected.sample_to_atlas.displacement_um.shape[1:], np.bool_)
    assert quality.folding_fraction(corrected.sample_to_atlas, mask) == 0


@pytest.mark.parametrize(
    ("flag", "content", "words"),
    [
        ("--exclude-mask", "empty", "is empty"),
        ("--exclude-mask", "full", "excludes the whole volume"),
        ("--exclude-mask", "large", "must cover exactly"),
        ("--exclude-mask", "part", "must cover exactly"),
        ("--landmarks", "z_um,y_um\n1,2\n", "lacks"),
        ("--landmarks", "z_um,y_um,x_um,atlas_z_um,atlas_y_um,atlas_x_um\n1,2,3,4,5,six\n", "line 2"),
        ("--landmarks", "z_um,y_um,x_um,atlas_z_um,atlas_y_um,atlas_x_um\n90000,2,3,4,5,6\n", "outside the image"),
        ("--landmarks", "", "is empty"),
        ("--landmarks", None, "no file of landmarks"),
    ],
)
def test_a_mask_or_landmarks_that_do_not_fit_are_refused(
    brain: tuple[Files, Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flag: str,
    content: str | None,
    words: str,
) -> None:
    _, volume, atlas = brain
    path = tmp_path / "added"
    whole = volumetric.open_volume(volume).shape
    masks = {
        "empty": np.zeros(whole, np.uint8),
        "full": np.ones(whole, np.uint8),
        "large": np.zeros((*whole[:2], 9000), np.uint8),
        "part": np.zeros((whole[0] // 3, *whole[1:]), np.uint8),
    }
    if content in masks:
        path = tmp_path / "added.tif"
        tifffile.imwrite(path, masks[content])
    elif content is not None:
        path.write_text(content)
    assert run("register", volume, "--atlas", atlas, "--preset", "fast", flag, path, "--out", tmp_path / "r") == 2
    assert words in message(capsys)
    assert not (tmp_path / "r" / "quality.json").exists()
