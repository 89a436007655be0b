"""The commands of the guide from laptop to cluster, each as it is written there: the same cells, the same regions."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import torch

from pipelines import ingest
from pipelines.cli import main
from pipelines.config import Resources
from tests.fake_slurm import FakeSlurm, fake_slurm
from tests.running_scheduler import running_scheduler
from tests.small_brain import write_files, write_true_registration
from volumetric.atlas.loader import load_atlas
from volumetric.blocks.execute import Execution, execute
from volumetric.storage.sources import open_source

# Worker processes of dask close their sockets in their own time.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

DOCUMENT = Path(__file__).parents[2] / "docs" / "from-laptop-to-cluster.md"
HERE = {"32": "2", "128GB": "8GB", "64GB": "8GB"}
"""Sizes of the guide's machines, and what stands for them here."""


def documented(section: str) -> list[list[str]]:
    """The commands of a section of the guide, with sizes that this machine has."""
    (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()
    return [[HERE.get(word, word) for word in shlex.split(line)] for line in lines]


def go(arguments: list[str]) -> int:
    assert arguments[0] == "volumetric"
    with pytest.raises(SystemExit) as stopped:
        main(arguments[1:])
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with brain.ome.zarr, registration and atlas, and, below `laptop`, what the first command makes of it."""
    folder = tmp_path_factory.mktemp("brain")
    files = write_files(folder)
    config = ingest.Config(voxel_um=files.voxel_um, orientation=files.orientation)
    source = open_source(files.slices / "signal")
    plan = ingest.plan(source, folder / "brain.ome.zarr", folder / "work", config, Resources())
    execute(plan, folder / "work", Execution())
    write_true_registration(folder / "registration", load_atlas(files.atlas))
    with pytest.MonkeyPatch.context() as patched:
        place(patched, brain=folder, folder=folder / "laptop")
        (command,) = documented("A laptop")
        assert go(command) == 0
        assign()
    return folder


def place(patched: pytest.MonkeyPatch, brain: Path, folder: Path) -> None:
    """Go to a folder of our own that has the brain."""
    folder.mkdir(exist_ok=True)
    for name in ("brain.ome.zarr", "registration", "atlas"):
        (folder / name).symlink_to(brain / name)
    patched.chdir(folder)


def assign() -> None:
    atlas = ["--registration", "registration", "--atlas", "atlas"]
    assert go(["volumetric", "assign", "cells.parquet", *atlas, "--out", "tables"]) == 0


def check_as_on_the_laptop(brain: Path) -> None:
    assign()
    laptop, here = brain / "laptop", Path.cwd()
    cells = pd.read_parquet(laptop / "tables" / "cells.parquet")
    assert len(cells) > 100
    pd.testing.assert_frame_equal(pd.read_parquet(here / "tables" / "cells.parquet"), cells, rtol=0, atol=1e-3)
    regions = [pd.read_csv(folder / "tables" / "regions.csv", keep_default_na=False) for folder in (laptop, here)]
    pd.testing.assert_frame_equal(*regions)


@pytest.mark.slow
def test_processes_of_this_machine(
    brain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place(monkeypatch, brain, tmp_path)
    (command,) = documented("One machine with many cores")
    assert go(command) == 0
    assert re.search(r"dask dashboard: http://127\.0\.0\.1:\d+/status", capsys.readouterr().out)
    check_as_on_the_laptop(brain)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_command_for_gpus_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = documented("One machine with GPUs")
    assert "--cluster cuda" in " ".join(command)
    assert go(["volumetric", "crowd-size", "--out", str(tmp_path / "out"), *command[-4:]]) == 2
    assert "--cluster cuda needs a GPU" in capsys.readouterr().err


@pytest.mark.slow
def test_a_running_scheduler(
    brain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place(monkeypatch, brain, tmp_path)
    with running_scheduler() as scheduler:
        replaced = {"10.0.0.5": "127.0.0.1", "tcp://10.0.0.5:8786": scheduler.address, "8786": str(scheduler.port)}
        start, worker, command = (
            [replaced.get(word, word) for word in line] for line in documented("A scheduler that runs already")
        )
        worker[worker.index("--nworkers") + 1] = "2"
        scheduler.start(*start[1:])
        assert go(command) == 2
        assert "has no workers: start them with `dask worker tcp://" in capsys.readouterr().err
        monkeypatch.chdir("/")  # where the workers are started is of no matter
        scheduler.start(*worker[1:])
        scheduler.wait(2)
        monkeypatch.chdir(tmp_path)
        assert go(command) == 0
    check_as_on_the_laptop(brain)


def slurm_settings(folder: Path) -> FakeSlurm:
    """The settings file of the guide, with this machine's network; the programs of a SLURM."""
    (text,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert tomllib.loads(text)["cluster"]["kind"] == "slurm"
    (folder / "slurm.toml").write_text(text.replace('"ib0"', '"lo"'))
    return fake_slurm(folder / "slurm")


def test_the_scripts_of_slurm_jobs_hold_what_the_guide_says(tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    from pipelines.cli.run import resources_of
    from pipelines.config import load_file
    from volumetric.blocks.cluster import make_slurm

    slurm_settings(tmp_path)
    resources = resources_of(load_file(tmp_path / "slurm.toml"))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path)
        with make_slurm(resources.cluster) as cluster:
            script = cluster.job_script()
    (shown,) = re.findall(r"(?:^    .*\n)+", DOCUMENT.read_text(), re.MULTILINE)
    lines = [line.strip() for line in shown.splitlines()]
    assert len(lines) == 9
    for line in lines[:-1]:
        assert line in script.splitlines()
    for part in lines[-1].removeprefix("python ").replace("tcp://...", "").removesuffix(" ...").split(" --"):
        assert part.strip() in script


@pytest.mark.slow
def test_slurm(brain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue")
    place(monkeypatch, brain, tmp_path)
    slurm = slurm_settings(tmp_path)
    monkeypatch.setenv("PATH", slurm.path)
    (command,) = documented("SLURM")
    assert go([*command, "--block", "50", "512", "512"]) == 0  # two blocks, for one job with its two workers
    assert len(slurm.scripts()) == 1
    assert slurm.running() == []
    check_as_on_the_laptop(brain)


def test_what_slurm_refuses_is_said_in_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("dask_jobqueue")
    monkeypatch.chdir(tmp_path)
    slurm = slurm_settings(tmp_path)
    monkeypatch.setenv("PATH", slurm.path)
    settings = tmp_path / "slurm.toml"
    settings.write_text(settings.read_text().replace('"gpu" ', '"closed" '))
    assert go(["volumetric", "crowd-size", "--draws", "2", "--out", "out", "--config", "slurm.toml"]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "SLURM refuses the jobs of the table [cluster]: sbatch: error: invalid partition specified" in message
    assert slurm.scripts() == []
