"""A detector trained on tiles, stopped and gone on with, measured, and adapted to another brain."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from matplotlib.image import imread

from pipelines.cli import main
from pipelines.train_detector import network
from pipelines.train_detector.board import Scalars
from pipelines.train_detector.material import tile_training
from volumetric.detection.model import checkpoint_path, load_detector
from volumetric.detection.tileset import read_tiles
from volumetric.storage.atomic import read_json
from volumetric.storage.tables import read_table

VOXEL = ("--voxel-um", "5", "2", "2")
SMALL = """
[train_detector]
channels = [16]
"""


def write_tile(folder: Path, name: str, seed: int, light: float = 300.0, shape=(10, 72, 72)) -> None:
    """Bright cells to be marked and faint ones that nobody marks, in shot noise."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid([2, 7], np.arange(10, 70, 13), np.arange(10, 70, 13), indexing="ij"), -1).reshape(-1, 3)
    centres = grid + rng.uniform(-1, 1, grid.shape) * (0.5, 3, 3)
    marked = rng.uniform(size=len(centres)) < 0.5
    image = np.full(shape, light)
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    for (a, b, c), bright in zip(centres, marked, strict=True):
        shape_of = np.exp(-((z - a) ** 2) / 1.5 - ((y - b) ** 2 + (x - c) ** 2) / 8)
        image += light * (1.5 if bright else 0.3) * shape_of
    folder.mkdir(exist_ok=True)
    tifffile.imwrite(folder / f"{name}.tif", rng.poisson(image).astype(np.uint16), photometric="minisblack")
    pd.DataFrame(centres[marked], columns=["z", "y", "x"]).to_csv(folder / f"{name}_cells.csv", index=False)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Sums of several threads are not bit-equal from run to run."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiles") / "known"
    for number, brain in enumerate(("one", "two")):
        for part in range(2):
            write_tile(folder, f"{brain}_{part}", 10 * number + part, light=300.0 * (1 + number))
    return folder


def go(*arguments: object) -> int:
    try:
        main([str(a) for a in arguments])
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def training(tiles: Path, out: Path) -> tuple[object, ...]:
    config = out.parent / "small.toml"
    config.write_text(SMALL)
    few = ("--synthetic", 2, "--pretrain-steps", 5, "--steps", 300, "--window-px", 64, "--batch", 8, "--seed", 3)
    return ("train-detector", tiles, *VOXEL, "--out", out, "--config", config, *few, "--device", "cpu")


