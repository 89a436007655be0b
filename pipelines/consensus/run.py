"""Consensus: from the clicks of a crowd to each worker's skill, cells with their probability, and ground truth.

Inputs: CLICKS.csv (tile, worker, order, x, y, t_ms; pixels) or a point extract of Zooniverse's Caesar; SHOWN.csv (tile,
worker; and left, top, width, height where it was a part of a tile); a folder of tile images.

OUT/workers.csv      sensitivity and specificity with 95% intervals, weights, and who takes no part and why
OUT/candidates.csv   places where a cell may be: x, y, posterior, confidence (of the heatmap), who clicked, who saw
OUT/peaks.csv        the heatmap's maxima with their confidence
OUT/heatmaps/        Zarr, an array for each tile
OUT/truth/           the same as NAME_heatmap.tif, for `--truth` of `train-detector`, `evaluate` and `calibrate`
OUT/rejected.csv     rows of the inputs that make no sense, each with its line and reason
OUT/workers.png, steps/   pictures
OUT/consensus.json   settings and figures

    scatter     one step            how far clicks on one cell scatter
    candidates  batches of tiles    clicks that mean the same thing
    skill       one step            EM over all tiles
    heatmaps    batches of tiles
    publish     one step

Capacity: all clicks and all answers in memory, some 300 bytes an answer; a million clicks take less than 2 GB.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines.consensus.config import Config
from pipelines.consensus.inputs import Inputs
from pipelines.consensus.job import BATCH, Job
from volumetric.blocks.batches import Batches
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Cost, Facts, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.storage.atomic import write_json
from volumetric.storage.provenance import digest, files_identity, versions

VERSION = 1
BYTES_PER_CLICK = 1500
"""Of the clicks, as text and numbers, and the answers that follow from them: an upper estimate."""

TILE_BYTES = 60
"""A pixel of the tile at work, its heatmap and the density of its clicks: from their types."""

FIGURES_BYTES = 600 * 2**20


def plan(inputs: Inputs, sources: list[Path], out: Path, work: Path, config: Config) -> Plan:
    """The work of a consensus.

    Args:
        inputs: as they were read.
        sources: the files they were read from.
        out: folder of the results.
        work: of what lies between.
        config: with or without what its mode stands for.
    """
    whole = config.whole(bool(inputs.quality_control), inputs.crowd.viewers)
    job = Job(inputs, whole, out, work)
    crowd = inputs.crowd
    count = len(crowd.tiles)
    batches = [range(first, min(first + BATCH, count)) for first in range(0, count, BATCH)]
    pixels = int(crowd.shapes.prod(axis=1).max(initial=0))
    held = BYTES_PER_CLICK * (len(crowd.clicks) + len(crowd.shown))
    tile = TILE_BYTES * pixels
    return Plan(
        stage="consensus",
        version=VERSION,
        config=whole.model_dump(mode="json"),
        inputs={
            "files": files_identity(sources),
            "tiles": digest([crowd.tiles, crowd.shapes.tolist()]),
            "quality_control": list(inputs.quality_control),
        },
        passes=(
            Reduction("scatter", job.scatter, Cost(0, 2**10, tile)),
            Batches("candidates", count, BATCH, job.form, Cost(0, 2**16, tile)),
            Reduction("skill", partial(job.skill, batches), Cost(0, 2**22, held)),
            Batches("heatmaps", count, BATCH, job.draw, Cost(0, 4 * pixels * BATCH, tile)),
            Reduction("publish", partial(job.publish, batches), Cost(0, 2**24, FIGURES_BYTES)),
        ),
        outputs=tuple(
            out / name for name in ("workers.csv", "candidates.csv", "peaks.csv", "heatmaps", "truth", "workers.png")
        ),
        held_bytes=held,
    )


def finish(inputs: Inputs, out: Path, plan: Plan, ledger: Ledger, given: Mapping[str, Path | None]) -> dict[str, Any]:
    """Write `consensus.json`, and return what it holds; `given` are the clicks, shown, tiles and sets of the user."""
    facts = ledger.facts()
    crowd = inputs.crowd
    skill = facts["skill"]
    record = {
        "version": versions()["volumetric"],
        "config": dict(plan.config),
        "inputs": {name: str(path.resolve()) if path else None for name, path in given.items()},
        "tiles": len(crowd.tiles),
        "workers": len(crowd.workers),
        "excluded": len(inputs.excluded),
        "clicks": len(crowd.clicks),
        "rejected": len(inputs.rejected),
        "scatter_px": facts["scatter"]["scatter_px"],
        **facts["publish"],
        "skill": skill,
        "warnings": warnings_of(inputs, skill),
        "versions": versions(),
    }
    write_json(out / "consensus.json", record)
    return record


def warnings_of(inputs: Inputs, skill: Facts) -> list[str]:
    """What a user should know before using the result."""
    crowd = inputs.crowd
    found = []
    if len(inputs.rejected):
        first = inputs.rejected.iloc[0]
        found.append(
            f"{len(inputs.rejected):,} rows were left out (rejected.csv); the first, line {first['line']} of the table "
            f"of {first['table']}: {first['reason']}"
        )
    if inputs.excluded:
        found.append(f"{len(inputs.excluded)} workers take no part (workers.csv says why)")
    unseen = len(crowd.tiles) - crowd.shown["tile"].nunique()
    if unseen:
        found.append(f"{unseen} tiles were shown to nobody: their heatmaps are empty")
    if skill["below_chance"]:
        names = ", ".join(skill["below_chance"][:5])
        found.append(f"{len(skill['below_chance'])} workers click where others see no cell: {names}")
    if skill["switched"]:
        found.append("cells and their absence may have taken each other's place: most workers look wrong")
    if not skill["converged"]:
        found.append(f"EM had not come to rest after {skill['steps']} steps")
    return found


def print_summary(record: dict[str, Any], out: Path, console: Console) -> None:
    """Say what the crowd found."""
    say = partial(console.print, highlight=False, soft_wrap=True)
    say(
        f"{record['clicks']:,} clicks of {record['workers']:,} workers on {record['tiles']:,} tiles: "
        f"[bold]{record['candidates']:,}[/] candidates, [bold]{record['cells']:,}[/] more likely cells than not, "
        f"{record['expected']:,.1f} cells expected"
    )
    say(f"clicks on one cell scatter by {record['scatter_px']:.2f} px")
    for warning in record["warnings"]:
        say(f"[bold red]warning:[/] {warning}")
    say(f"tables: {out / 'workers.csv'}, {out / 'candidates.csv'}; look at {out / 'workers.png'} and {out / 'steps'}")
