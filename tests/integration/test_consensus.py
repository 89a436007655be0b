"""From clicks to ground truth and its agreement with experts, by the documented commands, on tiles with known cells."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from pipelines.cli import main
from pipelines.consensus import job
from volumetric.crowd.simulate import SPAMMER, Worker, simulate
from volumetric.detection.tileset import read_tiles
from volumetric.points.matching import match_points
from volumetric.storage.atomic import read_json
from volumetric.storage.heatmaps import HeatmapStore
from volumetric.storage.png import write_png

SHAPE = (160, 200)
DOCUMENT = Path(__file__).parents[2] / "docs" / "crowd.md"
TILES = [f"m1_{number}" for number in range(4)]
WORKERS = [Worker(sensitivity=0.8 + 0.01 * j, false_per_mpx=60, scatter_px=1.5) for j in range(9)]


def cells_of(number: int) -> np.ndarray:
    """On a jittered grid, so that none touch; the last tile has none."""
    grid = np.stack(np.meshgrid(np.arange(15, 150, 22), np.arange(15, 190, 22), indexing="ij"), -1).reshape(-1, 2)
    rng = np.random.default_rng(number)
    some = grid[rng.permutation(len(grid))[: (20, 30, 12, 0)[number]]]
    return some + rng.uniform(-3, 3, some.shape)


CELLS = {tile: cells_of(number) for number, tile in enumerate(TILES)}


def go(*arguments: object) -> int:
    try:
        main([str(a) for a in arguments])
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def documented(name: str) -> list[str]:
    """The arguments of the one command of this name in the user guide."""
    (line,) = re.findall(rf"^volumetric {name} .*$", DOCUMENT.read_text(), re.MULTILINE)
    return shlex.split(line)[1:]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with tiles/tiles/, clicks.csv and shown.csv."""
    folder = tmp_path_factory.mktemp("crowd")
    for tile, cells in CELLS.items():
        y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
        image = np.full(SHAPE, 40.0)
        for a, b in cells:
            image += 90 * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 8)
        write_png(
            folder / "tiles" / "tiles" / f"{tile}.png",
            np.random.default_rng(1).poisson(image).clip(0, 255).astype(np.uint8),
        )
    clicks, shown = simulate(CELLS, dict.fromkeys(TILES, SHAPE), [*WORKERS, SPAMMER], seed=3)
    clicks.to_csv(folder / "clicks.csv", index=False)
    shown.to_csv(folder / "shown.csv", index=False)
    (folder / "quick.toml").write_text("[consensus]\npictures = 0\nresamples = 20\n")
    return folder


def command(crowd: Path, out: Path, *more: object) -> tuple[object, ...]:
    shown = ("--shown", crowd / "shown.csv", "--tiles", crowd / "tiles" / "tiles", "--config", crowd / "quick.toml")
    return ("consensus", crowd / "clicks.csv", *shown, "--out", out, *more)


@pytest.fixture(scope="module")
def made(crowd: Path) -> Path:
    with contextlib.chdir(crowd):
        assert go(*documented("consensus")) == 0
    return crowd / "consensus"


def test_the_cells_are_found_and_the_spammer_is_known(made: Path) -> None:
    table = pd.read_csv(made / "candidates.csv")
    assert list(table.columns)[:7] == ["tile", "x", "y", "posterior", "confidence", "n_clicked", "n_shown"]
    for tile, cells in CELLS.items():
        found = table[(table["tile"] == tile) & (table["posterior"] >= 0.5)]
        pairs = match_points(cells, found[["y", "x"]].to_numpy(), 3.0)
        assert len(pairs) >= 0.95 * len(cells)
        assert len(found) <= len(cells) + 1
    assert (table["n_clicked"] <= table["n_shown"]).all()
    assert (table["n_shown"] == 10).all()
    workers = pd.read_csv(made / "workers.csv").set_index("worker")
    assert workers.loc["w009", "weight_positive"] < 0.5
    assert (workers.drop("w009")["weight_positive"] > 1.5).all()
    assert (
        (workers["sensitivity_low"] < workers["sensitivity"]) & (workers["sensitivity"] < workers["sensitivity_high"])
    ).all()
    assert workers.loc["w009", "false_clicks_per_mpx"] == pytest.approx(800, rel=0.3)
    record = read_json(made / "consensus.json")
    assert record["expected"] == pytest.approx(sum(map(len, CELLS.values())), rel=0.05)
    assert record["scatter_px"] == pytest.approx(1.5, rel=0.2)
    assert record["rejected"] == 0


