"""The same cells whatever was added, multiplied, padded or put beside them; and what is said where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from pipelines import detect
from pipelines.cli import main
from pipelines.config import Resources
from pipelines.stage import Stage
from pipelines.volume import open_or_convert
from tests.small_brain import phantom
from volumetric.blocks.execute import Execution, execute
from volumetric.findings import Grade
from volumetric.points.matching import match_points

VOXEL_UM = (5.0, 2.0, 2.0)
PLACE = ["z_vox", "y_vox", "x_vox"]


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Forty slices of the small brain."""
    return phantom().render(30, 70)["signal"].astype(np.int64)


def stage_of(image: np.ndarray, folder: Path, precision: str = "auto") -> Stage:
    folder.mkdir()
    np.save(folder / "image.npy", image)
    opened = open_or_convert(folder / "image.npy", folder / "work", Resources(), voxel_um=VOXEL_UM)
    for stage in opened.stages:
        execute(stage.plan, stage.work, Execution())
    config = detect.Config(model=Path("phantom"), precision=precision)
    plan = detect.plan(opened.volume, folder / "cells.parquet", folder / "detect", config, Resources())
    execute(plan, folder / "detect", Execution())
    return Stage(plan, folder / "detect")


def places(image: np.ndarray, folder: Path, precision: str = "auto") -> np.ndarray:
    stage_of(image, folder, precision)
    return pd.read_parquet(folder / "cells.parquet").sort_values(PLACE)[PLACE].to_numpy()


@pytest.mark.slow
def test_offset_gain_and_data_type_give_the_same_cells(image: np.ndarray, tmp_path: Path) -> None:
    expected = places(image.astype(np.uint16), tmp_path / "usual")
    assert len(expected) > 200
    others = {
        "offset": (image - 32_768).astype(np.int16),
        "negative": (image - 2_000).astype(np.int16),
        "gain": (3 * image + 7).astype(np.uint16),
        "real": (image - 60_000).astype(np.float32),
    }
    for name, other in others.items():
        np.testing.assert_allclose(places(other, tmp_path / name), expected, atol=1e-3, err_msg=name)


@pytest.mark.slow
def test_a_gain_that_is_no_integer_gives_the_same_cells_in_float32(image: np.ndarray, tmp_path: Path) -> None:
    expected = places(image.astype(np.uint16), tmp_path / "usual", "float32")
    other = places((0.37 * image - 12.3).astype(np.float32), tmp_path / "gain", "float32")
    np.testing.assert_allclose(other, expected, atol=1e-3)


@pytest.mark.slow
def test_empty_surroundings_give_the_same_cells(image: np.ndarray, tmp_path: Path) -> None:
    expected = places(image.astype(np.uint16), tmp_path / "usual", "float32")
    widths = ((4, 6), (16, 40), (72, 8))
    padded = places(np.pad(image, widths).astype(np.uint16), tmp_path / "padded", "float32")
    np.testing.assert_allclose(padded - [a for a, _ in widths], expected, atol=1e-3)
    odd = ((3, 1), (5, 2), (0, 11))
    near = places(np.pad(image, odd).astype(np.uint16), tmp_path / "odd", "float32") - [a for a, _ in odd]
    inner = [p[(p[:, 0] > 4) & (p[:, 0] < 35)] for p in (near, expected)]
    assert len(inner[0]) == pytest.approx(len(inner[1]), rel=0.02)


@pytest.mark.slow
def test_a_saturated_injection_site_leaves_the_cells_elsewhere(tmp_path: Path) -> None:
    image = phantom().render(0, phantom().shape[0])["signal"]
    expected = places(image.astype(np.uint16), tmp_path / "usual")
    z, y, x = np.indices(image.shape) - np.reshape((30, 60, 70), (3, 1, 1, 1))
    for number, (radius_um, grey) in enumerate(((60, 65_535), (40, 20_000), (10, 65_535))):
        site = (5 * z) ** 2 + (2 * y) ** 2 + (2 * x) ** 2 < radius_um**2
        found = places(np.where(site, grey, image).astype(np.uint16), tmp_path / f"site{number}")
        around = ndimage.maximum_filter(site, (25, 97, 97))  # the grid of the background
        elsewhere = [p[~around[tuple(np.rint(p).astype(int).T)]] for p in (expected, found)]
        same = len(match_points(*elsewhere, 1.5))
        assert same >= 0.99 * max(len(p) for p in elsewhere) > 100


def test_an_image_without_cells_is_said_in_red(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).normal(100, 6, (8, 64, 64))
    stage = stage_of(np.rint(noise).astype(np.uint16), tmp_path / "none")
    facts = stage.ledger.facts()
    assert facts["link"]["cells"] == 0
    assert [record["grade"] for record in facts["link"]["findings"]] == [Grade.UNUSABLE]
    np.save(tmp_path / "noise.npy", np.rint(noise).astype(np.uint16))
    voxel = ("--voxel-um", "5", "2", "2", "--out", str(tmp_path / "cells.parquet"))
    with pytest.raises(SystemExit) as stopped:
        main(["detect", str(tmp_path / "noise.npy"), *voxel])
    assert stopped.value.code == 0
    assert "warning: no cells were found" in capsys.readouterr().out


def test_little_tissue_is_doubted() -> None:
    (found,) = detect.tissue_findings(0.004)
    assert found.grade is Grade.DOUBTFUL
    assert "0.4%" in found.text
    assert detect.tissue_findings(0.11) == []


@pytest.mark.parametrize("voxel", [("5", "0.0007", "0.0007"), ("1000", "1000", "1000")])
def test_a_voxel_that_no_brain_has_is_refused_before_any_work(
    voxel: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "image.npy", np.zeros((4, 32, 32), np.uint16))
    out = tmp_path / "cells.parquet"
    with pytest.raises(SystemExit) as stopped:
        main(["detect", str(tmp_path / "image.npy"), "--voxel-um", *voxel, "--out", str(out)])
    assert stopped.value.code == 2
    assert "no image of a brain" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["image.npy"]
