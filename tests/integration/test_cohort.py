"""Many brains counted by one command: one that fails, a row that changes, what is left of it, and the comparison."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from matplotlib.image import imread

from pipelines import count
from pipelines.cli import main
from pipelines.cohort import run as cohort
from pipelines.cohort.sheet import read_sheet
from pipelines.register import job as registration
from pipelines.report import picture
from pipelines.stage import Stage
from tests.small_brain import Files, phantom, write_files
from volumetric.errors import StoppedError
from volumetric.registration.prepare import Prepared
from volumetric.registration.register import Registration
from volumetric.storage.atomic import read_json

DOCUMENT = Path(__file__).parents[2] / "docs" / "cohort.md"


def go(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


def true_map(sample: Prepared, *_: object, **__: object) -> Registration:
    """The phantom's own map, in place of a registration."""
    brain = phantom()
    there = brain.sample_to_atlas.resampled(sample.sample_grid, sample.back.apply(sample.image).shape)
    back = brain.sample_to_atlas.inverse(brain.atlas.space, brain.atlas.template.shape)
    return Registration(there, back, "standard", 0.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The phantom below `slices`, and below `noisy` another animal: with more noise, and without cells in a quarter."""
    folder = tmp_path_factory.mktemp("cohort")
    files = write_files(folder)
    rng = np.random.default_rng(0)
    for path in sorted(files.slices.rglob("*.tif")):
        page = tifffile.imread(path)
        target = folder / "noisy" / path.relative_to(files.slices)
        target.parent.mkdir(parents=True, exist_ok=True)
        quarter = page[: page.shape[0] // 4]
        quarter[:] = np.minimum(quarter, np.median(page[page > np.median(page)]))
        tifffile.imwrite(target, (page + rng.integers(0, 3, page.shape)).astype(page.dtype))
    return files


def write_sheet(path: Path, *, m1: str = "phantom", m2: str = "psl", sex: tuple[str, str] = ("", "")) -> None:
    """Two brains; by default both rows are right."""
    lines = [
        "brain,source,voxel_um,orientation,model,group,sex",
        f"m1,slices,5 2 2,psl,{m1},control,{sex[0]}",
        f"m2,noisy,5 2 2,{m2},,treated,{sex[1]}",
    ]
    path.write_text("\n".join(lines) + "\n")


def documented(name: str) -> list[str]:
    """The arguments of the first command of this name in the guide."""
    return shlex.split(re.findall(rf"^volumetric {name} .*$", DOCUMENT.read_text(), re.MULTILINE)[0])[1:]


def test_the_sheet_of_the_guide_is_one(tmp_path: Path) -> None:
    (text,) = re.findall(r"```csv\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (tmp_path / "brains.csv").write_text(text)
    rows = read_sheet(tmp_path / "brains.csv")
    assert [row.others["group"] for row in rows] == ["control", "control", "treated", "treated"]
    assert rows[2].settings()["exclude_mask"] == tmp_path / "masks" / "m3.tif"


def states(out: Path) -> dict[str, str]:
    return dict(pd.read_csv(out / "brains.csv", index_col="brain")["state"])


@pytest.mark.slow
def test_a_cohort_goes_on_where_it_stopped(
    files: Files, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registration, "register", true_map)
    monkeypatch.setattr(count, "write_report", lambda run: run.report.write_text("the page"))
    monkeypatch.setattr(picture, "PNG_DPI", 40)
    monkeypatch.chdir(files.slices.parent)
    sheet, out = Path("brains.csv"), Path("study")
    flags = ("--signal", "signal", "--register-on", "background", "--model", "phantom")
    command = [*("atlas" if word == "allen_mouse_50um" else word for word in documented("count")), *flags]

    write_sheet(sheet, m2="sar")
    assert go(*command) == 1
    said = capsys.readouterr().err
    assert "1 of 2 brains are not finished:\n  m2 (failed): " in said
    assert "orientation" in said
    assert states(out) == {"m1": "done", "m2": "failed"}
    found = pd.read_csv(out / "brains.csv", index_col="brain")
    assert found.loc["m1", "cells"] == read_json(out / "runs" / "m1" / "run.json")["cells"]["total"] > 300
    assert found.loc["m1", "mask_dice"] > 0.9
    assert pd.isna(found.loc["m2", "cells"])
    report = out / "runs" / "m1" / "report.html"
    written = report.stat().st_mtime_ns

    write_sheet(sheet, m1="cfos", sex=("f", "m"))  # the row of m2 is mended, that of m1 is not as it was
    assert go(*command, "--dry-run") == 0
    assert "m1 is refused" in capsys.readouterr().out
    assert go(*command) == 1
    said = capsys.readouterr()
    assert "m1 (refused): " in said.err
    assert "the covariate 'sex' cannot be told from the group" in said.out
    assert states(out) == {"m1": "refused", "m2": "done"}

    write_sheet(sheet)
    Path("noisy").rename("moved away")
    assert go(*command) == 0
    assert "volumetric compare study/design.csv" in capsys.readouterr().out
    assert states(out) == {"m1": "done", "m2": "done"}
    assert report.stat().st_mtime_ns == written
    assert imread(out / "overview.png").shape[1] == 440
    assert go(*documented("compare"), "--dry-run") == 0

    write_sheet(sheet, m2="pir")
    assert go(*command) == 2
    assert "line 3 (m2): there is nothing at" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "begun", "said"),
    [
        (StoppedError("stopped"), ["m1"], "error: stopped"),
        (
            RuntimeError("a fault of the program"),
            ["m1", "m2"],
            "m1 (failed): the program failed: RuntimeError: a fault",
        ),
    ],
    ids=["interrupted", "failed"],
)
def test_an_interruption_ends_all_and_a_fault_one_brain(
    files: Files,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    begun: list[str],
    said: str,
) -> None:
    seen: list[str] = []

    def run(stages: Sequence[Stage], *_: object) -> None:
        seen.append(stages[0].plan.outputs[0].parent.name)
        raise error

    monkeypatch.setattr(cohort, "run", run)
    lines = ["brain,source,voxel_um,orientation", "m1,slices/signal,5 2 2,psl", "m2,slices/background,5 2 2,psl"]
    sheet = files.slices.parent / "two.csv"
    sheet.write_text("\n".join(lines) + "\n")
    command = ("count", "--sheet", sheet, "--out", tmp_path / "study", "--atlas", files.atlas, "--model", "phantom")
    assert go(*command, "--debug") == 1
    told = capsys.readouterr().err
    assert said in told
    assert f"{type(error).__name__}: {error}" in told
    assert seen == begun
    assert not (tmp_path / "study" / "design.csv").exists()


def test_all_that_is_wrong_is_said_before_any_work(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = files.slices.parent / "wrong.csv"
    lines = [
        "brain,source,voxel_um,orientation,signal",
        "m1,slices/signal,5 2 2,psl,",
        "m2,nowhere,5 2 2,psl,",
        "m3,slices/background,5 2,psl,",
        "m4,slices/background,,psl,",
        "m5,slices,5 2 2,psl,",
        "m6,slices/background,5 2 2,xyz,gfp",
        "m7,slices/signal,5 2 2,psl,",
    ]
    sheet.write_text("\n".join(lines) + "\n")
    command = ("count", "--sheet", sheet, "--out", tmp_path / "study", "--model", "phantom")
    assert go(*command, "--atlas", files.atlas) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0].strip() for line in said[1:]] == [f"line {n} (m{n - 1})" for n in range(3, 9)]
    for line, words in zip(
        said[1:],
        (
            "there is nothing at",
            "three numbers",
            "voxel size is missing",
            "which one shows",
            "'gfp'",
            "of m1 in line 2",
        ),
        strict=True,
    ):
        assert words in line
    assert go(*command) == 2
    assert "lines 2, 3, 5, 6, 7, 8 (m1, m2, m4, m5, m6, m7): the atlas is missing" in capsys.readouterr().err
    assert go(*command, files.slices) == 2
    assert "not both" in capsys.readouterr().err
    sheet.write_text("\n".join(lines[:2]) + "\n")
    assert go(*command, "--atlas", files.atlas, "--dry-run") == 0
    assert "1 of 1 brains are to be counted" in capsys.readouterr().out
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    assert go(*command, "--atlas", files.atlas) == 2
    assert not (tmp_path / "study").exists()