def test_heatmaps_are_of_the_tiles_and_can_be_learned_from(made: Path, crowd: Path) -> None:
    store = HeatmapStore(made / "heatmaps")
    peaks = pd.read_csv(made / "peaks.csv")
    table = pd.read_csv(made / "candidates.csv")
    for tile in TILES:
        heatmap = store.read(tile)
        assert heatmap.shape == SHAPE
        own = table[table["tile"] == tile]
        assert heatmap.max(initial=0) == pytest.approx(own["posterior"].max(), abs=1e-6)
        rows = peaks[peaks["tile"] == tile]
        np.testing.assert_allclose(heatmap[rows["y"], rows["x"]], rows["confidence"], rtol=1e-6)
        sure = own[own["posterior"] > 0.9]
        np.testing.assert_allclose(sure["confidence"], sure["posterior"], rtol=1e-6)
    tiles = read_tiles(crowd / "tiles" / "tiles", (5.0, 0.7, 0.7), made / "truth")
    assert [tile.name for tile in tiles] == TILES
    np.testing.assert_array_equal(tiles[0].heatmap[0], store.read(TILES[0]))


def test_a_detector_is_judged_by_the_ground_truth(made: Path) -> None:
    with contextlib.chdir(made.parent):
        assert go(*documented("evaluate"), "--device", "cpu") == 0
    metrics = read_json(made.parent / "evaluation" / "metrics.json")
    peaks = pd.read_csv(made / "peaks.csv")
    # Of each heatmap, maxima of at least .3 of the highest.
    highest = peaks.groupby("tile")["confidence"].transform("max")
    assert metrics["n_truth"] == (peaks["confidence"] >= 0.3 * highest).sum()
    assert metrics["n_tiles"] == len(TILES)


def test_there_are_pictures(made: Path) -> None:
    assert imread(made / "workers.png").std() > 0.01
    pictures = sorted((made / "steps").iterdir())
    assert len(pictures) == 3
    assert all(imread(path).std() > 0.01 for path in pictures)


