"""The commands of the guide to synthetic tiles, one after another, on small tiles."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.report import picture
from tests.spotted_tiles import write_tiles
from volumetric.storage.atomic import read_json
from volumetric.synthesis import two_sample

DOCUMENT = Path(__file__).parents[2] / "docs" / "synthesis.md"


def documented(name: str) -> list[str]:
    """The arguments of the first command of this name in a block of the guide."""
    line = re.findall(rf"^volumetric {name} .*$", DOCUMENT.read_text(), re.MULTILINE)[0]
    return shlex.split(line)[1:]


def go(name: str, *more: object) -> None:
    with pytest.raises(SystemExit) as left:
        main([*documented(name), *(str(a) for a in more)])
    assert not left.value.code


def test_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(two_sample, "TREES", 10)
    monkeypatch.setattr(picture, "PNG_DPI", 40)
    write_tiles(tmp_path / "tiles", tiles=5, brains=("mouse1",))
    settings = re.findall(r"```toml\n(\[train_generator\].*?)```", DOCUMENT.read_text(), re.DOTALL)[0]
    (tmp_path / "small.toml").write_text(
        settings.replace("[16, 32, 64] ", "[8, 16] ").replace("[32, 64, 128]", "[8, 16]")
    )
    go("train-generator", "--px", 32, "--steps", 6, "--config", "small.toml")
    go("fit-layout")
    go("synthesize", "-n", 6, "--px", 48)
    go("realism", "--splits", 2)
    assert {"synthesis.json", "tiles.csv", "synthetic_000005.tif"} <= {p.name for p in Path("synthetic").iterdir()}
    record = read_json(Path("realism") / "realism.json")
    assert (record["scale"], record["px"]) == ("contrast", 48)
    assert read_json(Path("synthetic") / "synthesis.json")["layout"] == "layout.json"
    assert "realism.png" in capsys.readouterr().out
