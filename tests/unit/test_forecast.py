"""What a brain will take: known rates give known hours, memory is the stages' own, and no rates are made up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipelines import ingest
from pipelines.bench.run import machine
from pipelines.cli import main
from pipelines.config import Resources
from pipelines.forecast import Brain, Rates, StageForecast, forecast, read_rates
from pipelines.forecast.brain import plans
from pipelines.forecast.rates import Line
from pipelines.forecast.run import hours
from volumetric.errors import InputError, PlanError
from volumetric.storage.sources import open_source
from volumetric.version import __version__

RATES = Rates(
    workers=2,
    device="cpu",
    ingest=100,
    files=1000,
    stored=1,
    decode=50,
    forward=10,
    peaks=8,
    link=100,
    assign=500,
    ants=Line(20, 10),
    refined=5,
)
BRAIN = Brain((160, 5000, 10_000), (15, 2, 1), cells=1_000_000, atlas_um=100)
"""8000 Mvoxel, 2.4 x 10 x 10 mm: an atlas of 24 x 100 x 100 voxels."""

AMPLIFIED = 1.25**3
"""Blocks of 64 x 2048 x 2048 voxels need a chunk on either side, which is an eighth of each edge."""


def with_workers(count: int) -> Resources:
    return Resources(workers=count, memory=64 * 10**9)


ROOMY = with_workers(2)


def stages(
    brain: Brain = BRAIN, rates: Rates = RATES, resources: Resources = ROOMY, gpus: int = 0
) -> dict[str, StageForecast]:
    return {stage.stage: stage for stage in forecast(brain, rates, resources, gpus)}


def test_known_rates_give_known_seconds() -> None:
    found = stages()
    assert list(found) == ["ingest", "register", "detect", "assign"]
    assert found["ingest"].seconds == pytest.approx(8000 / 100)
    assert found["register"].seconds == pytest.approx(20 + 10 * 0.24 + 5 * 0.24)
    # One slice a cell at 15 um, three peaks a slice: 3000 kpeak at 100 a second.
    assert found["detect"].seconds == pytest.approx(8000 / 8 + 30)
    assert found["assign"].seconds == pytest.approx(2)
    assert [stage.gpus for stage in found.values()] == [0, 0, 0, 0]


def test_blocks_gain_from_workers_and_single_steps_do_not() -> None:
    few, many = stages(), stages(resources=with_workers(8))
    assert many["ingest"].seconds == pytest.approx(few["ingest"].seconds / 4)
    assert many["detect"].seconds == pytest.approx(1000 / 4 + 30)
    assert many["register"].seconds == few["register"].seconds
    assert many["detect"].workers == 8


def test_what_is_empty_is_only_decoded_and_each_channel_is_converted() -> None:
    found = stages(replace(BRAIN, tissue=0.25, channels=2))
    assert found["detect"].seconds == pytest.approx(2000 / 8 + 6000 * AMPLIFIED / 50 + 30)
    assert found["ingest"].seconds == pytest.approx(160)


@pytest.mark.parametrize(
    ("changed", "workers", "stage", "part", "seconds"),
    [
        ({}, 2, "detect", "network", 1030),
        ({"forward": 8, "decode": 30, "peaks": 4}, 2, "detect", "network", 2030),
        ({"forward": 80, "decode": 24, "peaks": 10}, 2, "detect", "decoding", 830),
        ({"forward": 80, "decode": 80}, 2, "detect", "peaks", 1030),
        ({"files": 4}, 2, "detect", "disk", 2030),
        ({"link": 1}, 2, "detect", "linking", 4000),
        ({"files": 100}, 8, "ingest", "disk", 160),
        ({}, 2, "ingest", "decoding, pooling and compressing", 80),
        ({"refined": 500}, 2, "register", "preparing and refining", 142.4),
    ],
)
def test_the_part_that_takes_longest_is_named(
    changed: dict[str, float], workers: int, stage: str, part: str, seconds: float
) -> None:
    found = stages(rates=replace(RATES, **changed), resources=with_workers(workers))[stage]
    assert found.bottleneck == part
    assert found.seconds == pytest.approx(seconds)


def test_gpus_share_the_blocks_until_the_processors_cannot_decode_for_more() -> None:
    rates = replace(RATES, device="cuda", forward=400, peaks=200)
    one, two, many = (stages(rates=rates, gpus=n)["detect"] for n in (1, 2, 8))
    assert one.seconds == pytest.approx(max(8000 / 200, 8000 * AMPLIFIED / 50) + 30)
    fast = replace(rates, decode=1000)
    one, two, many = (stages(rates=fast, gpus=n)["detect"] for n in (1, 2, 8))
    assert (one.seconds - 30, two.seconds - 30) == (pytest.approx(40), pytest.approx(20))
    assert many.seconds == pytest.approx(8000 * AMPLIFIED / 1000 + 30)
    assert (many.bottleneck, many.gpus, many.workers) == ("linking", 8, 16)
    with pytest.raises(InputError, match="measured without a GPU"):
        stages(gpus=1)
    with pytest.raises(InputError, match="give --gpus"):
        stages(rates=rates)


def test_memory_and_bytes_are_those_of_the_stages_own_plans(tmp_path: Path) -> None:
    shape, voxel = (33, 1100, 1200), (5.0, 2.0, 2.0)
    (tmp_path / "slices").mkdir()
    page = np.zeros(shape[1:], np.uint16)
    for z in range(shape[0]):  # one strip: a slice is decoded whole
        tifffile.imwrite(tmp_path / f"slices/{z:03}.tif", page, compression="zlib", rowsperstrip=shape[1])
    source, resources = open_source(tmp_path / "slices"), Resources(workers=2, memory=4 * 10**9)
    config = ingest.Config(voxel_um=voxel)
    real = ingest.plan(source, tmp_path / "brain.ome.zarr", tmp_path / "work", config, resources)
    brain = Brain(shape, voxel)
    found = stages(brain, resources=resources)
    assert [(p.name, p.cost, len(p.keys)) for p in plans(brain, resources)["ingest"].passes] == [
        (p.name, p.cost, len(p.keys)) for p in real.passes
    ]
    assert found["ingest"].memory_bytes == max(real.peak_bytes(p, resources.capacity) for p in real.passes)
    assert found["ingest"].bytes_written >= 2 * brain.voxels
    with pytest.raises(PlanError, match="one task needs"):
        stages(BRAIN, resources=Resources(workers=2, memory=6 * 10**8))


def bench(folder: Path, **changed: object) -> Path:
    """A file of rates as `volumetric bench` writes it, with the rows of all stages."""
    rows = {
        ("ingest", "volumetric, with pyramid"): (100, 1),
        ("read", "limit: files alone"): (50, 0.05),
        ("decode", "volumetric, from memory"): (50, 1),
        ("forward", "network"): (10, 1),
        ("peaks", "volumetric, blocks to peaks"): (8, 1),
        ("link", "volumetric"): (100, 1),
        ("register", "limit: ANTs alone"): (0.2, 22),
        ("register", "volumetric"): (0.2, 23),
        ("register", "ANTs alone, an eighth of the voxels"): (0.1, 21),
        ("assign", "volumetric"): (500, 1),
    }
    record = {
        "machine": machine(),
        "date": "2026-01-01",
        "version": {"volumetric": __version__},
        "data": {"workers": 2, "device": "cpu", "gpu": None},
        "results": [{"stage": s, "what": w, "work": a, "seconds": t} for (s, w), (a, t) in rows.items()],
    } | changed
    path = folder / "bench.json"
    path.write_text(json.dumps(record))
    return path


def test_rates_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = read_rates(bench(tmp_path))
    assert found.warnings == ()
    assert found.rates.ants.start_s == pytest.approx(20)
    assert found.rates.ants.per_unit_s == pytest.approx(10)
    assert replace(found.rates, ants=RATES.ants, refined=RATES.refined) == RATES
    assert found.rates.refined == pytest.approx(5)


def test_rates_of_another_machine_or_version_are_said_to_be(tmp_path: Path) -> None:
    other = {**machine(), "cpu": "Abacus 3000"}
    warnings = read_rates(bench(tmp_path, machine=other, version={"volumetric": "0.0.1"})).warnings
    assert len(warnings) == 2
    assert "another machine (Abacus 3000" in warnings[0]
    assert "volumetric 0.0.1" in warnings[1]


def test_rates_that_lack_a_stage_are_refused(tmp_path: Path) -> None:
    path = bench(tmp_path, results=[{"stage": "ingest", "what": "volumetric", "work": 1, "seconds": 1}])
    with pytest.raises(InputError, match="does not hold the rates of all stages"):
        read_rates(path)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in arguments])
    return int(stopped.value.code or 0)


BRAIN_FLAGS = ("--shape", 2600, 11_000, 16_000, "--voxel-um", 5, 0.7, 0.7, "--workers", 2)


def test_the_command_says_how_to_get_rates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("plan", *BRAIN_FLAGS) == 2
    assert "run `volumetric bench --out bench.json`" in " ".join(capsys.readouterr().err.split())


def test_the_command_prints_a_table_and_writes_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    bench(tmp_path)
    assert run("plan", *BRAIN_FLAGS, "--out", "plan.json") == 0
    said, record = capsys.readouterr().out, json.loads((tmp_path / "plan.json").read_text())
    assert record["stages"]["detect"]["seconds"] == pytest.approx(457_600 / 8 + 1e6 * 3 * 3 / 1e5)
    assert record["bottleneck"] == {"stage": "detect", "part": "network"}
    assert record["seconds"] == pytest.approx(sum(stage["seconds"] for stage in record["stages"].values()))
    assert record["bytes_written"] > 2 * 457.6e9
    assert hours(record["seconds"]) in said
    assert "detect: network" in said
    assert "n workers do n/2" in said
    assert run("plan", *BRAIN_FLAGS, "--gpus", 2) == 2
    assert "without a GPU" in capsys.readouterr().err


def test_time_is_said_in_the_unit_that_fits() -> None:
    assert [hours(s) for s in (42, 600, 111_600)] == ["42 s", "10.0 min", "31.0 h"]
