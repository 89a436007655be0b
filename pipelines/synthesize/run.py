"""Synthesize: tiles that are made up, and the cells in them.

Inputs: a generator, or `physics` for optics and noise alone; a sampler of layouts. Output folder, as `train-detector`
and `realism` read it:

    NAME.tif or .png      the image: 16 bits, linear in light; 8 bits from a generator of mode method
    NAME_cells.csv        y, x in pixels, radius_px, light (noise levels above the surroundings)
    NAME_heatmap.tif      (Y, X) 0 to 1, one at each cell's pixel (eq. 15 of the method)
    tiles.csv             tile, brain
    synthesis.json        what they were made from; cells that cannot be seen, and others that can
    overview.png          some tiles with their cells

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
from pipelines.synthesize.painter import PHYSICS, PHYSICS_PX, Painter
from volumetric.blocks.batches import Batches
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Cost, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.errors import InputError
from volumetric.storage.provenance import files_identity
from volumetric.synthesis.sample import Variation

VERSION = 1
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
    made = painter_of(painter, config)
    if made.checkpoint is None and config.texture:
        raise InputError("--texture is of the background of a generator: physics draws its own")
    settings = made.settings
    px = config.px or (settings.px if settings else PHYSICS_PX)
    job = Job(made, layout, config, px, out, work)
    files = [path for path in (made.checkpoint, layout.path) if path]
    return Plan(
        stage="synthesize",
        version=VERSION,
        config={**config.model_dump(mode="json", exclude={"device"}), "px": px, "layout": layout.name},
        inputs={"painter": PHYSICS if made.checkpoint is None else "generator", "files": files_identity(files)},
        passes=(
            Batches("make", config.count, TOGETHER, job.make, Cost(0, 8 * TOGETHER * px**2, BYTES_PER_PIXEL * px**2)),
            Reduction("publish", job.publish, Cost(0, 2**22, BYTES_PER_PIXEL * px**2 + 2**28)),
        ),
        outputs=(out / "tiles.csv", out / "synthesis.json", out / "overview.png"),
    )


def painter_of(name: Path, config: Config) -> Painter:
    """What paints: a checkpoint, or optics and noise."""
    variation = Variation(config.brightness, config.texture)
    return Painter(None if str(name) == PHYSICS else name, variation, config.device)


def print_summary(out: Path, ledger: Ledger, console: Console) -> None:
    """Say what was made, and whether its truth can be seen."""
    facts = ledger.facts()["publish"]
    console.print(
        f"[bold]{out}[/]: {facts['tiles']:,} tiles with {facts['cells']:,} cells; {facts['invisible']:.1%} of them "
        f"cannot be seen, and for every hundred cells {100 * facts['phantoms']:.1f} others can",
        highlight=False,
        soft_wrap=True,
    )
    if max(facts["invisible"], facts["phantoms"]) > SEEN:
        console.print(
            f"[bold red]warning:[/] more than {SEEN:.0%}: a detector would learn from a truth that the images do not "
            "show. Train the generator longer, or raise its weight of visibility",
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"look at {out / 'overview.png'}", highlight=False, soft_wrap=True)
