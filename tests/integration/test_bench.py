"""The benchmarks that users run: figures beside a limit of the same run, and hours made of them."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import get_args

import pytest

from pipelines.bench import Name, register
from pipelines.bench.run import STAGES
from pipelines.cli import main
from tests.integration.test_clusters import documented

SMALL = ["--slices", "4", "--edge", "256", "--repeats", "1", "--workers", "1"]


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 0


@pytest.mark.slow
def test_a_stage_is_measured_beside_its_limit(tmp_path, capsys):
    out, methods = (
        tmp_path / "bench.json",
        ["limit: read + compress", "volumetric, level 0", "volumetric, with pyramid"],
    )
    run("bench", "ingest", "--out", str(out), *SMALL, "--no-peers")
    printed = capsys.readouterr().out
    record = json.loads(out.read_text())
    assert record["data"]["shape"] == [4, 256, 256]
    assert [row["what"] for row in record["results"]] == methods
    for row in record["results"]:
        assert row["unit"] == "CPU s/GB"
        assert row["rate"] > 0
        assert row["ratio"] == pytest.approx(row["rate"] / row["limit"], rel=0.1)
        assert row["what"] in printed
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.slow
def test_all_stages_are_measured_and_make_a_plan(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(STAGES, "register", partial(register.register, step=4, preset="fast"))
    run("bench", *SMALL)
    rows = json.loads((tmp_path / "bench.json").read_text())["results"]
    assert list(dict.fromkeys(row["stage"] for row in rows)) == list(get_args(Name))
    for row in rows:
        for figure in ("rate", "limit", "ratio", "work", "seconds"):
            assert math.isfinite(row[figure])
            assert row[figure] > 0
        assert row["ratio"] == pytest.approx(row["rate"] / row["limit"], rel=0.01)
    for stage in get_args(Name):
        first = next(row for row in rows if row["stage"] == stage)
        assert first["what"].startswith("limit: ")
        assert first["ratio"] == 1
    capsys.readouterr()
    measuring, planning = documented("What a brain will take")
    assert measuring == ["volumetric", "bench"]
    run(*planning[1:], "--out", "plan.json")
    assert "bottleneck" in capsys.readouterr().out
    record = json.loads((tmp_path / "plan.json").read_text())
    assert list(record["stages"]) == ["ingest", "register", "detect", "assign"]
    assert all(stage["seconds"] > 0 and stage["memory_bytes"] > 0 for stage in record["stages"].values())
