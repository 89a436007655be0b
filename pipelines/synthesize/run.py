"""Synthesize: tiles that are made up, and the cells in them.

Inputs: a generator, or `physics` for optics and noise alone; a sampler of layouts. Output folder, as `train-detector`
and `realism` read it:

    NAME.tif or .png      the image: 16 bits, linear in light; 8 bits from a generator of mode method
    NAME_cells.csv        y, x in pixels, radius_px, light (noise levels above the surroundings)
    NAME_heatmap.tif      (Y, X) 0 to 1, one at each cell's pixel (eq. 15 of the method)
    tiles.csv             tile, brain
    synthesis.json        what they were made from; cells that cannot be seen, and others that can

and beside the folder, as in it it would be a tile, FOLDER.png, some tiles with their cells.

    make      some tiles at a time, each from the seed and its own number alone
    publish   one step

Capacity: one tile for each worker.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from pipelines.layouts import Named
from pipelines.synthesize.config import Config
from pipelines.synthesize.job import Job
from pipelines.synthesize.painter import PHYSICS, Painter, model_of
from volumetric.blocks.batches import Batches
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import InputError
from volumetric.storage.provenance import files_identity
from volumetric.synthesis.sample import Variation, visibility_of

VERSION = 2
PHYSICS_PX = 512
TOGETHER = 16
"""Tiles in a task."""

BYTES_PER_PIXEL = 4000
"""Of a tile as it is painted, all feature maps: an upper estimate from the layers."""

SEEN = 0.02
"""Share of cells that cannot be seen, or of others that can, from which the tiles are to be doubted."""


def plan(painter: Path, layout: Named, out: Path, work: Path, config: Config) -> Plan:
    """The work of making tiles; raises `InputError` for a generator that cannot be used.

    Args:
        painter: checkpoint of a generator, or `physics`.
        layout: sampler of layouts.
        out: folder.
        work: for its ledger.
        config: settings.
    """
    physics, variation = str(painter) == PHYSICS, Variation(config.brightness, config.texture)
    if physics and variation != Variation():
        raise InputError("--brightness and --texture are of the background of a generator: physics draws its own")
    settings = None if physics else model_of(painter, config.device).settings
    px = config.px or (settings.px if settings else PHYSICS_PX)
    visibility = settings.visibility if settings else visibility_of(layout.sampler, px, "lit", config.seed)
    made = Painter(None if physics else painter, variation, config.device, visibility)
    job = Job(made, layout, config, px, out, work)
    files = [path for path in (made.checkpoint, layout.path) if path]
    return Plan(
        stage="synthesize",
        version=VERSION,
        config={**config.model_dump(mode="json", exclude={"device"}), "px": px, "layout": layout.name},
        inputs={"painter": PHYSICS if physics else "generator", "files": files_identity(files)},
        passes=(
            Batches("make", config.count, TOGETHER, job.make, Cost(0, 8 * TOGETHER * px**2, BYTES_PER_PIXEL * px**2)),
            Reduction("publish", job.publish, Cost(0, 2**22, BYTES_PER_PIXEL * px**2 + 2**28)),
        ),
        outputs=(out / "tiles.csv", out / "synthesis.json", job.picture),
    )


def print_summary(out: Path, ledger: Ledger, console: Console) -> None:
    """Say what was made, and whether its truth can be seen."""
    facts = ledger.facts()["publish"]
    cure = (
        "Optics and noise do not see to it: brighter cells, or a trained generator, do"
        if facts["painter"] == PHYSICS
        else "Train the generator longer, or with a larger `visibility` in its settings file (usually 5)"
    )
    console.print(
        f"[bold]{out}[/]: {facts['tiles']:,} tiles with {facts['cells']:,} cells; {facts['invisible']:.1%} of them "
        f"cannot be seen, and for every hundred cells {100 * facts['phantoms']:.1f} others can",
        highlight=False,
        soft_wrap=True,
    )
    if max(facts["invisible"], facts["phantoms"]) > SEEN:
        console.print(
            f"[bold red]warning:[/] more than {SEEN:.0%}: a detector would learn from a truth that the images do not "
            f"show. {cure}",
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"look at {out.with_name(f'{out.name}.png')}", highlight=False, soft_wrap=True)
