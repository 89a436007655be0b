"""Stages of one run whose user removed what they saw: what lies hidden goes with it, and nothing else does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.config import Resources
from pipelines.stage import Stage, check, run
from pipelines.workspace import is_hidden, work_beside
from volumetric.blocks.plan import Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import OutputError

RESOURCES = Resources(workers=1)
CONSOLE = Console(quiet=True)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def stage(name: str, out: Path, work: Path, images: str) -> Stage:
    passes = (Reduction("write", partial(write, out, images)),)
    return Stage(Plan(name, 1, {}, {"source": images}, passes, (out,)), work)


def stages(run_folder: Path, images: str, *, last: str | None = None) -> list[Stage]:
    """A volume that is seen, detections that are not, a table that is."""
    work = run_folder / ".work"
    return [
        stage("ingest", run_folder / "volume", work / "ingest", images),
        stage("detect", work / "detect" / "cells", work / "detect", images),
        stage("assign", run_folder / "cells", work / "assign", last or images),
    ]


def texts(these: Sequence[Stage]) -> set[str]:
    return {out.read_text() for one in these for out in one.plan.outputs}


def remove_what_is_seen(folder: Path) -> None:
    for path in folder.iterdir():
        if not path.name.startswith("."):
            path.unlink()


def test_removed_outputs_make_room_for_another_run(tmp_path: Path) -> None:
    run(stages(tmp_path, "first"), RESOURCES, CONSOLE)
    remove_what_is_seen(tmp_path)
    second = stages(tmp_path, "second")
    check(second, RESOURCES)
    assert (tmp_path / ".work" / "detect" / "cells").read_text() == "first"
    assert all(not one.ledger.done("write") for one in second)
    run(second, RESOURCES, CONSOLE)
    assert texts(second) == {"second"}


@pytest.mark.parametrize("kept", ["volume", "cells"])
def test_what_is_kept_is_refused(tmp_path: Path, kept: str) -> None:
    run(stages(tmp_path, "first"), RESOURCES, CONSOLE)
    for name in {"volume", "cells"} - {kept}:
        (tmp_path / name).unlink()
    with pytest.raises(OutputError, match="start afresh after"):
        run(stages(tmp_path, "second"), RESOURCES, CONSOLE)
    assert (tmp_path / kept).read_text() == "first"
    assert (tmp_path / ".work" / "detect" / "cells").read_text() == "first"


def test_work_of_a_run_that_was_not_finished_is_kept(tmp_path: Path) -> None:
    run(stages(tmp_path, "first")[:2], RESOURCES, CONSOLE)
    (tmp_path / "volume").unlink()
    with pytest.raises(OutputError, match="detect"):
        run(stages(tmp_path, "second"), RESOURCES, CONSOLE)
    assert (tmp_path / ".work" / "detect" / "cells").read_text() == "first"


def test_the_same_run_makes_what_was_removed_again(tmp_path: Path) -> None:
    run(stages(tmp_path, "first"), RESOURCES, CONSOLE)
    (tmp_path / "cells").unlink()
    run(stages(tmp_path, "first"), RESOURCES, CONSOLE)
    assert texts(stages(tmp_path, "first")) == {"first"}


def test_a_new_last_step_keeps_the_steps_before_it(tmp_path: Path) -> None:
    run(stages(tmp_path, "first"), RESOURCES, CONSOLE)
    (tmp_path / "cells").unlink()
    run(stages(tmp_path, "first", last="second"), RESOURCES, CONSOLE)
    assert (tmp_path / "volume").read_text() == "first"
    assert (tmp_path / "cells").read_text() == "second"


def test_hidden_is_what_lies_in_the_work_of_a_run() -> None:
    out = Path(".mine") / "brain.ome.zarr"
    assert not is_hidden(out, work_beside(out))
    assert is_hidden(work_beside(out) / "volume.ome.zarr", work_beside(out) / "ingest")
    assert is_hidden(Path("run/.work/detect/cells"), Path("run/.work/detect"))
    assert not is_hidden(Path("run/volume.ome.zarr"), Path("run/.work/ingest"))
