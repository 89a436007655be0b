"""`volumetric fit-layout` on made-up tiles of two brains."""

import json

import numpy as np
import pytest

from pipelines.cli import main
from tests.spotted_tiles import CELLS, PX, write_tiles
from volumetric.detection.tileset import read_tiles
from volumetric.synthesis.fitted_layout import read_layout


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(one) for one in arguments])
    return stop.value.code


def test_layouts_are_learnt_tested_and_drawn(tmp_path, capsys):
    tiles = write_tiles(tmp_path / "tiles")
    out = tmp_path / "layout.json"
    assert run("fit-layout", tiles, "--out", out, "--simulations", 39, "--seed", 4) == 0
    said = capsys.readouterr().out
    for word in ("CA1", "DG", "mouse1", "mouse2", "fitted", "method", "side"):
        assert word in said

    layout = read_layout(out)
    assert [one.name for one in layout.regions] == ["CA1", "DG"]
    for one in layout.regions:
        assert one.process.core_px == pytest.approx(6.0, rel=0.25)
        assert one.counts.mean_per_mpx * PX * PX / 1e6 == pytest.approx(CELLS, rel=0.02)
        assert one.marks.diameter_px == pytest.approx(2 * 2.0 * np.sqrt(2 * np.log(2)), rel=0.2)
    assert 9 < np.mean([len(layout.sample((PX, PX), np.random.default_rng(seed))) for seed in range(20)]) < 27
    assert (tmp_path / "layout.png").stat().st_size > 10_000

    made = json.loads(out.read_text())["made"]
    assert [one["brain"] for one in made["held_out"]] == ["mouse1", "mouse2"]
    for one in made["held_out"]:
        assert one["models"]["fitted"]["inside"]
        assert not one["models"]["method"]["inside"]


def test_a_plan_is_shown_and_nothing_written(tmp_path, capsys):
    tiles = write_tiles(tmp_path / "tiles", tiles=3)
    assert run("fit-layout", tiles, "--out", tmp_path / "layout.json", "--dry-run") == 0
    assert "without mouse1" in capsys.readouterr().out
    assert not (tmp_path / "layout.json").exists()


def test_one_brain_is_fitted_and_said_to_be_untested(tmp_path, capsys):
    tiles = write_tiles(tmp_path / "tiles", tiles=5, brains=("mouse1",))
    assert run("fit-layout", tiles, "--out", tmp_path / "layout.json") == 0
    assert "cannot be told" in capsys.readouterr().out
    assert len(read_layout(tmp_path / "layout.json").regions) == 2
    again = tmp_path / "again.json"
    assert run("fit-layout", tiles, "--out", again) == 0
    assert again.read_bytes() == (tmp_path / "layout.json").read_bytes()
    assert again.with_suffix(".png").read_bytes() == (tmp_path / "layout.png").read_bytes()


def test_spots_need_no_marks(tmp_path):
    tiles = write_tiles(tmp_path / "tiles", tiles=5, brains=("mouse1",))
    for path in tiles.glob("*_cells.csv"):
        path.unlink()
    out, settings = tmp_path / "layout.json", tmp_path / "blinding.toml"
    settings.write_text("[fit_layout]\nspot_levels = 50\n")
    assert run("fit-layout", tiles, "--out", out) == 2
    assert run("fit-layout", tiles, "--spots", 2.4, "--config", settings, "--out", out) == 2
    assert run("fit-layout", tiles, "--spots", 2.4, "--out", out) == 0
    for one in read_layout(out).regions:
        assert one.counts.mean_per_mpx * PX * PX / 1e6 == pytest.approx(CELLS, rel=0.1)
        assert one.marks.diameter_px == pytest.approx(2 * 2.0 * np.sqrt(2 * np.log(2)), rel=0.2)


def test_spots_know_which_of_them_people_mark(tmp_path, capsys):
    tiles = write_tiles(tmp_path / "tiles", tiles=6, brains=("mouse1",))
    for path in sorted(tiles.glob("*_cells.csv"))[::3]:
        path.write_text("y,x\n")
    out, settings = tmp_path / "layout.json", tmp_path / "faint.toml"
    settings.write_text("[fit_layout]\nspot_levels = 1.5\n")
    assert run("fit-layout", tiles, "--spots", 2.4, "--config", settings, "--out", out) == 0
    layout = read_layout(out)
    assert np.mean([one.marked.share for one in layout.regions]) == pytest.approx(2 / 3, abs=0.1)
    assert "marked" in capsys.readouterr().out

    made = tmp_path / "made"
    assert run("synthesize", "physics", "--layout", out, "-n", 3, "--px", 64, "--out", made) == 0
    for tile in read_tiles(made, (1.0, 1.0, 1.0)):
        assert ((tile.confidence > 0.4) & (tile.confidence < 0.9)).all()
        inside = (tile.cells[:, 1:] >= 0).all(axis=1)
        places = np.floor(tile.cells[inside, 1:]).astype(int)
        assert (tile.heatmap[0][tuple(places.T)] >= tile.confidence[inside] - 1e-6).all()
        assert tile.heatmap.max() == pytest.approx(tile.confidence.max(), abs=1e-6)


def test_what_tells_nothing_is_refused(tmp_path, capsys):
    tiles = write_tiles(tmp_path / "tiles", tiles=2, cells=1)
    assert run("fit-layout", tiles, "--out", tmp_path / "layout.json") == 2
    assert "too few" in capsys.readouterr().err
    assert run("fit-layout", tiles, "--out", tmp_path / "layout.txt") == 2
    assert ".json file" in capsys.readouterr().err
    for path in tiles.glob("*_cells.csv"):
        path.unlink()
    assert run("fit-layout", tiles, "--out", tmp_path / "layout.json") == 2
    assert "has no cells" in capsys.readouterr().err