@pytest.fixture(scope="module")
def trained(tiles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "mine.safetensors"
    assert go(*training(tiles, out)) == 0
    return out


def test_it_learns_which_cells_are_marked(tiles: Path, trained: Path, tmp_path: Path) -> None:
    detector = load_detector(trained)
    assert detector.settings.calibration is not None
    assert set(detector.provenance["held_out"]) == {"one", "two"}
    assert detector.provenance["threshold_chosen_on"] == "tiles held out in turn"
    assert imread(trained.with_suffix(".learning.png")).std() > 0
    losses = pd.read_csv(trained.parent / f".{trained.name}.work" / "train" / "final.csv")["loss"]
    assert len(losses) == 300
    assert losses[-30:].mean() < 0.7 * losses[:30].mean()
    write_tile(tmp_path / "test", "three_0", 50, light=450.0)
    out = tmp_path / "out"
    assert go("evaluate", trained, "--tiles", tmp_path / "test", *VOXEL, "--tolerance", "8um", "--out", out) == 0
    metrics = read_json(out / "metrics.json")
    figures = metrics["tolerances"]["8um"]
    assert figures["ap"] > 0.8
    assert figures["f1"] > 0.7
    assert figures["f1_low"] <= figures["f1"] <= figures["f1_high"]
    assert metrics["n_truth"] == len(pd.read_csv(tmp_path / "test" / "three_0_cells.csv"))
    assert {"split", "n_tiles", "ece", "brier", "spearman"} <= set(metrics)
    assert len(read_table(out / "candidates.parquet")) >= metrics["n_truth"] * figures["recall"]
    assert imread(out / "evaluation.png").std() > 0


def test_a_stopped_training_gives_the_same_detector(
    tiles: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "again.safetensors"
    told = []

    def stop(done: int, total: int) -> None:
        told.append(done)
        if len(told) > 700:  # within the third phase; a failed task is tried again
            raise RuntimeError("pulled the plug")

    with monkeypatch.context() as patched:
        patched.setattr(network, "tell", stop)
        assert go(*training(tiles, out)) == 1
    assert not out.exists()
    assert go(*training(tiles, out)) == 0
    assert load_detector(out).sha256 == load_detector(trained).sha256


def test_calibrating_moves_the_threshold_and_nothing_else(tiles: Path, trained: Path, tmp_path: Path, capsys) -> None:
    for part in range(3):
        write_tile(tmp_path / "new", f"three_{part}", 60 + part, light=150.0)
    out = tmp_path / "adapted.safetensors"
    assert go("calibrate", trained, "--tiles", tmp_path / "new", *VOXEL, "--out", out) == 0
    assert "would have been enough" in capsys.readouterr().out
    before, after = load_detector(trained), load_detector(out)
    assert after.provenance["adapted_from"] == before.sha256
    assert after.provenance["adapted"]["f1"] >= after.provenance["adapted"]["f1_before"] - 0.02
    for name, weights in before.network.state_dict().items():
        assert (weights == after.network.state_dict()[name]).all()


def test_the_detector_of_the_package_can_be_adapted(tiles: Path, tmp_path: Path) -> None:
    out = tmp_path / "adapted.safetensors"
    assert go("calibrate", "default", "--tiles", tiles, *VOXEL, "--out", out) == 0
    assert load_detector(out).settings.calibration is not None
    assert load_detector(checkpoint_path()).sha256 == load_detector(out).provenance["adapted_from"]


def test_the_tiles_of_one_brain_are_held_out_in_parts(tmp_path: Path) -> None:
    for part in range(3):
        write_tile(tmp_path / "tiles", f"one_{part}", part)
    (tmp_path / "small.toml").write_text(SMALL)
    out = tmp_path / "mine.safetensors"
    few = ("--synthetic", 0, "--steps", 40, "--window-px", 64, "--batch", 4, "--device", "cpu")
    assert (
        go("train-detector", tmp_path / "tiles", *VOXEL, "--out", out, "--config", tmp_path / "small.toml", *few) == 0
    )
    assert set(load_detector(out).provenance["held_out"]) == {"part-1", "part-2", "part-3"}


def test_a_brain_left_out_says_when_to_stop(tiles: Path, tmp_path: Path) -> None:
    for path in tiles.iterdir():
        (tmp_path / "tiles").mkdir(exist_ok=True)
        (tmp_path / "tiles" / path.name).symlink_to(path)
    write_tile(tmp_path / "tiles", "three_0", 30)  # a brain without a cell cannot tell
    (tmp_path / "tiles" / "three_0_cells.csv").write_text("z,y,x\n")
    (tmp_path / "small.toml").write_text(SMALL)
    out = tmp_path / "mine.safetensors"
    few = ("--synthetic", 0, "--steps", 60, "--window-px", 64, "--batch", 4, "--device", "cpu")
    stop = ("--config", tmp_path / "small.toml", "--patience", 1, "--check-every", 8)
    assert go("train-detector", tmp_path / "tiles", *VOXEL, "--out", out, *few, *stop) == 0
    work, held_out = out.parent / f".{out.name}.work" / "train", load_detector(out).provenance["held_out"]
    best = []
    for brain in ("one", "two"):
        checks = pd.read_csv(work / f"without-{brain}.checks.csv")
        assert len(pd.read_csv(work / f"without-{brain}.csv")) == checks["step"].iloc[-1]
        ap = checks["average_precision"]
        assert (len(ap) - 1 - ap.argmax() == 1) or checks["step"].iloc[-1] == 60
        assert held_out[brain]["ap"] == pytest.approx(ap.max(), abs=1e-12)
        best.append(checks["step"][ap.argmax()])
    assert not (work / "without-three.checks.csv").exists()
    assert len(pd.read_csv(work / "without-three.csv")) == 60
    assert len(pd.read_csv(work / "final.csv")) == load_detector(out).provenance["steps"] == np.median(best)


def test_it_teaches_itself_on_tiles_without_cells_and_goes_on_where_it_was_stopped(
    tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tile(tmp_path / "new", "three_0", 70, light=450.0)
    (tmp_path / "new" / "three_0_cells.csv").unlink()
    (tmp_path / "small.toml").write_text(SMALL + "unlabelled_steps = 20\nsure_score = 0.1\nunsure_score = 0.03\n")
    few = ("--synthetic", 0, "--steps", 40, "--window-px", 64, "--batch", 4, "--device", "cpu")
    common = ("train-detector", tiles, "--unlabelled", tmp_path / "new", *VOXEL, *few)

    def training_to(out: Path) -> tuple[object, ...]:
        return (*common, "--config", tmp_path / "small.toml", "--out", out)

    assert go(*training_to(tmp_path / "whole.safetensors")) == 0
    told = []

    def stop(done: int, total: int) -> None:
        told.append(total)
        if len(told) > 50:  # while the first network teaches itself
            raise RuntimeError("pulled the plug")

    with monkeypatch.context() as patched:
        patched.setattr(network, "tell", stop)
        assert go(*training_to(tmp_path / "cut.safetensors")) == 1
    assert told[39:41] == [40, 20]
    assert go(*training_to(tmp_path / "cut.safetensors")) == 0
    whole, cut = (load_detector(tmp_path / f"{name}.safetensors") for name in ("whole", "cut"))
    assert whole.sha256 == cut.sha256
    work = tmp_path / ".whole.safetensors.work" / "train"
    found = read_json(work / "final" / "all.json")["facts"]["unlabelled"]
    assert found["cells"] > 5
    assert found["left_out"] > 0
    before = load_detector(work / "final.safetensors").network.state_dict()
    assert any((weights != before[name]).any() for name, weights in whole.network.state_dict().items())


def test_losses_and_checks_are_shown_by_tensorboard(tiles: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra [tensorboard] is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def shown(folder: Path, tag: str) -> dict[int, float]:
        events = EventAccumulator(str(folder))
        return {event.step: event.value for event in events.Reload().Scalars(tag)}

    (tmp_path / "small.toml").write_text(SMALL)
    few = ("--synthetic", 0, "--steps", 6, "--window-px", 64, "--batch", 2, "--device", "cpu", "--patience", 2)
    out, board = tmp_path / "mine.safetensors", tmp_path / "board"
    common = ("train-detector", tiles, *VOXEL, "--out", out, "--config", tmp_path / "small.toml", *few)
    assert go(*common, "--check-every", 3, "--tensorboard", board) == 0
    work = tmp_path / f".{out.name}.work" / "train"
    losses, checks = pd.read_csv(work / "without-one.csv"), pd.read_csv(work / "without-one.checks.csv")
    assert shown(board / "without-one", "loss") == pytest.approx(dict(enumerate(losses["loss"], start=1)))
    figures = dict(zip(checks["step"], checks["average_precision"], strict=True))
    assert shown(board / "without-one", "average precision") == pytest.approx(figures)
    assert len(shown(board / "final", "loss")) == len(pd.read_csv(work / "final.csv"))
    for first, value in ((1, 0.5), (3, 0.25)):  # stopped after the fourth step, gone on at the third
        scalars = Scalars(tmp_path / "again")
        for step in range(first, 5):
            scalars.add("loss", step, value)
        scalars.close()
    assert shown(tmp_path / "again", "loss") == {1: 0.5, 2: 0.5, 3: 0.25, 4: 0.25}


def test_marks_have_their_confidence_and_heatmaps_are_learned_as_they_are(tmp_path: Path) -> None:
    for number in range(2):
        write_tile(tmp_path, f"one_{number}", number, shape=(1, 72, 72))
        table = pd.read_csv(tmp_path / f"one_{number}_cells.csv").query("z < 5").assign(z=0)
        table.assign(confidence=0.25).to_csv(tmp_path / f"one_{number}_cells.csv", index=False)
    tifffile.imwrite(tmp_path / "one_1_heatmap.tif", np.full((72, 72), 0.5, np.float32))
    marked, soft = tile_training(read_tiles(tmp_path, (5.0, 2.0, 2.0)))
    assert marked.confidence is not None
    assert set(marked.confidence) == {0.25}
    assert soft.confidence is None


def test_synthetic_crops_alone_give_no_probabilities(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    out = tmp_path / "mine.safetensors"
    few = ("--synthetic", 3, "--pretrain-steps", 30, "--window-px", 64, "--batch", 4, "--device", "cpu")
    assert go("train-detector", "--out", out, "--config", tmp_path / "small.toml", *few) == 0
    assert load_detector(out).settings.calibration is None


def test_the_published_recipe_is_its_own(tiles: Path, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    out = tmp_path / "method.safetensors"
    few = ("--synthetic", 2, "--pretrain-steps", 20, "--steps", 20, "--window-px", 64, "--batch", 4, "--device", "cpu")
    command = ("train-detector", tiles, *VOXEL, "--out", out, "--config", tmp_path / "small.toml", "--mode", "method")
    assert go(*command, *few) == 0
    settings = load_detector(out).settings
    assert (settings.stride, settings.neighbours) == (4, 0)


def test_what_cannot_work_is_refused_in_one_message(
    tiles: Path, trained: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*arguments: object) -> str:
        assert go(*arguments) == 2
        return " ".join(capsys.readouterr().err.split())

    assert ".safetensors file" in said("train-detector", tiles, *VOXEL, "--out", tmp_path / "mine.pt")
    for number in range(2):
        write_tile(tmp_path / f"tile{number}", "one_0", number)
    alone = ("train-detector", tmp_path / "tile0", *VOXEL, "--synthetic", 0, "--out", tmp_path / "m.safetensors")
    assert "one tile cannot be learned from" in said(*alone)
    assert "beside tiles with known cells" in said(
        "train-detector", "--unlabelled", tiles, *VOXEL, "--out", tmp_path / "m.safetensors"
    )
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "tensorboard", None)  # as where it is not installed
        assert "pip install 'volumetric[tensorboard]'" in said(*alone, "--tensorboard", tmp_path / "board")
    assert "same name" in said(*alone, tmp_path / "tile1")
    assert "nothing to learn from" in said("train-detector", "--synthetic", 0, "--out", tmp_path / "m.safetensors")
    out = tmp_path / "out"
    assert "for example 5px" in said("evaluate", trained, "--tiles", tiles, *VOXEL, "--tolerance", 5, "--out", out)
    same = said("evaluate", trained, "--tiles", tiles, "--validation", tiles, *VOXEL, "--out", out)
    assert "must not be chosen on brains that are scored: one, two" in same
    whole = trained.read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "not a whole safetensors file" in said(
        "evaluate", tmp_path / "cut.safetensors", "--tiles", tiles, *VOXEL, "--out", out
    )
    assert not out.exists()
