"""The scripts of `benchmarks/` run and write what the page of results can show, at a size that means nothing."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import consensus_simulated, scaling
from benchmarks.render import render

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("script", "arguments", "tables"),
    [
        (scaling, ["--slices", "4", "--edge", "256", "--workers", "1"], 3),
        (consensus_simulated, ["--runs", "1"], 1),
    ],
    ids=["scaling", "consensus_simulated"],
)
def test_a_benchmark_runs_and_its_figures_are_shown(
    script: ModuleType, arguments: list[str], tables: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = script.__name__.split(".")[-1]
    results = tmp_path / "results"
    results.mkdir()
    monkeypatch.setattr("sys.argv", [name, *arguments, "--out", str(results)])
    script.main()
    record = json.loads((results / f"{name}.json").read_text())
    assert {"date", "machine", "results"} <= record.keys()
    questions = f"| run | question | result |\n|---|---|---|\n| `x` | how? | `results/{name}.json` |\n"
    (tmp_path / "README.md").write_text(questions)
    assert render(tmp_path).count("\n| --- |") == tables
