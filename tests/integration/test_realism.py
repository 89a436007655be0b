"""Synthetic tiles compared with real ones by the command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from matplotlib.image import imread

from pipelines.cli import main
from pipelines.realism import Config, plan
from pipelines.report import picture
from volumetric.storage.atomic import read_json
from volumetric.storage.png import write_png
from volumetric.synthesis import two_sample

KEYS = (
    "js_histogram",
    "js_background",
    "log_power_mae",
    "signal_minus_background",
    "classifier_auc",
    "nearest_distance_median",
)


@pytest.fixture(autouse=True, scope="module")
def small_forests_and_pictures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_sample, "TREES", 10)
        patch.setattr(picture, "PNG_DPI", 40)
        yield


def go(*arguments: object) -> int:
    try:
        main([str(a) for a in arguments])
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def tile(rng: np.random.Generator, edge: int, light: float) -> tuple[np.ndarray, np.ndarray]:
    """Noise of 100 grey values with two discs that stand `light` above it."""
    image, cells = rng.normal(100, 10, (edge, edge)), rng.uniform(8, edge - 9, (2, 2))
    rows, columns = np.ogrid[:edge, :edge]
    for y, x in cells:
        image[(rows - y) ** 2 + (columns - x) ** 2 <= 16] = 100 + light
    return np.clip(image, 0, 255).astype(np.uint8), cells


def write_tiles(folder: Path, count: int, seed: int, *, edge: int, light: float) -> Path:
    rng = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    for number in range(count):
        image, yx = tile(rng, edge, light)
        write_png(folder / f"m{seed}_{number}.png", image)
        pd.DataFrame(yx, columns=["y", "x"]).to_csv(folder / f"m{seed}_{number}_cells.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("tiles")
    return {
        "synthetic": write_tiles(place / "synthetic", 8, 1, edge=36, light=120),
        "real": write_tiles(place / "real", 10, 2, edge=40, light=60),
        "other": write_tiles(place / "other", 6, 3, edge=40, light=60),
    }


def command(folders: dict[str, Path], out: Path) -> tuple[object, ...]:
    given = ("realism", folders["synthetic"], folders["real"], "--against", folders["other"])
    return (*given, "--out", out, "--splits", 3, "--workers", 1)


@pytest.fixture(scope="module")
def finished(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "out"
    assert go(*command(folders, out), "--dry-run") == 0
    assert not out.exists()
    assert go(*command(folders, out)) == 0
    return out


def test_tiles_beside_their_floor(folders: dict[str, Path], finished: Path, capsys: pytest.CaptureFixture) -> None:
    assert go(*command(folders, finished)) == 0  # all is done: it is said again
    record = read_json(finished / "realism.json")
    assert (record["px"], record["scale"], record["halves"]) == (36, "brain", "tiles")
    assert record["n_tiles"] == {"synthetic": 8, "real": 10, "against": 6}
    for part in (record, record["floor"], record["ratio"], record["floor_by_planes"], record["against"]):
        assert all(isinstance(part[key], float) for key in KEYS)
    assert record["signal_minus_background"] == pytest.approx(120, abs=4)
    assert record["floor"]["signal_minus_background"] == pytest.approx(60, abs=4)
    assert record["sets"]["real"]["signal_minus_background"]["mean"] == pytest.approx(60, abs=4)
    assert record["signal_difference"] == pytest.approx(60, abs=5)
    assert record["ratio"]["signal_minus_background"] == pytest.approx(2, abs=0.2)
    assert record["ratio"]["js_histogram"] > 1.5
    assert record["against"]["js_histogram"] < record["js_histogram"]
    assert record["classifier_auc"] > 0.9
    low, high = record["classifier_auc_interval"]
    assert low <= record["classifier_auc"] <= high
    low, high = record["floor"]["range"]["js_histogram"]
    assert low <= record["floor"]["js_histogram"] <= high
    assert imread(finished / "realism.png").std() > 0.1
    said = " ".join(capsys.readouterr().out.split())
    assert "a classifier names the synthetic one in" in said
    assert "for two halves of the real ones" in said
    assert "for the other real ones" in said
    assert "farthest from real tiles:" in said


def test_a_stopped_comparison_goes_on_and_gives_the_same(
    folders: dict[str, Path], finished: Path, tmp_path: Path
) -> None:
    stopped = tmp_path / "stopped"
    shutil.copytree(finished, stopped)
    work = stopped / ".work" / "realism"
    for gone in (stopped / "realism.json", work / "publish" / "all.json", work / "floor" / "00000001.json"):
        gone.unlink()
    (work / "halves" / "00001.json").unlink()
    kept = (work / "halves" / "00000.json").stat().st_mtime_ns
    assert go(*command(folders, stopped)) == 0
    assert (stopped / "realism.json").read_text() == (finished / "realism.json").read_text()
    assert (work / "halves" / "00000.json").stat().st_mtime_ns == kept


def test_a_real_volume_whose_cells_nobody_knows(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Its planes are its halves; 16-bit synthetic tiles say that they are on the scale of contrast."""
    rng = np.random.default_rng(5)
    synthetic, real, out = tmp_path / "synthetic", tmp_path / "real", tmp_path / "out"
    synthetic.mkdir()
    real.mkdir()
    for number in range(5):
        image, yx = tile(rng, 40, 80)
        tifffile.imwrite(synthetic / f"s_{number}.tif", image.astype(np.uint16) * 20)
        pd.DataFrame(yx, columns=["y", "x"]).to_csv(synthetic / f"s_{number}_cells.csv", index=False)
    volume = np.stack([tile(rng, 40, 80)[0] for _ in range(8)]).astype(np.uint16) * 7
    tifffile.imwrite(real / "m_1.tif", volume, photometric="minisblack")
    (synthetic / "synthesis.json").write_text(json.dumps({"scale": "contrast"}))
    assert go("realism", synthetic, real, "--out", out, "--splits", 2) == 0
    record = read_json(out / "realism.json")
    assert (record["scale"], record["halves"], record["n_planes"]["real"]) == ("contrast", "planes", 8)
    assert record["js_histogram"] < 0.1  # gains differ, contrast does not
    assert record["js_background"] is record["signal_difference"] is None
    assert record["floor"]["signal_minus_background"] is record["sets"]["real"]["signal_minus_background"] is None
    assert record["signal_minus_background"] > 20  # of the synthetic ones it is known
    said = " ".join(capsys.readouterr().out.split())
    assert "cells are not known on both sides" in said
    assert "the real tiles are one volume" in said
    other = plan(synthetic, real, out, out / ".work", Config(scale="brain", every=2, px=20))
    assert (other.config["scale"], other.config["px"]) == ("brain", 20)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--px", 38), "synthetic tiles have edges of 36 px"),
        (("--px", 8), "px"),
        (("--against", "EMPTY"), "there is no tile in"),
        (("--against", "FEW"), "at least 4 other real ones are needed"),
        (("--against", "NONE"), "no folder of tiles"),
    ],
)
def test_what_cannot_be_compared(
    flags: tuple[object, ...], said: str, folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "EMPTY").mkdir()
    write_tiles(tmp_path / "FEW", 3, 6, edge=40, light=60)
    given = tuple(tmp_path / flag if flag in {"EMPTY", "FEW", "NONE"} else flag for flag in flags)
    assert go("realism", folders["synthetic"], folders["real"], "--out", tmp_path / "out", *given) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_a_scale_that_there_is_not(folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    synthetic = write_tiles(tmp_path / "synthetic", 4, 7, edge=40, light=60)
    (synthetic / "synthesis.json").write_text('{"scale": "moon"}')
    assert go("realism", synthetic, folders["real"], "--out", tmp_path / "out") == 2
    assert "'moon': expected one of brain, contrast" in " ".join(capsys.readouterr().err.split())
