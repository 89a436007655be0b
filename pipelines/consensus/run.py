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
from pipelines.consensus.inputs import Inputs, reasons
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

FEW_VIEWERS = 5

FIGURES_BYTES = 600 * 2**20


def plan(inputs: Inputs, given: Mapping[str, Path | None], out: Path, work: Path, config: Config) -> Plan:
    """The work of a consensus.

    Args:
        inputs: as they were read.
        given: files and folder they were read from, by what they are; a folder is known by its tiles.
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
            **{name: files_identity([path]) for name, path in given.items() if path and path.is_file()},
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
        "tiles": int(crowd.shown["tile"].nunique()),
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
        found.append(f"rows left out: {reasons(inputs.rejected)}. They are in rejected.csv")
    if not len(crowd.clicks):
        found.append("nobody clicked anything")
    if inputs.excluded:
        found.append(f"workers who take no part: {len(inputs.excluded)}. workers.csv says why")
    unseen = len(crowd.tiles) - crowd.shown["tile"].nunique()
    if unseen:
        found.append(f"tiles that were shown to nobody: {unseen}. Their heatmaps are empty")
    if crowd.viewers < FEW_VIEWERS:
        found.append(
            f"most tiles were seen by {crowd.viewers:g} workers or fewer: of fewer than {FEW_VIEWERS} hardly anything "
            "can be told. See `volumetric crowd-size`"
        )
    for reason, names in skill["doubtful"].items():
        found.append(f"{reason}: {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}. They still count")
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
        f"[bold]{record['candidates']:,}[/] candidates, [bold]{record['cells']:,}[/] of them more likely cells than not"
    )
    say(f"clicks on one cell scatter by {record['scatter_px']:.2f} px")
    for warning in record["warnings"]:
        say(f"[bold red]warning:[/] {warning}")
    say(f"tables: {out / 'workers.csv'}, {out / 'candidates.csv'}; look at {out / 'workers.png'} and {out / 'steps'}")
