"""A generator trained on images without labels, stopped and gone on with, and tiles made with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from matplotlib.image import imread

from pipelines.cli import main
from volumetric.detection.model import checkpoint_path
from volumetric.detection.tileset import read_tiles
from volumetric.storage.atomic import read_json
from volumetric.storage.png import read_png
from volumetric.synthesis.adversarial import Contest

SMALL = """
[train_generator]
channels = [8, 16]
critic_channels = [8, 16]
history = 10
show_every = 4
cells_per_mpx = [2000, 4000]
"""


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Sums of several threads are not bit-equal from run to run."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise with a few bright spots, 16 bits."""
    folder, rng = tmp_path_factory.mktemp("images") / "tiles", np.random.default_rng(0)
    folder.mkdir()
    for number in range(4):
        light = np.full((40, 44), 400.0)
        for y, x in rng.integers(4, 36, (3, 2)):
            light[y - 2 : y + 3, x - 2 : x + 3] *= 3
        tifffile.imwrite(folder / f"b{number % 2}_{number}.tif", rng.poisson(light).astype(np.uint16))
    return folder


def go(*arguments: object) -> int:
    try:
        main([str(a) for a in arguments])
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def train(images: Path, out: Path, *more: object) -> int:
    (out.parent / "small.toml").write_text(SMALL)
    fixed = ("--px", 32, "--batch", 2, "--radius-px", 2, 4, "--device", "cpu", "--config", out.parent / "small.toml")
    return go("train-generator", images, "--out", out, "--steps", 8, *fixed, *more)


@pytest.fixture(scope="module")
def trained(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "best.safetensors"
    assert train(images, out) == 0
    return out


def test_a_training_tells_its_time_and_shows_what_it_makes(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "method.safetensors"
    assert train(images, out, "--mode", "method") == 0
    said = capsys.readouterr().out
    assert "8 steps of 2 planes of 32 px, 2 turns of the critic each, from 4 real planes: about" in said
    assert "gradient penalty" in said
    assert [p.name for p in sorted((tmp_path / "method.samples").iterdir())] == ["step-0000004.png", "step-0000008.png"]
    assert imread(tmp_path / "method.learning.png").std() > 0.05
    steps = pd.read_csv(tmp_path / ".method.safetensors.work" / "train-generator" / "steps.csv")
    assert len(steps) == 8
    assert steps.notna().all(axis=None)


def test_a_training_that_was_stopped_gives_the_same_generator(
    images: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(contest: Contest, path: Path) -> None:
        save(contest, path)
        raise KeyboardInterrupt

    save = Contest._save
    out = tmp_path / "best.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr("volumetric.synthesis.adversarial.GanSettings.save_every", 3)
        patch.setattr(Contest, "_save", stop)
        assert train(images, out) == 1
    assert not out.exists()
    assert train(images, out) == 0
    assert out.read_bytes() == trained.read_bytes()


def test_tiles_are_the_same_for_any_number_of_workers_and_can_be_learned_from(trained: Path, tmp_path: Path) -> None:
    many, one = tmp_path / "many", tmp_path / "one"
    common = ("-n", 20, "--px", 50, "--layout", "discs", "--texture", 0.02, "--brightness", 0.9, 1.1)
    assert go("synthesize", trained, "--out", many, "--workers", 2, *common) == 0
    assert go("synthesize", trained, "--out", one, "--workers", 1, *common) == 0
    names = sorted(p.name for p in many.iterdir() if not p.name.startswith("."))
    assert names == sorted(p.name for p in one.iterdir() if not p.name.startswith("."))
    for name in names:
        assert (many / name).read_bytes() == (one / name).read_bytes(), name
    tiles = read_tiles(many, (1.0, 1.0, 1.0))
    record = read_json(many / "synthesis.json")
    assert len(tiles) == record["tiles"] == 20
    assert sum(len(tile.cells) for tile in tiles if tile.cells is not None) == record["cells"] > 0
    assert {tile.brain for tile in tiles} == {"synthetic"}
    for tile in tiles:
        assert tile.cells is not None
        assert tile.heatmap is not None
        places = np.floor(tile.cells[:, 1:]).astype(int).clip(0)
        assert (tile.heatmap[0][tuple(places.T)] == 1).all()
    assert record["scale"] == "contrast"
    assert 0 <= record["invisible"] <= 1
    assert imread(tmp_path / "many.png").std() > 0.05


def test_a_generator_of_mode_method_makes_8_bit_tiles_with_white_cells(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "method.safetensors"
    assert train(images, out, "--mode", "method") == 0
    assert go("synthesize", out, "-n", 3, "--px", 96, "--layout", "discs", "--out", tmp_path / "made") == 0
    image = read_png(tmp_path / "made" / "synthetic_000000.png")
    cells = pd.read_csv(tmp_path / "made" / "synthetic_000000_cells.csv")
    assert image.dtype == np.uint8
    assert image.shape == (96, 96)
    large = cells[cells["radius_px"] > 2]
    assert len(large)
    assert (image[large["y"].round().astype(int).clip(0, 95), large["x"].round().astype(int).clip(0, 95)] == 255).all()


def test_optics_and_noise_need_no_network(tmp_path: Path) -> None:
    assert go("synthesize", "physics", "-n", 4, "--px", 64, "--layout", "discs", "--out", tmp_path / "made") == 0
    assert read_json(tmp_path / "made" / "synthesis.json")["painter"] == "physics"
    assert tifffile.imread(tmp_path / "made" / "synthetic_000003.tif").dtype == np.uint16


def test_what_cannot_be_made_is_said(
    images: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: object) -> str:
        assert go(*arguments) == 2
        return " ".join(capsys.readouterr().err.split())

    out = tmp_path / "new.safetensors"
    assert "give --px of at most 40" in said("train-generator", images, "--out", out, "--px", 64, "--steps", 1)
    assert ".safetensors file" in said("train-generator", images, "--out", tmp_path / "new.pt", "--px", 32)
    assert "multiple of 8" in said("train-generator", images, "--out", out, "--px", 33)
    assert "no folder of tiles" in said("train-generator", tmp_path / "none", "--out", out)
    none = tmp_path / "none.safetensors"
    assert "no checkpoint" in said("synthesize", none, "--layout", "discs", "--out", tmp_path / "made")
    assert "no layout 'rings'" in said("synthesize", trained, "--layout", "rings", "--out", tmp_path / "made")
    assert "factors above 0" in said(
        "synthesize", trained, "--layout", "discs", "--brightness", 0, 1, "--out", tmp_path / "m"
    )
    assert "of the background of a generator" in said(
        "synthesize", "physics", "--texture", 0.1, "--layout", "discs", "--out", tmp_path / "m"
    )
    out.write_bytes(trained.read_bytes()[:-100])
    assert "not a whole safetensors file" in said("synthesize", out, "--layout", "discs", "--out", tmp_path / "made")
    detector = checkpoint_path()
    assert "a generator of `train-generator`" in said(
        "synthesize", detector, "--layout", "discs", "--out", tmp_path / "m"
    )
    assert not (tmp_path / "made").exists()
