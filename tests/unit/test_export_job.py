from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.export import braian, export_run, prepare
from pipelines.export.job import TARGETS
from pipelines.workspace import RunFolder
from tests.finished_run import write_run
from volumetric.errors import InputError, OutputError
from volumetric.storage.atomic import read_json, write_json


def test_nothing_is_written_by_planning(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    job = prepare(run, "braian", tmp_path / "out")
    assert [path.name for path in job.outputs] == ["run_sum.csv", "README.txt"]
    assert "5 cells of" in job.plan()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_an_occupied_folder_is_left_untouched(tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "run"), tmp_path / "out"
    out.mkdir()
    export_run(run, "braian", out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert len(before) == 2
    for target in TARGETS:
        with pytest.raises(OutputError, match="exists already and is left untouched"):
            export_run(run, target, out)
    with pytest.raises(OutputError, match="left untouched"):
        export_run(run, "braian", run.regions)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_what_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(braian, "brain_table", fail)
    with pytest.raises(KeyboardInterrupt):
        export_run(write_run(tmp_path / "run"), "braian", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_what_appears_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, out = write_run(tmp_path / "run"), tmp_path / "out"
    job = prepare(run, "braian", out)
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="left untouched"):
        job.write()
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_an_unknown_target_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'excel': --to takes brainglobe, braian, napari"):
        export_run(write_run(tmp_path / "run"), "excel", tmp_path / "out")


def test_what_is_no_finished_run(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "begun" / ".work").mkdir(parents=True)
    said = {
        "nowhere": "there is no folder .*nowhere: give the run folder",
        "empty": "empty is not a run folder: there is no run.json",
        "begun": "begun is not a finished run: there is no run.json. Repeat",
    }
    for name, message in said.items():
        with pytest.raises(InputError, match=message):
            export_run(RunFolder(tmp_path / name), "brainglobe", tmp_path / "out")
    for missing in ("regions.csv", "cells.parquet", "run.json"):
        run = write_run(tmp_path / missing)
        (run.path / missing).unlink()
        with pytest.raises(InputError, match=f"not a finished run: there is no {missing}"):
            export_run(run, "brainglobe", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_of_different_runs_are_not_mixed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    record = read_json(run.record)
    write_json(run.record, record | {"cells": {"total": 6, "in_atlas": 3}})
    with pytest.raises(InputError, match=r"not of one run: .* has 5 cells, 3 of them .* counts 3, .* says 6 and 3"):
        export_run(run, "braian", tmp_path / "out")
    write_json(run.record, {"cells": record["cells"]})
    with pytest.raises(InputError, match="damaged or of an older version"):
        export_run(run, "braian", tmp_path / "out")
    write_json(run.record, record)
    cells = write_run(tmp_path / "other", region=[20, 10, 10, 0, 997], side=[1, 1, 2, 0, 2]).cells
    run.cells.write_bytes(cells.read_bytes())
    with pytest.raises(InputError, match=r"not of one run: .* has 5 cells, 4 of them"):
        export_run(run, "braian", tmp_path / "out")
    run.cells.write_bytes(b"not a table")
    with pytest.raises(InputError, match="damaged or of an older version"):
        export_run(run, "braian", tmp_path / "out")
