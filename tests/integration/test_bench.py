"""The benchmarks that users run: figures beside a limit of the same run."""

from __future__ import annotations

import json

import pytest

from pipelines.cli import main


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "unit", "methods"),
    [
        ("ingest", "CPU s/GB", ["limit: read + compress", "volumetric, level 0", "volumetric, with pyramid"]),
        ("detect", "Mvoxel/s", ["limit: network alone", "volumetric"]),
    ],
)
def test_a_stage_is_measured_beside_its_limit(stage, unit, methods, tmp_path, capsys):
    out = tmp_path / "bench.json"
    options = ["--slices", "4", "--edge", "256", "--repeats", "1", "--no-peers", "--workers", "1"]
    with pytest.raises(SystemExit) as ended:
        main(["bench", stage, "--out", str(out), *options])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    record = json.loads(out.read_text())
    assert record["data"]["shape"] == [4, 256, 256]
    assert [row["what"] for row in record["results"]] == methods
    for row in record["results"]:
        assert row["unit"] == unit
        assert row["rate"] > 0
        assert row["ratio"] == pytest.approx(row["rate"] / row["limit"], rel=0.1)
    assert methods[1].split()[0] in printed
    assert list(tmp_path.iterdir()) == [out]