def test_a_stopped_consensus_with_other_workers_gives_the_same_files(
    made: Path, crowd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "again"
    monkeypatch.setattr(job, "BATCH", 20)

    def broken(*_: object) -> None:
        raise RuntimeError("the lights went out")

    with monkeypatch.context() as m:
        m.setattr(job, "intervals", broken)
        assert go(*command(crowd, out, "--workers", 1)) == 1
    assert not (out / "candidates.csv").exists()
    assert not (out / "consensus.json").exists()
    assert go(*command(crowd, out, "--workers", 1)) == 0
    for name in ("candidates.csv", "peaks.csv", "truth/m1_0_heatmap.tif"):
        assert (out / name).read_bytes() == (made / name).read_bytes(), name


def test_rows_that_make_no_sense_are_told_one_by_one(crowd: Path, made: Path, tmp_path: Path, capsys) -> None:
    bad = "m1_0,w000,99,,5\nnowhere,w000,99,1,1\nm1_0,w000,99,500,5\nm1_0,stranger,0,5,5\n"
    lines = (crowd / "clicks.csv").read_text()
    (tmp_path / "clicks.csv").write_text(lines + bad)
    shown = ("--shown", crowd / "shown.csv", "--tiles", crowd / "tiles" / "tiles", "--config", crowd / "quick.toml")
    assert go("consensus", tmp_path / "clicks.csv", *shown, "--out", tmp_path / "out") == 0
    assert f"there is no such tile (1, the first on line {len(lines.splitlines()) + 2})" in capsys.readouterr().out
    rejected = pd.read_csv(tmp_path / "out" / "rejected.csv")
    first = len(lines.splitlines()) + 1
    assert rejected["line"].tolist() == [first, first + 1, first + 2, first + 3]
    assert rejected["reason"].tolist() == [
        "x and y must be numbers",
        "there is no such tile",
        "outside its tile",
        "its worker was not shown this tile",
    ]
    assert (tmp_path / "out" / "candidates.csv").read_bytes() == (made / "candidates.csv").read_bytes()


def test_too_many_rows_without_sense_are_refused(crowd: Path, tmp_path: Path, capsys) -> None:
    clicks = pd.read_csv(crowd / "clicks.csv")
    clicks.loc[: len(clicks) // 4, "tile"] = "nowhere"
    clicks.to_csv(tmp_path / "clicks.csv", index=False)
    given = ("--shown", crowd / "shown.csv", "--tiles", crowd / "tiles" / "tiles", "--config", crowd / "quick.toml")
    assert go("consensus", tmp_path / "clicks.csv", *given, "--out", tmp_path / "out") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "clicks make no sense: there is no such tile" in said
    assert not (tmp_path / "out").exists()
    assert go("consensus", tmp_path / "clicks.csv", *given, "--most-rejected", 0.5, "--out", tmp_path / "out") == 0


def test_an_extract_of_caesar_is_the_same_as_the_tables(crowd: Path, made: Path, tmp_path: Path) -> None:
    clicks, shown = pd.read_csv(crowd / "clicks.csv"), pd.read_csv(crowd / "shown.csv")
    rows = []
    for tile, worker in shown.itertuples(index=False):
        own = clicks[(clicks["tile"] == tile) & (clicks["worker"] == worker)].sort_values("order")
        points = {f"data.frame0.T0_tool0_{axis}": str(own[axis].tolist()) if len(own) else "" for axis in "xy"}
        rows.append({"classification_id": len(rows), "user_name": worker, "subject_id": tile, **points})
    pd.DataFrame(rows).to_csv(tmp_path / "extract.csv", index=False)
    out = tmp_path / "out"
    assert go("consensus", tmp_path / "extract.csv", "--tiles", crowd / "tiles" / "tiles", "--out", out) == 0
    assert (out / "candidates.csv").read_bytes() == (made / "candidates.csv").read_bytes()


def test_the_published_way_leaves_out_who_has_not_finished_quality_control(crowd: Path, tmp_path: Path) -> None:
    shown, clicks = pd.read_csv(crowd / "shown.csv"), pd.read_csv(crowd / "clicks.csv")
    left = (shown["tile"] == "m1_1") & (shown["worker"] == "w004")
    shown[~left].to_csv(tmp_path / "shown.csv", index=False)
    gone = (clicks["tile"] == "m1_1") & (clicks["worker"] == "w004")
    clicks[~gone].to_csv(tmp_path / "clicks.csv", index=False)
    sets = pd.DataFrame({"set": 1, "tile": TILES, "quality_control": [False, True, True, False]})
    sets.to_csv(tmp_path / "sets.csv", index=False)
    out = tmp_path / "out"
    given = ("--shown", tmp_path / "shown.csv", "--tiles", crowd / "tiles" / "tiles", "--sets", tmp_path / "sets.csv")
    assert go("consensus", tmp_path / "clicks.csv", *given, "--mode", "method", "--out", out) == 0
    workers = pd.read_csv(out / "workers.csv").set_index("worker")
    assert workers.index[workers["excluded"]].tolist() == ["w004"]
    assert workers.loc["w004", "reason"] == "quality-control tiles not finished: m1_1"
    assert workers.drop("w004")["sensitivity"].notna().all()
    config = read_json(out / "consensus.json")["config"]
    assert (config["candidates"], config["prior"], config["heatmap"]) == ("hdbscan-fixed", "ml", "clicks")
    assert config["qc_only"] is True
    heatmap = HeatmapStore(out / "heatmaps").read("m1_0")
    assert 0.9 < heatmap.max() < 1
    table = pd.read_csv(out / "candidates.csv")
    assert (table["n_shown"] == 9).all()


def test_a_crowd_that_clicked_nothing_has_said_so(crowd: Path, tmp_path: Path) -> None:
    (tmp_path / "clicks.csv").write_text("tile,worker,order,x,y\n")
    given = ("--shown", crowd / "shown.csv", "--tiles", crowd / "tiles" / "tiles", "--out", tmp_path / "out")
    assert go("consensus", tmp_path / "clicks.csv", *given) == 0
    assert len(pd.read_csv(tmp_path / "out" / "candidates.csv")) == 0
    assert HeatmapStore(tmp_path / "out" / "heatmaps").read("m1_0").max() == 0
    assert len(pd.read_csv(tmp_path / "out" / "workers.csv")) == 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (lambda d: ("--tiles", d / "tiles" / "tiles"), "give --shown SHOWN.csv"),
        (lambda d: ("--shown", d / "shown.csv", "--tiles", d / "nowhere"), "there is no folder of tiles"),
        (lambda d: ("--shown", d / "tiles.csv", "--tiles", d / "tiles" / "tiles"), "there is no table of shown tiles"),
        (
            lambda d: ("--shown", d / "clicks.csv", "--tiles", d / "tiles" / "tiles", "--qc-only"),
            "give --sets SETS.csv",
        ),
    ],
)
def test_bad_input_is_refused_in_words(crowd: Path, tmp_path: Path, capsys, arguments, said: str) -> None:
    assert go("consensus", crowd / "clicks.csv", *arguments(crowd), "--out", tmp_path / "out") == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def experts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two experts: one marks every cell, the other misses each fifth; both saw three tiles. w000 is a third."""
    rows = [
        {"expert": name, "tile": tile, "x": x, "y": y}
        for name, skipped in (("ann", 0), ("bo", 5))
        for tile in TILES[:3]
        for number, (y, x) in enumerate(CELLS[tile])
        if not skipped or number % skipped
    ]
    path = tmp_path_factory.mktemp("experts") / "experts.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_agreement_with_experts(made: Path, experts: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "agreement"
    shutil.copy(experts, made.parent / "experts.csv")
    with contextlib.chdir(made.parent):
        assert go(*documented("agreement")[:-1], out) == 0
    assert "to each other" in capsys.readouterr().out
    record = read_json(out / "agreement.json")
    # Of n cells one expert has all, the other 4 of 5: F1 of the two is 2 * .8 / 1.8.
    marks = [len(CELLS[tile]) for tile in TILES[:3]]
    kept = sum(n - -(-n // 5) for n in marks)
    assert record["expert_to_expert"] == pytest.approx(2 * kept / (kept + sum(marks)))
    assert record["experts"]["bo"] == {"tiles": 3, "marks": kept}
    for side in ("included", "excluded"):
        one = record[side]
        assert one["f1_low"] <= one["f1"] <= one["f1_high"]
        assert one["recall"] > 0.9
        assert one["precision"] == pytest.approx((1 + kept / sum(marks)) / 2, abs=0.04)
    strata = pd.read_csv(out / "strata.csv")
    assert set(strata["by"]) == {"crowding", "snr", "tile"}
    assert strata.loc[strata["by"] == "tile", "marks"].sum() == kept + sum(marks)
    workers = pd.read_csv(out / "workers.csv").set_index("worker")
    assert workers["f1"].idxmin() == "w009"
    assert len(workers) == 10
    assert imread(out / "agreement.png").std() > 0.01


def test_an_expert_among_the_workers_is_left_out_where_excluded(made: Path, tmp_path: Path) -> None:
    clicks = pd.DataFrame({"expert": "w008", "tile": TILES[0], "x": CELLS[TILES[0]][:, 1], "y": CELLS[TILES[0]][:, 0]})
    clicks.to_csv(tmp_path / "experts.csv", index=False)
    out = tmp_path / "agreement"
    assert go("agreement", made, "--experts", tmp_path / "experts.csv", "--out", out) == 0
    assert "w008" not in set(pd.read_csv(out / "workers.csv")["worker"])
    assert len(pd.read_csv(out / ".work" / "excluded" / "workers.csv")) == 9
    assert len(pd.read_csv(out / ".work" / "included" / "workers.csv")) == 10
    # As one of the workers, w008 was shown all four tiles.
    assert read_json(out / "agreement.json")["experts"]["w008"]["tiles"] == 4


def test_agreement_needs_a_finished_consensus(tmp_path: Path, experts: Path, capsys) -> None:
    assert go("agreement", tmp_path, "--experts", experts, "--out", tmp_path / "out") == 2
    assert "is no finished consensus" in " ".join(capsys.readouterr().err.split())


def test_how_many_people_are_needed(tmp_path: Path, capsys) -> None:
    *command, _ = documented("crowd-size")
    small = ("--cells", 30, "--size", 200, "--people", "4,12", "--draws", 3)
    for workers, out in ((1, tmp_path / "one"), (3, tmp_path / "three")):
        assert go(*command, out, *small, "--workers", workers) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "F1 at 1/2 still rises at 12" in said
    table = pd.read_csv(tmp_path / "one" / "crowd-size.csv")
    assert len(table) == 6
    means = table.groupby("workers")["f1"].mean()
    assert 0.5 < means[4] < means[12] < 0.95
    assert (tmp_path / "three" / "crowd-size.csv").read_bytes() == (tmp_path / "one" / "crowd-size.csv").read_bytes()
