"""Fit layouts: from tiles with known cells to what draws tiles with cells like theirs.

Inputs: folders of tiles (`volumetric.detection.tileset`) with points, or with `spots_px` images alone; regions, if any,
in the column `region` of `tiles.csv`. Planes are taken some slices apart: neighbouring ones show the same cells, and
would count them twice.
Output: LAYOUT.json (`volumetric.synthesis.fitted_layout`); LAYOUT.png, how it stands beside cells.

    without-BRAIN  one for each of several brains: a fit to the others, its simulations and those of the method's
                   sampler beside the brain's own cells
    publish        a fit to all tiles, the file and the picture

Capacity: all tiles in memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.fit_layout.inputs import read_known, seen_from
from pipelines.fit_layout.job import MODELS, Config, Job
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import InputError
from volumetric.storage.provenance import folder_identity
from volumetric.synthesis.fitted_layout import enough
from volumetric.synthesis.pair_correlation import edges_of

__all__ = ["Config", "plan", "print_summary"]

VERSION = 2

MEMORY = 600 * 2**20
"""Of simulations and a picture: an upper estimate."""


def plan(folders: Sequence[Path], out: Path, work: Path, config: Config) -> Plan:
    """The work of a fit; raises `InputError` for tiles that tell nothing.

    Args:
        folders: of tiles with known cells.
        out: the file of layouts.
        work: for its ledger and parts.
        config: settings.
    """
    if out.suffix != ".json":
        raise InputError(f"layouts are a .json file, got {out}")
    spots = seen_from(config.spots_px, config.spot_levels) if config.spots_px else None
    known = tuple(read_known(folders, config.every, config.size, spots))
    tiles = [one.tile for one in known]
    reach = float(edges_of([one.pattern for one in tiles])[-1])
    if not enough(tiles, reach):
        cells = sum(len(one.pattern.yx) for one in tiles)
        raise InputError(
            f"{cells} cells on {len(tiles)} planes are too few, too far apart or too dim to tell layouts from: give "
            "more tiles, or take planes nearer to each other (--every)"
        )
    job = Job(known, config, out, work)
    step = Cost(0, 2**20, MEMORY)
    tested = job.brains if len(job.brains) > 1 else []
    return Plan(
        stage="fit-layout",
        version=VERSION,
        config=config.model_dump(mode="json"),
        inputs={"tiles": [folder_identity(folder) for folder in folders]},
        passes=(
            *(Reduction(f"without {brain}", partial(job.without, brain), step) for brain in tested),
            Reduction("publish", job.publish, step),
        ),
        outputs=(out, job.picture),
    )


def print_summary(out: Path, ledger: Ledger, console: Console) -> None:
    """Say what was learnt, and how it stands beside brains that it had not seen."""
    facts = ledger.facts()["publish"]
    say = partial(console.print, highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = (
        "region",
        "planes",
        "cells / Mpx",
        "excess",
        "spread px",
        "core px",
        "trend",
        "radius px",
        "light",
        "marked",
    )
    for column in names:
        table.add_column(column, justify="left" if column == "region" else "right")
    for region in facts["regions"]:
        process, marks, counts = region["process"], region["marks"], region["counts"]
        mean = sum(d * w for d, w in zip(counts["per_mpx"], counts["weights"], strict=True))
        typical = [f"{math.exp(value):.1f}" for value in marks["mean"]]
        numbers = [f"{process[name]:.2f}" for name in ("excess", "spread_px", "core_px", "trend")]
        share = region["marked"]["share"] if region["marked"] else (1.0, 1.0)
        marked = f"{100 * share[0]:.0f}-{share[-1]:.0%}" if share[0] < share[-1] else f"{share[0]:.0%}"
        table.add_row(region["name"], str(region["tiles"]), f"{mean:,.0f}", *numbers, *typical, marked)
    console.print(table)
    say(
        "excess, spread: how much denser cells lie around a cell than by chance, and how far that reaches; core: "
        "within it hardly two lie; trend: how uneven a tile is; light: in noise levels; marked: by people, the "
        "faintest and the brightest"
    )
    if facts["held_out"]:
        console.print(_held_out(facts["held_out"], facts["config"]["level"]))
        say(
            "p: chance of cells that lie as unusually as the brain's, were they those of a fit to the other brains; "
            "given its own numbers of cells (fitted, method), the fit's numbers (fitted counts), or the fit as well as "
            "it is known (with uncertainty)"
        )
    else:
        say("one brain: whether layouts hold for another one cannot be told")
    say(
        f"[bold]{out}[/]: {facts['measured']:,} of {facts['cells']:,} cells measured; look at {out.with_suffix('.png')}"
    )


def _held_out(rows: Sequence[dict[str, object]], level: float) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("left out", "cells", "near pairs", *MODELS):
        table.add_column(column, justify="left" if column == "left out" else "right")
    for row in rows:
        models: dict[str, dict[str, float]] = row["models"]  # type: ignore[assignment]
        words = [
            f"{'inside' if models[name]['inside'] else 'outside'} {models[name]['p']:.3f}"
            if models
            else "too few cells"
            for name in MODELS
        ]
        table.add_row(str(row["brain"]), str(row["cells"]), str(row["pairs"]), *words)
    table.title = f"g(r) and {level:.0%} envelopes"
    table.title_justify = "left"
    return table
